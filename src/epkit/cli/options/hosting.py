"""What `deploy` and `logs` share: their options, and the endpoint that a command is about."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal

if TYPE_CHECKING:
    from epkit.flows.context import Context
    from epkit.flows.hosting.backends import Place

FORMATS = ("text", "json")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the endpoint, in epkit.toml or at the backend.")]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="local|azureml|azureml-v1",
        help="Who hosts it. Default: what epkit.toml says of the endpoint, else local.",
    ),
]
Format = Annotated[str, typer.Option("--format", metavar="text|json", help="How to print the result.")]
Deployment = Annotated[
    str | None, typer.Option("--deployment", metavar="NAME", help="Which one, where there is more than one.")
]


def find(name: str | None, backend: str | None, format_: str) -> "tuple[Place, Context]":
    """Find the endpoint and its backend.

    Raises:
        UsageError: no such format or backend, a missing extra, an `epkit.toml` that is wrong.
    """
    from epkit.flows.hosting.backends import find_place

    terminal.check_choice("--format", format_, FORMATS)
    context = terminal.context()
    return find_place(name, backend, context), context
