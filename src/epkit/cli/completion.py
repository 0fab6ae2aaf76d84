"""Completes a command line of epkit for a shell: commands, flags, their values, and local names.

Typer writes the scripts that call this (`epkit --install-completion`). Typer's own answer would parse the whole line,
and import everything that this needs. This module only looks at the words, so that an answer takes a tenth of a second:
it builds one command, and reads only `epkit.toml`. It writes nothing. After an error it prints no completions: the
shell then completes file names.

zsh evaluates the answer, and bash expands it. So names with characters other than letters, digits and a few signs are
left out.
"""

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer

VARIABLE: Final = "_EPKIT_COMPLETE"
SHELLS: Final = ("bash", "zsh", "fish")

_HARMLESS: Final = re.compile(r"[\w.@%+=:,/-]+", re.ASCII)
PUBLISHED: Final = (["trigger"], ["status"], ["logs"])
"""Commands of `epkit pipeline` that take the name of a published pipeline."""

_CHOICES: Final = re.compile(r"[a-z0-9_.-]+(?:\|[a-z0-9_.-]+)+")
TLS_VERSIONS: Final = ("ALL", "TLS1", "TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3")
HELP_CHARACTERS: Final = 70


class Completion(NamedTuple):
    """A possible text at the cursor, and its meaning."""

    value: str
    help: str = ""


class Line(NamedTuple):
    """A command line up to the cursor.

    Args:
        words: the complete words after `epkit`.
        begun: the part of the next word before the cursor.
        apart: the part of *begun* that the shell keeps: bash replaces only the text after a `=` or a `:`.
    """

    words: Sequence[str]
    begun: str
    apart: str = ""


def is_asked(environ: Mapping[str, str]) -> bool:
    """Return whether a shell requests completions of this module; Typer handles other shells and the scripts."""
    return environ.get(VARIABLE, "") in [f"complete_{shell}" for shell in SHELLS]


def answer(app: typer.Typer, environ: Mapping[str, str]) -> int:
    """Print the completions in the form that the shell's script expects.

    Args:
        environ: the variables that Typer's scripts set.

    Returns:
        The exit code: fish uses it to find out whether there are completions, and completes file names if it is 1.
    """
    shell = environ[VARIABLE].removeprefix("complete_")
    try:
        line = line_of(environ, shell)
        found = [
            each._replace(value=each.value.removeprefix(line.apart))
            for each in complete(app, line, environ)
            if _HARMLESS.fullmatch(each.value)
        ]
    except Exception:  # noqa: BLE001 - a shell that completes has no place for a message
        found = []
    if environ.get("_TYPER_COMPLETE_FISH_ACTION") != "is-args":
        sys.stdout.write(_FORMS[shell](found))
    return 0 if found else 1


def line_of(environ: Mapping[str, str], shell: str) -> Line:
    """Split the command line."""
    if shell == "bash":
        # One word per line; scripts that users wrote may separate words by spaces.
        text = environ["COMP_WORDS"]
        words = ["".join(_split(word)) for word in text.split("\n")] if "\n" in text else _split(text)
        return _whole(words, int(environ["COMP_CWORD"]))
    text = environ["_TYPER_COMPLETE_ARGS"]
    words = _split(text)[1:]
    if not words or text[-1:].isspace():
        return Line(words, "")
    return Line(words[:-1], words[-1])


def _whole(words: Sequence[str], at: int) -> Line:
    """Join the words that bash has split: for bash, `=`, `:` and `@` are separate words."""
    begun = words[at] if at < len(words) else ""
    replaced = "" if begun in ("=", ":") else f"@{begun}" if words[at - 1] == "@" else begun
    whole: list[str] = []
    for before, word in pairwise((*words[:at], begun)):
        if whole and (word in ("=", ":") or before in ("=", ":", "@")):
            whole[-1] += word
        else:
            whole.append(word)
    *others, last = whole
    return Line(others, last, last[: len(last) - len(replaced)])


def _split(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        words += lexer
    except ValueError:  # a quote that is still open
        words.append(lexer.token)
    return words


def complete(app: typer.Typer, line: Line, environ: Mapping[str, str]) -> list[Completion]:
    """Return the completions at the cursor."""
    path: list[str] = []
    words = list(line.words)
    parent = app
    while words:
        name = words.pop(0)
        if name.startswith("-"):
            continue
        path.append(name)
        group = next((each.typer_instance for each in parent.registered_groups if each.name == name), None)
        if group is None:
            break
        parent = group
    else:
        if line.begun.startswith("-"):
            flags = ("--help",) if path else ("--help", "--install-completion", "--show-completion", "--version")
            return [Completion(flag) for flag in flags if flag.startswith(line.begun)]
        return [each for each in _commands(parent) if each.value.startswith(line.begun)]
    if path == ["help"]:
        return [each for each in _commands(app) if each.value.startswith(line.begun)]
    return _Command(parent, path, environ).complete(words, line.begun)


def _commands(parent: typer.Typer) -> list[Completion]:
    found = []
    for command in parent.registered_commands:
        if not command.hidden:
            name = command.name or getattr(command.callback, "__name__", "")
            found.append(Completion(str(name), command.help or getattr(command.callback, "__doc__", "") or ""))
    groups = [(each.name, each.typer_instance) for each in parent.registered_groups]
    found += [Completion(str(name), str(inner.info.help or "")) for name, inner in groups if inner is not None]
    return sorted(found)


class _Command:
    """The command at which the line has arrived, with its flags and arguments."""

    def __init__(self, parent: typer.Typer, path: Sequence[str], environ: Mapping[str, str]) -> None:
        self.path, self.environ = path, environ
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.registered_commands = [each for each in parent.registered_commands if self._is(each)]
        params: list[Any] = typer.main.get_command(alone).params if alone.registered_commands else []
        self.arguments = [each for each in params if each.param_type_name == "argument"]
        self.options = [each for each in params if each.param_type_name == "option"]
        self.by_flag = {flag: each for each in self.options for flag in (*each.opts, *each.secondary_opts)}

    def _is(self, info: Any) -> bool:
        return bool((info.name or getattr(info.callback, "__name__", "")) == self.path[-1])

    def complete(self, words: Sequence[str], begun: str) -> list[Completion]:
        pending, place, bare = None, 0, False
        for word in words:
            if pending is not None:
                pending = None
            elif word == "--" and not bare:
                bare = True
            elif word.startswith("-") and not bare:
                option = self.by_flag.get(word)
                pending = option if option is not None and not option.is_flag else None
            else:
                place += 1
        if pending is not None:
            return self._values(pending, begun)
        flag, equals, value = begun.partition("=")
        if equals and not bare and flag in self.by_flag:
            return [Completion(f"{flag}={each.value}") for each in self._values(self.by_flag[flag], value)]
        if begun.startswith("-") and not bare:
            return self._flags(begun)
        return self._values(self.arguments[min(place, len(self.arguments) - 1)], begun) if self.arguments else []

    def _flags(self, begun: str) -> list[Completion]:
        found = [
            Completion(flag, each.help or "")
            for each in self.options
            if not each.hidden
            for flag in (*each.opts, *each.secondary_opts)
        ]
        long = [
            each
            for each in (*found, Completion("--help", "Show this message and exit."))
            if each.value.startswith(begun)
        ]
        return long if len(begun) == 1 or begun.startswith("--") else [each for each in long if each.value == begun]

    def _values(self, param: Any, begun: str) -> list[Completion]:
        """Return the values of a flag or an argument that start with *begun*, without those that look like a flag."""
        values = [value for value in self._known(param, begun) if value.startswith(begun) and value[0] != "-"]
        return [Completion(value) for value in dict.fromkeys(values)]

    def _known(self, param: Any, wanted: str) -> Iterable[str]:
        metavar = str(param.metavar or "")
        if _CHOICES.fullmatch(metavar):
            return metavar.split("|")
        if metavar in ("NAME", "NAME|URL") and param.param_type_name == "argument":
            return self._pipelines() if self.path[0] == "pipeline" else self._endpoints(local=True)
        if metavar in ("RUN", "BASE", "NEW") and len(self.path) == 1:
            return _saved_runs(wanted)
        match metavar:
            case "TARGET":
                return self._endpoints(local=False)
            case "KEYS[:SHAPE]|@NAME":
                from epkit.core.shapes.table import SHAPES

                return [f"@{shape.name}" for shape in SHAPES]
            case "STEP":
                from epkit.core.pipeline.steps import STEP_NAMES

                return STEP_NAMES
            case "VERSION":
                return TLS_VERSIONS
        return ()

    def _endpoints(self, *, local: bool) -> list[str]:
        from epkit.endpoint.finding import find_config
        from epkit.errors import EpkitError

        names: list[str] = []
        try:
            config = find_config(Path.cwd(), self.environ)
            names += config.endpoints if config is not None else ()
        except EpkitError:
            pass  # a file with a mistake gives no names
        if local:
            from epkit.flows.hosting.names import local_names

            names += local_names(self.environ)
        return sorted(names)

    def _pipelines(self) -> list[str]:
        from epkit.endpoint.finding import find_config

        config = find_config(Path.cwd(), self.environ)
        if config is None:
            return []
        return sorted(config.published if self.path[1:] in PUBLISHED else config.pipelines)


def _saved_runs(begun: str) -> list[str]:
    """Return the saved runs in the directory part of a path."""
    above, slash, _ = begun.rpartition("/")
    names = [path.name for path in Path(f"{above}{slash}" or ".").glob("[!.]*.epkit")]
    return sorted(f"{above}{slash}{name}" for name in names)


def _short(text: str) -> str:
    """Return the first sentence of a help text, without characters that a shell would interpret."""
    first = re.split(r"[.;:](?:\s|$)|\n\n", text.strip(), maxsplit=1)[0]
    plain = " ".join(re.sub(r"[^\w ,/%+=@-]", " ", first).split())
    return plain if len(plain) <= HELP_CHARACTERS else f"{plain[:HELP_CHARACTERS].rpartition(' ')[0]}..."


def _bash(found: Sequence[Completion]) -> str:
    return "".join(f"{each.value}\n" for each in found)


def _fish(found: Sequence[Completion]) -> str:
    return "".join(f"{each.value}\t{_short(each.help)}\n" if each.help else f"{each.value}\n" for each in found)


def _zsh(found: Sequence[Completion]) -> str:
    if not found:
        return "_files\n"
    described = [each.value.replace(":", "\\:") + (f":{_short(each.help)}" if each.help else "") for each in found]
    return "local -a found; found=(" + " ".join(f"'{each}'" for each in described) + "); _describe epkit found\n"


_FORMS: Final[Mapping[str, Callable[[Sequence[Completion]], str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
