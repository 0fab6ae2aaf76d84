"""`epkit docs`: shows the contract in a browser, with a "Try it out" that works."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options.target import FINDING, REACHING, with_reach

if TYPE_CHECKING:
    from epkit.flows.target.request_options import TargetOptions

EPILOG = """\b
Examples:
  epkit docs                               the embedded endpoint
  epkit docs prod --open                   an endpoint in epkit.toml
  epkit docs https://host/score --key-file host.key
  epkit docs swagger/bank.json             a file: to look at, not to try out
  epkit docs swagger/bank.json --target https://host/score
\b
The page's address goes to stdout. Ctrl-C ends it.
\b
Exit codes: 130 ended by Ctrl-C (143 by SIGTERM), 2 usage or a taken port,
4 the contract cannot be fetched."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("docs", epilog=EPILOG, cls=o.Sections)(docs)


@with_reach(FINDING | REACHING | {"target_flag": o.TargetFlag, "deployment": o.Deployment})
def docs(
    reach: "TargetOptions",
    target: o.Target = None,
    port: Annotated[
        int, o.number(o.WAY, "--port", kind=int, metavar="PORT", help="Listen on this port; 0 is any free one.")
    ] = 8000,
    host: Annotated[
        str,
        o.option(
            o.WAY,
            "--host",
            metavar="ADDRESS",
            help="Listen on this address; others than loopback are open to the network.",
        ),
    ] = "127.0.0.1",
    open_: Annotated[bool, o.option(o.OUT, "--open", help="Open the page in a browser.")] = False,
) -> int:
    """Show a contract in a browser, and try it out there.

    TARGET is a URL, the name of an endpoint in epkit.toml, the FILE of a contract (JSON or YAML), or - for one on
    stdin. The page is Swagger UI; what it sends goes to this server, which adds the key and hands it on to the target.
    """
    from epkit.flows import docs as flow

    options = flow.DocsOptions(shown=target, reach=reach, host=host, port=port)
    context = terminal.context()

    def announce(url: str, executable: bool) -> None:
        terminal.write(f"{url}\n")
        then = ", then choose POST, Try it out, Execute" if executable else ""
        context.note(f"the page is ready: open it in a browser{then}; Ctrl-C ends it")
        if open_:
            flow.open_browser(url, context)

    ended_by = flow.docs(options, context, terminal.stdin(), announce=announce)
    terminal.note("ended")
    return 128 + int(ended_by)
