"""Replies that are not JSON documents: streams of events, lines of JSON, CSV, and HTML pages."""

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
"""The last event in streams of language models; it is not JSON."""

MOST_TITLE: Final = 100
"""Greatest number of characters of a page's title that are quoted."""

_PAGE: Final = re.compile(rb"\s*(<!doctype html|<html|<head|<body|<!--)", re.IGNORECASE)
_TITLE: Final = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_PAGE_CHARACTERS: Final = 10_000
"""Bytes at the beginning of a page in which the title is searched for."""

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,300})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")


class Event(NamedTuple):
    """One event of a stream: its name, empty if it has none, and its data."""

    name: str
    data: str


def content_type(value: str) -> str:
    """Return a Content-Type without its parameters, in lower case."""
    return value.partition(";")[0].strip().lower()


def events_of(text: str) -> Iterator[Event]:
    """Read the events of a stream. An incomplete last event counts, because nothing follows it.

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
        ValueError: a line is not JSON; the message has its number.
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
    """Read the predictions of a CSV reply: one line for each row, or all of them in one line.

    Returns:
        A value for each row if lines have one cell, otherwise a list; an object if the first line has names.
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
    """Tell whether a reply is an HTML page.

    Args:
        kind: the result of `content_type`.
    """
    return kind in ("text/html", "application/xhtml+xml") or _PAGE.match(body[:1000]) is not None


def title_of(page: str) -> str | None:
    """Return the title of a page as one line; None if it has none."""
    title = _TITLE.search(page[:_PAGE_CHARACTERS])
    words = "" if title is None else " ".join(html.unescape(title[1]).split())
    return words or None
