"""`epkit pipeline publish`, `unpublish` and `keys`: a pipeline that is asked for a run by HTTP."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from epkit.cli import terminal
from epkit.cli.commands.pipeline import Name, app
from epkit.cli.options import common as o

if TYPE_CHECKING:
    from typing import Literal

SERVER = "The server"
BACKENDS = ("local",)

EPILOG = """\b
Examples:
  epkit pipeline publish bank
  epkit pipeline publish bank --port 8010 --env AZURE_CLIENT_ID
\b
It listens on loopback, and lives until epkit pipeline unpublish or the end of
the machine. What callers may set is publishable in epkit.toml: nothing by
default. Publishing again keeps the key and the port.
\b
Exit codes: 0 published, 2 usage, configuration or a taken port, 6 the server
does not come up."""


def register(_parent: typer.Typer) -> None:
    """Add the commands to those of `epkit pipeline`."""
    app.command("publish", epilog=EPILOG, cls=o.Sections)(publish)
    app.command("unpublish", epilog="Example: epkit pipeline unpublish bank")(unpublish)
    app.command("keys", epilog="Example: epkit pipeline keys bank --reveal")(keys)


def publish(
    name: Name,
    backend: Annotated[str, o.option(SERVER, "--backend", metavar="local", help="Who takes the requests.")] = "local",
    port: Annotated[
        int | None,
        o.option(SERVER, "--port", metavar="PORT", help="Listen there. Default: as before, else a free one."),
    ] = None,
    env: Annotated[
        list[str] | None,
        o.option(SERVER, "--env", metavar="NAME", help="A variable of the environment that runs see. Repeatable."),
    ] = None,
    format_: Annotated[str, o.option(o.OUT, "--format", metavar="text|json", help="How to print the result.")] = "text",
) -> None:
    """Publish a pipeline: it is asked for a run by HTTP, with a key."""
    from epkit.cli.output import publishing as output
    from epkit.flows.pipeline.publishing import local

    terminal.check_choice("--format", format_, ("text", "json"))
    terminal.check_choice("--backend", backend, BACKENDS)
    published = local.publish(name, terminal.context(), port=port, env=tuple(env or ()))
    terminal.write(output.published(published, format_))


def unpublish(name: Name) -> None:
    """End the server of a published pipeline; a run that goes on is not touched, one that waits is dropped."""
    from epkit.flows.pipeline.publishing import local

    local.unpublish(name, terminal.context())
    terminal.write(f"{name} is published no more\n")


def keys(
    name: Name,
    regenerate: Annotated[
        str | None, typer.Option("--regenerate", metavar="primary|secondary", help="Replace this key first.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print both keys.")] = False,
) -> None:
    """Write the primary key of a published pipeline into its file, mode 0600; either key opens it."""
    from epkit.cli.output import publishing as output
    from epkit.flows.pipeline.publishing import local

    if regenerate is not None:
        terminal.check_choice("--regenerate", regenerate, ("primary", "secondary"))
    which = cast("Literal['primary', 'secondary'] | None", regenerate)
    found = local.keys(name, terminal.context(), regenerate=which)
    terminal.write(output.keys(found, reveal=reveal), reveal=reveal)
