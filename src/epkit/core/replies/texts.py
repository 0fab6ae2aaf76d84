"""Replies that are no JSON document: streams of events, lines of JSON, CSV, and pages of HTML in their place."""

import csv
import html
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from epkit.core.json.reading import loads

EVENTS: Final = "text/event-stream"

LINES: Final = (
    *("application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines"),
    *("application/x-jsonlines", "application/x-jsonl", "application/json-lines"),
)
"""Content types of lines of JSON."""

DONE: Final = "[DONE]"
"""How the streams of language models end: it is no JSON."""

MOST_TITLE: Final = 100
"""The most characters of a page's title that are quoted."""

_PAGE: Final = re.compile(rb"\s*(<!doctype html|<html|<head|<body|<!--)", re.IGNORECASE)
_TITLE: Final = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_PAGE_CHARACTERS: Final = 10_000
"""Bytes at the beginning of a page, where its title is."""

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,300})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")


class Event(NamedTuple):
    """One event of a stream: the name that it has, empty where it has none, and its data."""

    name: str
    data: str


def content_type(value: str) -> str:
    """Return a Content-Type without its parameters, in lower case."""
    return value.partition(";")[0].strip().lower()


def events_of(text: str) -> Iterator[Event]:
    """Read the events of a stream; one that has not ended counts, for it is all that came.

    Source: HTML Living Standard, § 9.2.6 *Interpreting an event stream*.
    """
    name, data = "", list[str]()
    for line in (*re.split("\r\n|\r|\n", text.removeprefix("\ufeff")), ""):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line:
            if data:
                yield Event(name, "\n".join(data))
            name, data = "", []


def values_of_lines(text: str) -> list[Any]:
    """Decode lines of JSON.

    Raises:
        ValueError: a line is none; which.
    """
    values = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        try:
            values.append(loads(line.strip()))
        except ValueError:
            raise ValueError(f"line {number} of the reply is not JSON") from None
    return values


def values_of_csv(text: str, rows: int | None) -> list[Any]:
    """Read the predictions of a reply in CSV: a line a row, or all of them in one line.

    Returns:
        A value for each row where a line has one cell, else a list of them; objects where a line of names comes first.
    """
    try:
        lines = [cells for cells in csv.reader(text.removeprefix("\ufeff").splitlines()) if any(cells)]
    except csv.Error:
        return []
    if len(lines) == 1 and rows is not None and len(lines[0]) == rows:
        return [_typed(cell) for cell in lines[0]]
    names: Sequence[str] = ()
    if rows is not None and len(lines) == rows + 1:
        names, *lines = lines
    if len({len(cells) for cells in lines}) > 1 or (names and lines and len(names) != len(lines[0])):
        return []
    if len(names) > 1:
        return [dict(zip(names, map(_typed, cells), strict=True)) for cells in lines]
    return [_typed(cells[0]) if len(cells) == 1 else [_typed(cell) for cell in cells] for cells in lines]


def _typed(cell: str) -> Any:
    cell = cell.strip()
    return loads(cell) if _NUMBER.fullmatch(cell) else cell


def is_page(kind: str, body: bytes) -> bool:
    """Tell whether a reply is a page of HTML.

    Args:
        kind: as `content_type` returns it.
    """
    return kind in ("text/html", "application/xhtml+xml") or _PAGE.match(body[:1000]) is not None


def title_of(page: str) -> str | None:
    """Return the title of a page in one line; None where it has none."""
    title = _TITLE.search(page[:_PAGE_CHARACTERS])
    words = "" if title is None else " ".join(html.unescape(title[1]).split())
    return words or None
