"""Options that several commands of `epkit pipeline` have."""

from typing import Annotated, Any, Final

import typer

from epkit.cli.options import common as o
from epkit.cli.options.target import REACHING

RUN = "The run"
FORMATS = ("text", "json", "markdown")

REMOTE: Final[dict[str, Any]] = {"header": o.Header, "key_file": o.KeyFile} | REACHING
"""Flags of the commands that send requests to the server of a published pipeline."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the pipeline in epkit.toml.")]
Why = Annotated[str | None, o.option(RUN, "--why", metavar="TEXT", help="Reason for the run, kept in its report.")]
Format = Annotated[str, o.option(o.OUT, "--format", metavar="text|json|markdown", help="Format of the report.")]
Html = Annotated[
    str | None, o.option(o.OUT, "--html", metavar="FILE", help="Also write the report as an HTML page to FILE.")
]
Junit = Annotated[
    str | None,
    o.option(o.OUT, "--junit", metavar="FILE", help="Write JUnit XML with a test case for each step and gate."),
]
Quiet = Annotated[bool, o.option(o.OUT, "-q", "--quiet", help="Show no progress.")]
