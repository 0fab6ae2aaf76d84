"""`epkit init`: a first `epkit.toml`."""

from typing import Annotated

import typer

from epkit.cli import terminal

EPILOG = """\b
Examples:
  epkit init https://host/score
  epkit init https://host/score --key-file host.key
  epkit init config.json                   Azure's workspace
  epkit init                               a commented template
  epkit init --sample bank.csv             a generated table to train on
\b
A config.json that Azure's SDKs would find is read too. The file's name goes
to stdout. A key, a password or a signature in the URL is not written down.
\b
Exit codes: 0 written, 2 usage, or the file is there already."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("init", epilog=EPILOG)(init)


def init(
    sources: Annotated[list[str] | None, typer.Argument(metavar="[URL|FILE]...", hidden=True)] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the endpoint. Default: taken from its host.")
    ] = None,
    key_file: Annotated[
        str | None, typer.Option("--key-file", metavar="FILE", help="The file that holds, or will hold, the key.")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option("--key-env", metavar="NAME", help="The environment variable that holds the key.")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option("--sample", metavar="FILE", help="Write a generated table for epkit train, and no epkit.toml."),
    ] = None,
) -> None:
    """Write a first, commented epkit.toml here.

    From the URL of an endpoint, an Azure config.json FILE, or both. What is known is filled in, everything else
    is there as a comment. Nothing is ever overwritten.
    """
    from epkit.flows import init as flow

    options = flow.InitOptions(
        sources=tuple(sources or ()), name=name, key_file=key_file, key_env=key_env, sample=sample
    )
    if sample is not None:
        terminal.write(f"{flow.write_sample(options, terminal.context())}\n")
        terminal.note(f"{sample}: generated calls of a bank; next: epkit train {sample} --label y -o model")
        return
    begun = flow.init(options, terminal.context(), terminal.stdin())
    terminal.write(f"{begun.path}\n")
    if begun.name is None:
        terminal.note(f"{begun.path}: fill in the uri of the endpoint, then: epkit check")
    else:
        terminal.note(f"{begun.path}: {begun.name} is the default target now; next: epkit check")
