"""Rows and the request bodies that wrap them."""

from collections.abc import Iterable

_LISTS = ("data", "dataframe_records", "inputs", "input_data", "Inputs")


def count_rows(payload: object) -> int | None:
    """Count the rows in a decoded request body.

    Known are the bodies of Azure ML (`data`, `Inputs.data`, the designer's `Inputs.WebServiceInput0`), of
    MLflow (`dataframe_split`, `dataframe_records`, `inputs`, `input_data`), of TF Serving (`instances`), and
    a bare list. A row is an object or a flat list; what else stands in a list is a row only under
    `instances`, whose every element is one by definition.

    Returns:
        The number of rows, ≥ 0; None where it cannot be known.
    """
    if isinstance(payload, list):
        return _rows_in(payload)
    if not isinstance(payload, dict):
        return None
    if isinstance(instances := payload.get("instances"), list):
        return len(instances)
    if isinstance(split := payload.get("dataframe_split"), dict):
        return _rows_in(split.get("data"))
    for key in _LISTS:
        if key in payload:
            return _rows_under(payload[key])
    return None


def _rows_under(value: object) -> int | None:
    """Count the rows under a wrapper's key: a list, a split frame, columns, or one more wrapper."""
    if not isinstance(value, dict):
        return _rows_in(value)
    if "data" in value:
        inner = value["data"]
        return _rows_in(inner.get("data")) if isinstance(inner, dict) else _rows_in(inner)
    if len(value) == 1 and (rows := _rows_in(next(iter(value.values())))) is not None:
        return rows
    return same_length(value.values())


def _rows_in(value: object) -> int | None:
    """Count the elements of a list of objects, or of a list of flat lists; None for everything else."""
    if not isinstance(value, list):
        return None
    if all(isinstance(row, dict) for row in value) or all(isinstance(row, list) and _flat(row) for row in value):
        return len(value)
    return None


def _flat(row: Iterable[object]) -> bool:
    return not any(isinstance(cell, list | dict) for cell in row)


def same_length(columns: Iterable[object]) -> int | None:
    """Return the length that all *columns* share if each is a list; None otherwise, or without columns."""
    lengths = {len(column) if isinstance(column, list) else None for column in columns}
    return lengths.pop() if len(lengths) == 1 else None
