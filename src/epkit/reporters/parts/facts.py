"""The fields of a document as text with units: a table of names by field path, and the rows of a page."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.http.masking import clean
from epkit.reporters.parts.axes import with_unit

MOST: Final = 20
"""Greatest number of entries of a list or a mapping that are shown."""

_UNITS: Final[Mapping[str, Callable[[float], str]]] = {
    "": lambda value: f"{value:,}" if isinstance(value, int) else f"{value:,.6g}",
    "number": lambda value: f"{value:g}",
    "share": lambda value: f"{100 * value:.3g} %",
    "bytes": lambda value: f"{value:,} {'byte' if value == 1 else 'bytes'}",
    "bytes/s": lambda value: f"{value:,.0f} bytes/s",
}
"""How a number is written; with any other unit, with 6 digits and the unit after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """The text for a field.

    Args:
        words: description; `{}` is the key or number in a mapping or list.
        unit: unit of a number; `share` is written in percent, `number` without commas.
    """

    words: str
    unit: str = ""


def named(**units: Mapping[str, str]) -> dict[str, Fact]:
    """Make a table from descriptions by path, one mapping per unit; `plain` has no unit."""
    return {
        path: Fact(words=words, unit="" if unit == "plain" else unit)
        for unit, table in units.items()
        for path, words in table.items()
    }


def facts(known: Mapping[str, Fact], name: str, value: Any) -> Iterable[tuple[str, str]]:
    """Yield the leaves of a document as text, in its order; None and empty values are left out.

    Args:
        known: the fields by their paths; `*` is a key of a mapping or a place in a list.
        name: name of the document, with which its paths begin.
    """
    yield from _facts(known, name, (), value)


def _facts(known: Mapping[str, Fact], path: str, keys: tuple[str, ...], value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping | list | tuple):
        if isinstance(value, Mapping) and not _has_keys(known, path):
            for field, inner in value.items():
                yield from _facts(known, f"{path}.{field}", keys, inner)
            return
        entries = list(value.items()) if isinstance(value, Mapping) else list(enumerate(value, 1))
        for key, inner in entries[:MOST]:
            yield from _facts(known, f"{path}.*", (*keys, clean(str(key), 100)), inner)
        if (left := len(entries) - MOST) > 0:
            yield _words(known, f"{path}.*", (*keys, "…")), f"and {left} more"
    elif value is not None and value != "":
        fact = known.get(path)
        yield _words(known, path, keys), _written(value, "" if fact is None else fact.unit)


def _has_keys(known: Mapping[str, Fact], path: str) -> bool:
    """Tell whether the keys of a mapping are data, not fields."""
    return any(each == f"{path}.*" or each.startswith(f"{path}.*.") for each in known)


def _words(known: Mapping[str, Fact], path: str, keys: tuple[str, ...]) -> str:
    """Return the description of a path; for an unknown path, of another version's document, its last part."""
    fact = known.get(path)
    if fact is not None:
        return fact.words.format(*keys)
    parts = [part for part in path.split(".") if part != "*"]
    return " ".join([parts[-1].replace("_", " "), *keys])


def _written(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if write := _UNITS.get(unit):
        return write(value)
    return with_unit(_UNITS[""](value), unit)
