"""`epkit check`: what is wrong with an endpoint, and what to do about it."""

from typing import Annotated

import typer

from epkit.cli import terminal
from epkit.cli.commands.validate import Path
from epkit.cli.options import common as o
from epkit.errors import UsageError

EPILOG = """\b
Examples:
  epkit check                              the embedded endpoint
  epkit check prod                         an endpoint in epkit.toml
  epkit check https://host/score --key-file host.key --format json
\b
Steps: name, tcp, tls, health, key, contract, example, reply, clock, headers.
A step that needs one that failed is not tried.
\b
Exit codes: 0 all is well (warnings do not count), 2 usage, 4 a step failed."""

FORMATS = ("text", "json")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("check", epilog=EPILOG, cls=o.Sections)(check)


def check(
    target: o.Target = None,
    payload: Annotated[
        str | None,
        typer.Option(
            "-p",
            "--payload",
            metavar="FILE",
            help="Score this instead of the contract's example; - is stdin.",
            rich_help_panel=o.SENT,
        ),
    ] = None,
    header: o.Header = None,
    deployment: o.Deployment = None,
    target_flag: o.TargetFlag = None,
    key_file: o.KeyFile = None,
    schema: o.Schema = None,
    path: Path = None,
    timeout_s: o.Patience = None,
    cacert: o.CaCert = None,
    insecure: o.Insecure = False,
    client_cert: o.ClientCert = None,
    format_: Annotated[
        str,
        typer.Option("--format", metavar="|".join(FORMATS), help="How to print the steps.", rich_help_panel=o.OUT),
    ] = "text",
) -> None:
    """Find out what is wrong with an endpoint, and what to do.

    A line a step, from its name to a scored row. TARGET is a URL, or the name of an endpoint in epkit.toml. Without
    it: EPKIT_TARGET, the default in epkit.toml, or the embedded endpoint.
    """
    if format_ not in FORMATS:
        raise UsageError(f"--format {format_}: not one of {', '.join(FORMATS)}")
    if target is not None and target_flag is not None:
        raise UsageError("the target is given twice: as an argument and with --target")
    from epkit.core.http.destination import Tls
    from epkit.endpoint.headers import parse_header
    from epkit.flows.check import check as flow
    from epkit.reporters.check import json as checkup_json
    from epkit.reporters.check import text as checkup_text

    options = flow.CheckOptions(
        target=target_flag if target is None else target,
        payload=payload,
        schema=schema,
        path=path,
        key_file=key_file,
        headers=tuple(parse_header(text) for text in header or ()),
        deployment=deployment,
        timeout_s=timeout_s,
        tls=Tls(verify=not insecure, cacert=cacert, client_cert=client_cert),
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
