"""The entry point: the commands, and the handling of exceptions.

Every error that a user can cause ends as one line on stderr and an exit code (`epkit.errors`). A traceback means a bug.
"""

import errno
import gc
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from epkit.cli import completion, terminal
from epkit.cli.options.common import Group
from epkit.errors import REMEDIES, EpkitError, UsageError, unwritable

if TYPE_CHECKING:
    from epkit.core.http.secret import Secret


class Terminated(KeyboardInterrupt):
    """SIGTERM, which has the effect of Ctrl-C; `number` distinguishes them."""

    number = signal.SIGTERM


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """Ctrl-C or SIGTERM, as an exception that typer passes on."""


class Unread(Exception):  # noqa: N818 - nothing went wrong
    """The reader of stdout is gone. Typer would handle a BrokenPipeError itself, and exit with 1."""


class Commands(Group):
    """The commands; distinguishes an interrupt from the exit code of a run that was interrupted."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted(128 + int(getattr(error, "number", signal.SIGINT))) from None
        except BrokenPipeError:
            raise Unread from None


def help_(ctx: typer.Context, command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND")] = None) -> None:
    """Show the help of a command, as its --help does."""
    found = ctx.find_root()
    for name in command or ():
        if not isinstance(found.command, Group):
            raise UsageError(f"help {' '.join(command or ())}: {found.command_path} has no commands under it")
        inner = found.command.get_command(found, name)
        if inner is None:
            raise found.command.unknown(found, name)
        found = typer.Context(inner, info_name=name, parent=found)
    terminal.write(found.get_help() + "\n")


Verbose = Annotated[bool, typer.Option("-v", is_eager=True, help="With --version: show Python, system and engine too.")]


def version_(verbose: Verbose = False) -> None:
    """Show the version, as --version does."""
    terminal.write_version(verbose=verbose)


def _show_version(ctx: typer.Context, value: bool) -> None:
    if value:
        terminal.write_version(verbose=ctx.params["verbose"])
        raise typer.Exit


def root(
    # Not eager: -v, which is eager, is known by then, in whichever order they are given.
    version: Annotated[  # noqa: ARG001 - for its callback
        bool, typer.Option("--version", "-V", callback=_show_version, help="Show the version.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Talk to machine-learning endpoints."""
    if verbose:
        raise UsageError("-v: give it after the command, or with --version")


COMMANDS: Final = (
    "bench",
    "report",
    "compare",
    "score",
    "validate",
    "sample",
    "docs",
    "check",
    "train",
    "drift",
    "pipeline",
    "deploy",
    "logs",
    "init",
)
"""The commands, in the order of the help. Each is a module of `epkit.cli.commands`."""


@cache
def application(names: tuple[str, ...] = COMMANDS) -> typer.Typer:
    """Build the command line.

    Args:
        names: the commands to import; to import all takes a seventh of the CPU of a short load.
    """
    app = typer.Typer(
        name="epkit",
        cls=Commands,
        help="Talk to machine-learning endpoints: measure them, check what they are sent, score rows.",
        epilog="Without a target each command uses the embedded endpoint (extra: local). Try: epkit bench -n 10",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in names:
        import_module(f"epkit.cli.commands.{name}").register(app)
    app.command("help", hidden=True)(help_)
    app.command("version", hidden=True)(version_)
    app.callback()(root)
    return app


def main() -> None:
    """Run the command line and exit."""
    if completion.is_asked(os.environ):
        sys.exit(completion.answer(application(), os.environ))
    # The threads of numpy's BLAS spin for a while after their start; epkit multiplies no matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, _terminate)
    terminal.fill_descriptors()
    code = run(sys.argv[1:])
    # At its end, Python collects all garbage: a seventh of a short load's CPU, for memory that the system frees anyway.
    gc.freeze()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command.

    Returns:
        Its exit code.
    """
    terminal.know(arguments)
    try:
        names = (arguments[0],) if arguments and arguments[0] in COMMANDS else COMMANDS
        outcome = application(names)(list(arguments), prog_name="epkit", standalone_mode=False)
    except EpkitError as error:
        terminal.complain(str(error))
        return error.exit_code
    except (Unread, BrokenPipeError):
        return terminal.broken_pipe()
    except Interrupted as interrupted:
        terminal.complain("interrupted")
        return int(interrupted.args[0])
    except Exception as error:  # noqa: BLE001 - the last resort, which says what happened
        refused = _refused(error)
        if refused is None:
            return _unexpected(error, arguments)
        terminal.complain(str(unwritable(str(refused.filename or "a file or a connection"), refused)))
        return UsageError.exit_code
    return outcome if isinstance(outcome, int) else 0


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _refused(error: Exception) -> OSError | None:
    """Return the error of the system that caused an exception and was not reported yet; such an error is no bug."""
    if isinstance(error, OSError) and error.errno in REMEDIES:
        return error
    # If no more files can be opened, event loops and imports raise errors of their own while they fail.
    before = error.__cause__ or error.__context__
    while before is not None:
        if isinstance(before, OSError) and before.errno in (errno.EMFILE, errno.ENFILE):
            return before
        before = before.__cause__ or before.__context__
    return None


def _unexpected(error: Exception, arguments: Sequence[str]) -> int:
    """Separate typer's exceptions from bugs. Typer has its own copy of click, so attributes identify its exceptions."""
    if type(error).__name__ == "NoArgsIsHelpError":
        terminal.say(error.format_message())  # type: ignore[attr-defined]
        return 2
    if hasattr(error, "format_message"):
        return _usage(error, arguments)
    return _bug(error, arguments)


def _usage(error: Any, arguments: Sequence[str]) -> int:
    """Print typer's message about a flag in one line."""
    known = _commands(application())
    words = list(arguments[:1]) if arguments and arguments[0] in known else []
    if words and len(arguments) > 1 and arguments[1] in known[words[0]]:
        words.append(arguments[1])
    command = " ".join(["epkit", *words])
    message = str(error.format_message()).strip().rstrip(".")
    if hasattr(error, "possibilities"):
        message = _no_such_option(error, arguments)
    terminal.complain(f"{message[:1].lower()}{message[1:]} (see {command} --help)")
    return 2


def _no_such_option(error: Any, arguments: Sequence[str]) -> str:
    """Suggest the flag that was probably meant, such as `--rate` for `-rate`, which typer splits into letters."""
    from epkit.core.near import nearest

    name, known = error.option_name, []
    for param in error.ctx.command.get_params(error.ctx):
        known += [flag for flag in (*param.opts, *param.secondary_opts) if flag.startswith("-")]
    words = [word.partition("=")[0] for word in arguments]
    short = [word for word in words if len(word) > len(name) and word[:1] == "-" != word[1:2] and name[1:] in word]
    for shown, word in (*((one, f"-{one}") for one in short), (name, name)):
        near = nearest(word, known)
        if near is not None:
            return f'no such option: {shown}; did you mean "{near}"?'
    return f"no such option: {name}"


def _commands(parent: typer.Typer) -> dict[str, tuple[str, ...]]:
    """Return the names of the commands, each with the names of its subcommands."""
    found: dict[str, tuple[str, ...]] = {}
    for command in parent.registered_commands:
        found[str(command.name or getattr(command.callback, "__name__", ""))] = ()
    for group in parent.registered_groups:
        found[str(group.name)] = tuple(_commands(group.typer_instance)) if group.typer_instance else ()
    return found


def _bug(error: Exception, arguments: Sequence[str]) -> int:
    terminal.SECRETS.extend(_given(arguments))
    terminal.say("".join(traceback.format_exception(error)).rstrip())
    terminal.complain("this is a bug in epkit; please report it with the lines above")
    return 1


def _given(arguments: Sequence[str]) -> "Iterator[Secret]":
    """Yield all arguments that may be a key. A traceback shows no local variables, but a message may quote anything."""
    from epkit.core.http.secret import Secret

    for text in arguments:
        _, is_url, rest = text.partition("://")
        if is_url:
            yield Secret(rest.rpartition("@")[0])
            continue
        for mark in (":", "="):
            _, found, after = text.partition(mark)
            if found:
                yield from (Secret(text), Secret(after.strip()))
