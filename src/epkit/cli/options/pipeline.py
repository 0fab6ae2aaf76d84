"""Options that more than one command of `epkit pipeline` has."""

from typing import Annotated, Any, Final

import typer

from epkit.cli.options import common as o
from epkit.cli.options.target import REACHING

RUN = "The run"
FORMATS = ("text", "json", "markdown")

REMOTE: Final[dict[str, Any]] = {"header": o.Header, "key_file": o.KeyFile} | REACHING
"""Flags of the commands that ask the server of a published pipeline."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the pipeline, in epkit.toml.")]
Why = Annotated[str | None, o.option(RUN, "--why", metavar="TEXT", help="Why it is run, for the record.")]
Format = Annotated[str, o.option(o.OUT, "--format", metavar="text|json|markdown", help="What is printed.")]
Html = Annotated[
    str | None, o.option(o.OUT, "--html", metavar="FILE", help="Also write the report as an HTML page there.")
]
Junit = Annotated[
    str | None, o.option(o.OUT, "--junit", metavar="FILE", help="Write JUnit XML, a test case a step and a gate.")
]
Quiet = Annotated[bool, o.option(o.OUT, "-q", "--quiet", help="No progress.")]
