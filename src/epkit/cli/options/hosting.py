"""The options that `deploy` and `logs` share, and the function that finds their endpoint."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.flows.context import Context
    from epkit.flows.hosting.backends import Place

FORMATS = ("text", "json")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the endpoint, in epkit.toml or at the backend.")]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="local|azureml|azureml-v1",
        help="Backend that hosts the endpoint. Default: the one in epkit.toml, else local.",
    ),
]
Format = Annotated[str, typer.Option("--format", metavar="text|json", help="How to print the result.")]
Deployment = Annotated[
    str | None, typer.Option("--deployment", metavar="NAME", help="Deployment to use, if there is more than one.")
]


def find(name: str | None, backend: str | None, format_: str) -> "tuple[Place, Context]":
    """Find the endpoint and its backend.

    Raises:
        UsageError: the format or the backend is unknown, an extra is not installed, or `epkit.toml` is invalid.
    """
    from epkit.flows.hosting.backends import find_place

    terminal.check_choice("--format", format_, FORMATS)
    context = terminal.context()
    return find_place(name, backend, context), context


def check_change(*, model: str | None, traffic: str | None, **others: object) -> None:
    """Refuse an `update` with both changes or with none, and `--traffic` with a flag of a model.

    Raises:
        UsageError: the message names the flag.
    """
    if (model is None) == (traffic is None):
        raise UsageError(
            "give one of --model DIR (replace the model) and --traffic NAME=PERCENT,… (divide the requests)"
        )
    given = next((name for name, value in others.items() if value), None)
    if traffic is not None and given is not None:
        raise UsageError(f"--{given}: works with --model, not with --traffic")


def read_traffic(traffic: str) -> dict[str, int]:
    """Parse the value of `--traffic`.

    Raises:
        UsageError: it has another form, or the percents do not add up to 100.
    """
    from epkit.core.hosting.deployments import parse_traffic

    try:
        return parse_traffic(traffic)
    except ValueError as error:
        raise UsageError(f"--traffic {traffic}: {error}") from None
