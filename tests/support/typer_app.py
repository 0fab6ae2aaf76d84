"""The commands and options of the real command line, from its help."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import typer

from epkit.cli.app import application
from epkit.cli.options.common import MORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option or argument.

    Args:
        flags: its names; none for an argument.
        shown: names and values, as in the help.
        section: section of the help.
    """

    flags: tuple[str, ...]
    shown: str
    help: str
    section: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command.

    Args:
        name: `bench`, `deploy create`; "" for the root.
        groups: whether it has subcommands.
    """

    name: str
    usage: str
    help: str
    epilog: str
    options: tuple[Option, ...]
    groups: bool

    @property
    def flags(self) -> frozenset[str]:
        """Every name of every option."""
        return frozenset(flag for option in self.options for flag in option.flags)


@cache
def verbs() -> dict[str, Verb]:
    """Return all commands by name, in the order of the help."""
    return {verb.name: verb for verb in _walk(typer.main.get_command(application()), None, "")}


def _walk(command: Any, parent: Any, name: str) -> Iterator[Verb]:
    context = command.make_context(f"epkit {name}".strip(), [], parent=parent, resilient_parsing=True)
    inner = command.list_commands(context) if hasattr(command, "list_commands") else ()
    yield Verb(
        name=name,
        usage=" ".join([f"epkit {name}".strip(), "[OPTIONS]", *_operands(command)]),
        help=command.help or "",
        epilog=command.epilog or "",
        options=tuple(_options(command, context)),
        groups=bool(inner),
    )
    for each in inner:
        yield from _walk(command.get_command(context, each), context, f"{name} {each}".strip())


def _operands(command: Any) -> Iterator[str]:
    """Yield the operands of a usage line; different versions of typer put different text around them."""
    if hasattr(command, "list_commands"):
        yield "COMMAND"
    for param in command.params:
        if param.param_type_name == "argument":
            name = (param.metavar or param.name.upper()).strip("{}")
            yield name if param.required or name.startswith("[") else f"[{name}]"


def _options(command: Any, context: Any) -> Iterator[Option]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None:
            shown, text = record
            yield Option(
                flags=() if param.param_type_name == "argument" else (*param.opts, *param.secondary_opts),
                # Versions of typer differ in types, and in the characters that they escape.
                shown=re.sub(r" <\w+>$", "", shown),
                help=" ".join(text.split()).replace("\\[", "["),
                section=getattr(param, "rich_help_panel", None) or MORE,
            )
