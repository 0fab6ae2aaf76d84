"""Finds the place of a value in a JSON text: line and column of a path."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_decoder: Any = json.JSONDecoder()
_scan = _decoder.scan_once
_scan_string: Any = vars(json.decoder)["scanstring"]


class _Container:
    """An object or array of the text, as far as it has been scanned."""

    __slots__ = ("children", "end", "is_object", "keys")

    def __init__(self, start: int, *, is_object: bool) -> None:
        self.end = start  # where the scan continues
        self.is_object = is_object
        self.children: dict[str | int, int] = {}
        self.keys: dict[str | int, int] = {}


class JsonPlaces:
    """Finds paths in a valid JSON text; each part of the text is read at most once per level.

    The C parser skips values that no path leads through. So a message about the first rows of a large body costs nearly
    nothing.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text.decode("utf-8", "replace")
        self._containers: dict[int, _Container] = {}

    def position(self, path: Sequence[str | int], *, at_key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of a value or of its key."""
        offset = self.offset(path, at_key=at_key)
        line = self._text.count("\n", 0, offset) + 1
        return line, offset - self._text.rfind("\n", 0, offset)

    def offset(self, path: Sequence[str | int], *, at_key: bool = False) -> int:
        """Return where a value begins; if it does not exist, where the innermost existing value of its path begins."""
        place = self._skip_blank(0)
        for depth, step in enumerate(path):
            container = self._container(place)
            if container is None or not self._reach(container, step):
                break
            last = at_key and depth == len(path) - 1
            place = (container.keys if last and container.is_object else container.children)[step]
        return place

    def _container(self, place: int) -> _Container | None:
        if place not in self._containers:
            opening = self._text[place : place + 1]
            if opening not in ("{", "["):
                return None
            self._containers[place] = _Container(place + 1, is_object=opening == "{")
        return self._containers[place]

    def _reach(self, container: _Container, step: str | int) -> bool:
        """Scan a container up to *step*; tell whether it contains it."""
        text = self._text
        while step not in container.children:
            place = self._skip_blank(container.end)
            if text[place : place + 1] == ",":
                place = self._skip_blank(place + 1)
            if text[place : place + 1] in ("}", "]", ""):
                return False
            name: str | int = len(container.children)
            if container.is_object:
                container_key = place
                name, place = _scan_string(text, place + 1, False)
                place = self._skip_blank(self._skip_blank(place) + 1)
                container.keys.setdefault(name, container_key)
            container.children.setdefault(name, place)
            try:
                _, container.end = _scan(text, place)
            except (StopIteration, ValueError, RecursionError):
                # Valid JSON that the parser refuses (depth, digits): nothing after it can be reached.
                container.end = len(text)
        return True

    def _skip_blank(self, place: int) -> int:
        match = _BLANK.match(self._text, place)
        return match.end() if match else place
