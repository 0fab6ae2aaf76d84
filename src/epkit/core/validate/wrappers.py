"""Guesses the intended form of a body whose rows are not in the place that the contract declares."""

from collections.abc import Mapping
from typing import Any

from epkit.core.contract.columns import RowSpec
from epkit.core.shapes.envelopes import wrapped
from epkit.core.shapes.forms import LOOKS, recognise
from epkit.core.shapes.table import foreign
from epkit.core.validate.violations import Path, nearest


def missing_key_hint(name: str, found: dict[str, Any], rows: RowSpec | None, known: Mapping[str, Any]) -> str | None:
    """Return the hint for a missing key.

    Args:
        found: the object that lacks it.
        rows: the rows that the key should contain, otherwise None.
        known: the keys that the contract names.
    """
    unknown = [key for key in found if key not in known]
    near = nearest(name, unknown)
    meant = f'there is "{near}": did you mean "{name}"?' if near else None
    if rows is None:
        return meant
    shape = _whole(rows)
    if name == rows.path[0]:
        if len(rows.path) == 2 and "data" in found:
            return f"this is a v1 body, the contract is v2: write {shape}"
        if len(rows.path) == 1 and isinstance(found.get("Inputs"), dict):
            return f"this is a v2 body, the contract is v1: write {shape}"
    # Only a name that differs just in case is a better guess: `input_data` is no misspelt `Inputs`.
    other = None if (near or "").casefold() == name.casefold() else foreign(found, rows.path)
    if other is not None:
        return f"this body is for {other.owner}: this contract wants {shape}"
    if meant:
        return meant
    if rows.columns.keys() & found.keys():
        return f"this is a bare row: write {wrapped(rows.path, '[{…}]')}"
    return f"write {shape}"


def not_rows_hint(value: object, rows: RowSpec | None, path: Path) -> str | None:
    """Return the hint for a value that is not the object or array to which *path* should lead."""
    if rows is None:
        return None
    whole = _whole(rows)
    if isinstance(value, list) and len(path) < len(rows.path):
        return f"the rows go inside: write {whole}"
    if unwrap_columns(value, rows) is not None:
        return f"these are columns: give rows, {wrapped(rows.path, '[{…}, …]')}"
    if isinstance(value, dict) and rows.columns.keys() & value.keys():
        return f"a single row goes into an array: write {wrapped(rows.path, '[{…}]')}"
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return "this is JSON inside a string: leave out the outer quotes and the backslashes"
    return f"write {whole}"


def _whole(rows: RowSpec) -> str:
    """Write the form of the body that a contract requires."""
    return wrapped(rows.path) if rows.form in ("records", "lists") else wrapped(rows.path, LOOKS[rows.form])


def unwrap_columns(value: object, rows: RowSpec) -> list[dict[str, Any]] | None:
    """Turn columns (`{"age": [17, 87], …}`) into rows; None if the value is anything else."""
    if not isinstance(value, dict) or not rows.columns.keys() & value.keys():
        return None
    found = recognise(value)
    if found is None or found.form != "columns":
        return None
    return [dict(zip(value, cells, strict=True)) for cells in found.rows()]
