"""The reference of the Python API as Markdown, from signatures and docstrings."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import epkit

SECTIONS = {"Args": "argument", "Raises": "raises", "Returns": "returns"}
"""The sections of a docstring, and the heading of the column with their names."""
PAGES = {"Report": "report.md", "TrainReport": "train.md", "Comparison": "../compare.md", "PipelineRun": "pipeline.md"}
"""The pages that explain the fields of a result."""
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):\n((?:(?: {{4}}.*)?(?:\n|$))+)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(?=\S)", re.MULTILINE)
INTRODUCTION = """\
# Python API

<!-- Generated: EPKIT_GOLDEN=write pytest tests/docs -->

All that `import epkit` offers, from its docstrings. [From Python and notebooks](../python.md) shows how it is used.
"""


def cell(text: str) -> str:
    """Escape a text for a cell of a table."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()).replace("|", "\\|"))
    return "".join(part if part.startswith("`") else part.replace("<", "\\<") for part in parts)


def annotation(kind: Any) -> str:
    """Format a type without the names of its modules."""
    text = kind.strip("\"'") if isinstance(kind, str) else inspect.formatannotation(kind)
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text).replace("'", '"')


def signature(name: str, what: Any) -> str:
    """Format a signature: on one line if it is short, otherwise one parameter per line."""
    called = inspect.signature(what)
    returns = "" if called.return_annotation is called.empty else f" -> {annotation(called.return_annotation)}"
    shown, keyword_only = [], False
    for parameter in called.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            shown.append("*")
            keyword_only = True
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        kind = "" if parameter.annotation is parameter.empty else f": {annotation(parameter.annotation)}"
        default = (
            "" if parameter.default is parameter.empty else f" = {repr(parameter.default).replace(chr(39), chr(34))}"
        )
        shown.append(f"{stars}{parameter.name}{kind}{default}")
    start = f"await {name}" if inspect.iscoroutinefunction(what) else name
    line = f"{start}({', '.join(shown)}){returns}"
    if len(line) > 100:
        line = "\n".join([f"{start}(", *(f"    {one}," for one in shown), f"){returns}"]).replace("    *,,", "    *,")
    return f"```python\n{line}\n```"


def entries(section: str) -> dict[str, str]:
    """Return the entries of a section: each name with its text."""
    found = (entry.partition(":") for entry in _ENTRY.split(section)[1:])
    return {name.strip(): text for name, _, text in found}


def described(what: Any) -> tuple[str, dict[str, dict[str, str]]]:
    """Return the prose of a docstring, and its sections."""
    text = inspect.cleandoc(what.__doc__ or "")
    sections = {title: entries(body) for title, body in _SECTION.findall(text)}
    prose = _SECTION.sub("", text).strip()
    return re.sub(r"((?:^>>> .*\n?(?:^(?!>>>).+\n?)*)+)", r"```python\n\1\n```", prose, flags=re.M), sections


def tables(sections: dict[str, dict[str, str]]) -> Iterator[str]:
    for title, found in sections.items():
        names = {", ".join(f"`{one}`" for one in name.split(", ")): text for name, text in found.items()}
        rows = [f"| {name} | {cell(text)} |" for name, text in names.items()]
        yield "\n".join([f"| {SECTIONS[title]} | meaning |", "|---|---|", *rows])


def function(heading: str, name: str, what: Any) -> str:
    """Write the chapter of a function or of a method."""
    prose, sections = described(what)
    return "\n\n".join([heading, signature(name, what), prose, *tables(sections)])


def parts(name: str, cls: type) -> Iterator[str]:
    """Yield the parts of a class: its fields, its methods, its properties."""
    prose, sections = described(cls)
    yield from (f"## {name}", prose)
    if is_dataclass(cls):
        explained = {one: text for names, text in sections.get("Args", {}).items() for one in names.split(", ")}
        shown = [field for field in fields(cls) if not field.name.startswith("_")]
        rows = [
            [f"`{one.name}`", f"`{cell(annotation(one.type))}`", cell(explained.get(one.name, ""))] for one in shown
        ]
        width = 3 if any(meaning for *_, meaning in rows) else 2
        table = [["field", "type", "meaning"], ["---"] * 3, *rows]
        yield "\n".join(f"| {' | '.join(row[:width])} |" for row in table)
    if name in PAGES:
        yield f"Its fields are explained in [{PAGES[name].rpartition('/')[2]}]({PAGES[name]})."
    if issubclass(cls, epkit.EpkitError) and cls is not epkit.EpkitError:
        yield f"Exit code of the command line: {cls.exit_code}."
    for member, value in vars(cls).items():
        if member.startswith("_"):
            continue
        if isinstance(value, property):
            yield f"### {name}.{member}\n\n{described(value.fget)[0]}"
        elif inspect.isfunction(value) or isinstance(value, classmethod):
            owner = name if isinstance(value, classmethod) else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
            yield function(f"### {name}.{member}", f"{owner}.{member}", getattr(cls, member))


def page() -> str:
    """Write the page: functions, then classes, then errors."""
    exported = {name: getattr(epkit, name) for name in epkit.__all__}
    functions = [name for name, what in exported.items() if not isinstance(what, type)]
    errors = [name for name, what in exported.items() if isinstance(what, type) and issubclass(what, Exception)]
    classes = [name for name in exported if name not in (*functions, *errors)]
    chapters = [function(f"## {name}", f"epkit.{name}", exported[name]) for name in functions]
    chapters += ["\n\n".join(parts(name, exported[name])) for name in (*classes, *errors)]
    return "\n\n".join([INTRODUCTION.rstrip(), *chapters]) + "\n"
