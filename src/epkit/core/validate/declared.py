"""Checks a body against its contract strictly by JSON Schema."""

from collections.abc import Mapping
from typing import Any, Final

from epkit.core.contract.columns import RowSpec
from epkit.core.contract.compiled import SchemaSet, accepts, breaches
from epkit.core.contract.schemas import constraints
from epkit.core.validate.violations import Findings

MAX_BREACHES: Final = 5_000_000
"""Greatest number of cells in the rows of the examined breaches; each breach has its own copy of its row."""

MAX_WIDTH: Final = 100_000
"""Greatest number of cells in a row that is examined."""

_COST: Final = 10
"""Cost of making the message of one breach, in copied cells."""

_PLAIN: Final = frozenset(("type", "properties", "required", "items", "additionalProperties"))


class Declared:
    """The declared schemas of a body and of each of its rows."""

    def __init__(self, request: Mapping[str, Any] | None, rows: RowSpec | None, schemas: SchemaSet) -> None:
        self._request = request
        self._rows = rows
        self._schemas = schemas
        self._whole = schemas.compile({} if request is None else request)
        self._row = None if rows is None else schemas.compile(rows.schema)

    def accepts(self, value: object) -> bool:
        """Tell whether a decoded body is valid."""
        return accepts(self._whole, value)

    def check(self, value: object, findings: Findings) -> None:
        """Check a decoded body."""
        if (rows := self._plain_rows(value)) is not None:
            # Rows are checked one by one: jsonschema-rs makes the messages of all errors before it returns the first.
            assert self._rows is not None
            self.check_rows(rows, list(range(len(rows))), findings)
            value = _emptied(value, self._rows.path)
        base = self._rows.path if self._rows else None
        for breach in breaches(self._whole, value):
            path = breach.path
            number = None
            place: tuple[Any, ...] = path
            if base is not None and len(path) > len(base) and path[: len(base)] == base:
                number = path[len(base)]
                place = (*base, None, *path[len(base) + 1 :])
            numbers = (number,) if isinstance(number, int) else ()
            findings.add(breach.keyword, path, breach.message, rows=numbers, place=(*place, breach.detail))

    def check_rows(self, rows: list[Any], numbers: list[int], findings: Findings) -> None:
        """Check rows without a body around them.

        Args:
            rows: decoded JSON; the contract has rows.
            numbers: numbers of the rows, ascending.
        """
        assert self._rows is not None
        base = self._rows.path
        looked_at = 0
        for number, row in zip(numbers, rows, strict=True):
            if accepts(self._row, row):
                continue
            width = len(row) if isinstance(row, dict | list) else 1
            if looked_at > MAX_BREACHES or width > MAX_WIDTH:
                text = "too many cells that break the contract: the rest is not looked at"
                findings.add("limit", (*base, number), text, rows=[number])
                break
            for breach in breaches(self._row, row):
                looked_at += width + _COST
                place = (*base, None, *breach.path, breach.detail)
                path = (*base, number, *breach.path)
                findings.add(breach.keyword, path, breach.message, rows=[number], place=place)

    def _plain_rows(self, value: Any) -> list[Any] | None:
        """Return the rows if the contract declares a schema for each single row only, and nothing about their list."""
        schema = self._request
        if self._rows is None or schema is None or self._rows.form not in ("records", "lists"):
            return None
        for key in (*self._rows.path, None):
            if set(constraints(schema)) - _PLAIN:
                return None
            if key is not None:
                schema = self._schemas.flat(schema["properties"][key])
                value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, list) else None


def _emptied(value: Any, path: tuple[str, ...]) -> Any:
    """Copy a body without its rows."""
    return {**value, path[0]: _emptied(value[path[0]], path[1:])} if path else []
