"""`epkit check`: finds out why an endpoint does not work, and what to do about it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options.target import FINDING, REACHING, with_reach
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.flows.target.request_options import TargetOptions

EPILOG = """\b
Examples:
  epkit check                              the embedded endpoint
  epkit check prod                         an endpoint in epkit.toml
  epkit check https://host/score --key-file host.key --format json
\b
Steps: name, tcp, tls, health, key, contract, example, reply, clock, headers.
A step is skipped if a step that it needs has failed.
\b
Exit codes: 0 all steps passed (warnings do not count), 2 usage, 4 a step failed."""

FORMATS = ("text", "json")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("check", epilog=EPILOG, cls=o.Sections)(check)


@with_reach(
    FINDING | REACHING | {"target_flag": o.TargetFlag, "deployment": o.Deployment, "predictions_at": o.PredictionsAt}
)
def check(
    reach: "TargetOptions",
    target: o.Target = None,
    payload: Annotated[
        str | None,
        o.option(
            o.SENT, "-p", "--payload", metavar="FILE", help="Score this instead of the contract's example; - is stdin."
        ),
    ] = None,
    path: o.Operation = None,
    format_: Annotated[
        str, o.option(o.OUT, "--format", metavar="|".join(FORMATS), help="How to print the steps.")
    ] = "text",
) -> None:
    """Find out what is wrong with an endpoint, and what to do.

    A line a step, from its name to a scored row. TARGET is a URL, or the name of an endpoint in epkit.toml. Without
    it: EPKIT_TARGET, the default in epkit.toml, or the embedded endpoint.
    """
    terminal.check_choice("--format", format_, FORMATS)
    if target is not None and reach.target is not None:
        raise UsageError("the target is given twice: as an argument and with --target")
    from epkit.flows.check import check as flow
    from epkit.reporters.check import json as checkup_json
    from epkit.reporters.check import text as checkup_text

    options = flow.CheckOptions(
        reach=reach if target is None else replace(reach, target=target), payload=payload, path=path
    )
    context, stdin = terminal.context(), terminal.stdin()
    if format_ == "json":
        found = flow.check(options, context, stdin)
        terminal.write_verdict(checkup_json.render(found))
    else:
        found = flow.check(
            options,
            context,
            stdin,
            begin=lambda shown: terminal.write_verdict(checkup_text.heading(shown)),
            tell=lambda step: terminal.write_verdict(checkup_text.line(step)),
        )
    flow.verdict(found)
