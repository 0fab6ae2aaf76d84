"""The forms of rows in a body or a reply: recognises them in a value, and writes encoded rows in them.

A form is a way to write rows, independent of the place: `records` is `[{"age": 17}, …]`, `columns` is `{"age": [17,
…]}`. The forms include pandas' orients, and the tensors of the Open Inference Protocol.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final, Literal, get_args

import orjson

from epkit.core.json.reading import has_long_number
from epkit.core.json.writing import dumps, dumps_words
from epkit.core.shapes.csv_lines import csv_lines

Form = Literal[
    "records", "lists", "values", "split", "ndarray", "table", "columns", "index", "dicts",
    "tensors", "tensor", "row", "cells", "csv", "jsonlines",
]  # fmt: skip
"""A form of rows. `row` and `cells` are a single row as an object and as a list, the others any number of rows."""

FORMS: Final[tuple[Form, ...]] = get_args(Form)

LOOKS: Final[Mapping[Form, str]] = {
    "records": "[{…}]",
    "lists": "[[…]]",
    "values": "[…]",
    "split": '{"columns": […], "data": [[…]]}',
    "ndarray": '{"names": […], "ndarray": [[…]]}',
    "table": '{"schema": {…}, "data": [{…}]}',
    "columns": '{"COLUMN": […]}',
    "index": '{"0": {…}}',
    "dicts": '{"COLUMN": {"0": …}}',
    "tensors": '[{"name": "COLUMN", "shape": […], "datatype": …, "data": […]}]',
    "tensor": '[{"name": …, "shape": […], "datatype": …, "data": […]}]',
    "row": "{…}",
    "cells": "[…]",
    "csv": "lines of CSV",
    "jsonlines": "lines of JSON",
}
"""Each form as a short text, for messages."""

OF_OBJECTS: Final[tuple[Form, ...]] = ("records", "table", "index", "row", "jsonlines")
"""Forms whose rows are encoded as objects; those of all others are encoded as lists."""

TEXTS: Final[Mapping[Form, str]] = {"csv": "text/csv", "jsonlines": "application/jsonlines"}
"""Content types of the forms that are not JSON."""

SINGLE: Final[tuple[Form, ...]] = ("row", "cells")
"""Forms with exactly one row."""

_NAMES_AND_ROWS: Final[Mapping[Form, tuple[str, str]]] = {
    "split": ("columns", "data"),
    "ndarray": ("names", "ndarray"),
    "table": ("schema", "data"),
}
"""Keys of the forms that are an object with the rows in a list."""

NAMED: Final[tuple[Form, ...]] = ("split", "ndarray")
"""Forms with a list of names apart from the rows."""

_TURNED: Final[tuple[Form, ...]] = ("columns", "index", "dicts", "tensors", "tensor", "csv")
"""Forms in which a row has no separate text, or its text depends on its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """An input or an output of a model in the Open Inference Protocol.

    Args:
        datatype: such as `FP64` or `BYTES`, None if the values decide.
        shape: without the first dimension, which is the number of rows; 0 is an open extent, which the values decide.
        parameters: parameters of the tensor in a request.
    """

    name: str
    datatype: str | None = None
    shape: tuple[int, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRows:
    """Rows that were recognised in a value.

    Args:
        form: their form.
        count: their number.
        names: names of the columns, if the value has them apart from the rows.
        tensors: tensors that hold the rows.
        certain: whether the form alone proves that they are rows; a list of scalars does not.
    """

    form: Form
    count: int
    names: tuple[str, ...] | None = None
    tensors: tuple[Tensor, ...] = ()
    certain: bool = True
    read: Callable[[], list[Any]] = field(repr=False, compare=False)

    def rows(self) -> list[Any]:
        """Return the rows: objects, lists of cells, or values."""
        return self.read()


def recognise(value: Any) -> FoundRows | None:
    """Recognise rows in a decoded value; None if it has none."""
    if isinstance(value, list):
        return _in_list(value)
    return _in_object(value) if isinstance(value, dict) and value else None


def same_length(columns: Iterable[Any]) -> int | None:
    """Return the common length of *columns* if each is a list; None otherwise, or without columns."""
    lengths = {len(column) if isinstance(column, list) else None for column in columns}
    return lengths.pop() if len(lengths) == 1 else None


def _in_list(value: list[Any]) -> FoundRows | None:
    kinds = set(map(type, value))
    if kinds == {dict} and all(_is_tensor(part) for part in value):
        return _in_tensors(value)
    if kinds == {list}:
        return FoundRows(form="lists", count=len(value), certain=all(map(_is_flat, value)), read=lambda: value)
    if kinds <= {dict}:
        return FoundRows(form="records", count=len(value), read=lambda: value)
    form: Form = "records" if dict in kinds or list in kinds else "values"
    return FoundRows(form=form, count=len(value), certain=False, read=lambda: value)


def _in_object(value: dict[str, Any]) -> FoundRows | None:
    for form in NAMED:
        key, inner = _NAMES_AND_ROWS[form]
        names, rows = value.get(key), value.get(inner)
        if isinstance(rows, list) and isinstance(names, list) and all(isinstance(name, str) for name in names):
            return _apart(form, tuple(names), rows)
    if isinstance(rows := value.get("ndarray"), list):
        return _apart("ndarray", None, rows)
    if isinstance(value.get("schema"), dict) and isinstance(rows := value.get("data"), list):
        return _apart("table", None, rows)
    columns = list(value.values())
    if (count := same_length(columns)) is not None:
        return FoundRows(form="columns", count=count, names=tuple(value), read=lambda: _zipped(columns))
    return _in_mappings(value)


def _apart(form: Form, names: tuple[str, ...] | None, rows: list[Any]) -> FoundRows:
    """Return rows that are under a separate key."""
    return FoundRows(form=form, count=len(rows), names=names, read=lambda: rows)


def _in_mappings(value: dict[str, Any]) -> FoundRows | None:
    """Recognise an object of objects: rows by their index, or columns whose cells have an index.

    The keys that are numbers decide which of the two it is: pandas writes the index of a frame as texts of numbers.
    """
    inner = list(value.values())
    if not all(isinstance(part, dict) and part for part in inner):
        return None
    keys = inner[0].keys()
    if any(part.keys() != keys for part in inner):
        return None
    if all(map(str.isdecimal, value)):
        return FoundRows(form="index", count=len(value), read=lambda: inner)
    if all(map(str.isdecimal, keys)):
        cells = [list(part.values()) for part in inner]
        return FoundRows(form="dicts", count=len(keys), names=tuple(value), read=lambda: _zipped(cells))
    return None


def _is_tensor(value: Mapping[str, Any]) -> bool:
    shape = value.get("shape")
    return (
        isinstance(value.get("name"), str)
        and isinstance(value.get("data"), list)
        and isinstance(shape, list)
        and bool(shape)
        and all(isinstance(extent, int) and not isinstance(extent, bool) and extent >= 0 for extent in shape)
    )


def _in_tensors(value: list[dict[str, Any]]) -> FoundRows | None:
    """Recognise named tensors with the same first dimension, the number of rows."""
    count = value[0]["shape"][0]
    tensors = []
    for part in value:
        if part["shape"][0] != count or split_tensor(part["shape"], part["data"]) is None:
            return None
        known = part.get("parameters")
        tensors.append(
            Tensor(
                name=part["name"],
                datatype=part.get("datatype") if isinstance(part.get("datatype"), str) else None,
                shape=tuple(part["shape"][1:]),
                parameters=known if isinstance(known, dict) else {},
            )
        )
    if len(tensors) == 1 and tensors[0].shape not in ((), (1,)):
        return FoundRows(
            form="tensor",
            count=count,
            tensors=tuple(tensors),
            read=lambda: split_tensor(value[0]["shape"], value[0]["data"]) or [],
        )
    return FoundRows(
        form="tensors",
        count=count,
        names=tuple(tensor.name for tensor in tensors),
        tensors=tuple(tensors),
        read=lambda: _zipped([split_tensor(part["shape"], part["data"]) or [] for part in value]),
    )


def split_tensor(shape: Sequence[int], data: list[Any]) -> list[Any] | None:
    """Split the data of a tensor along its first dimension.

    Args:
        shape: shape of the whole tensor, at least one dimension.
        data: flat, in row-major order, or nested.

    Returns:
        For each row its value, or a list if it has several; None if the data does not fit the shape.

    Source: Open Inference Protocol, *Tensor Data*: a tensor may be flattened to a one-dimensional list.
    """
    width = math.prod(shape[1:])
    if len(data) == shape[0] and width != 1:
        return data if all(isinstance(row, list) for row in data) else None
    if len(data) != shape[0] * width:
        return None
    if width == 1:
        return [_alone(cell) for cell in data]
    return [data[start : start + width] for start in range(0, len(data), width)]


def _alone(cell: Any) -> Any:
    while isinstance(cell, list) and len(cell) == 1:
        cell = cell[0]
    return cell


def _zipped(columns: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(row) for row in zip(*columns, strict=True)]


def _is_flat(row: Sequence[object]) -> bool:
    return not any(isinstance(cell, list | dict) for cell in row)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWriter:
    """Writes encoded rows in a form.

    Args:
        names: names of the columns, for the forms that need them.
        tensors: for the forms with tensors; for columns without one the values decide.
    """

    form: Form = "records"
    names: tuple[str, ...] = ()
    tensors: tuple[Tensor, ...] = ()

    def write(self, rows: Sequence[bytes]) -> bytes:
        """Write rows that are encoded as `OF_OBJECTS` says, without the envelope."""
        if self.form == "jsonlines":
            return b"\n".join(rows)
        if self.form == "values":
            return b",".join(row[1:-1] if row.startswith(b"[") else row for row in rows)
        if self.form not in _TURNED:
            return b",".join(rows)
        if self.form == "index":
            return b"{" + b",".join(b'"%d":%b' % pair for pair in enumerate(rows)) + b"}"
        text = b"[" + b",".join(rows) + b"]"
        cells, write = _decoded(text)
        match self.form:
            case "columns":
                return write(self._columns(cells))
            case "dicts":
                return write(
                    {
                        name: {str(place): cell for place, cell in enumerate(column)}
                        for name, column in self._columns(cells).items()
                    }
                )
            case "csv":
                return csv_lines(cells).encode("utf-8", "replace")
            case "tensor":
                width = len(cells[0]) if cells else 0
                whole = self.tensors[0] if self.tensors else Tensor(name="input-0")
                flat = [cell for row in cells for cell in row]
                return write([_tensor(whole, [len(cells), *_filled(whole.shape or (0,), width)], flat)])
        columns = self._columns(cells)
        # In the order of the model's inputs: some servers use the place of a tensor, not its name.
        first = [tensor for tensor in self.tensors if tensor.name in columns]
        rest = columns.keys() - {tensor.name for tensor in first}
        tensors = [*first, *(Tensor(name=name) for name in columns if name in rest)]
        width_of = {name: _width(column[0]) if column else 1 for name, column in columns.items()}
        shaped = [(tensor, [len(cells), *_filled(tensor.shape, width_of[tensor.name])]) for tensor in tensors]
        return write([_tensor(tensor, shape, columns[tensor.name]) for tensor, shape in shaped])

    def inside(self, mark: str, around: Mapping[str, Any]) -> tuple[Any, str, str]:
        """Return what goes where a body has its rows, and the texts before and after the rows in it.

        Args:
            mark: placeholder of the rows.
            around: what the body had there, of which a form may keep a part.
        """
        if self.form in _NAMES_AND_ROWS:
            key, inner = _NAMES_AND_ROWS[self.form]
            head = around.get(key) if self.form == "table" else list(self.names)
            kept = {} if not head and self.form != "split" else {key: head}
            return {**kept, inner: mark}, "[", "]"
        if self.form in _TURNED or self.form in SINGLE or self.form in TEXTS:
            return mark, "", ""
        return mark, "[", "]"

    def _columns(self, cells: list[list[Any]]) -> dict[str, Sequence[Any]]:
        """Turn rows into columns; a row that is too short has null in the last ones."""
        columns: list[Sequence[Any]] = list(zip_longest(*cells))
        columns += [(None,) * len(cells)] * (len(self.names) - len(columns))
        return dict(zip(self.names, columns, strict=False))


def _decoded(text: bytes) -> tuple[Any, Callable[[Any], bytes]]:
    """Decode rows with every number as it is, and return with them what writes them again."""
    if not has_long_number(text):
        try:
            return orjson.loads(text), dumps
        except orjson.JSONDecodeError:  # NaN and the infinities, as words
            pass
    return json.loads(text), dumps_words


def _filled(shape: Sequence[int], width: int) -> list[int]:
    """Return the shape of a row of *width* cells: its first open dimension is what the others leave."""
    if 0 not in shape:
        return list(shape)
    place = shape.index(0)
    others = [extent or 1 for extent in (*shape[:place], *shape[place + 1 :])]
    others.insert(place, max(1, width // math.prod(others)))
    return others


def _width(cell: Any) -> int:
    return len(cell) if isinstance(cell, list) else 1


def _tensor(tensor: Tensor, shape: list[int], data: Sequence[Any]) -> dict[str, Any]:
    datatype = tensor.datatype or datatype_of(data)
    written: dict[str, Any] = {"name": tensor.name, "shape": shape, "datatype": datatype}
    if tensor.parameters:
        written["parameters"] = dict(tensor.parameters)
    return {**written, "data": data}


def datatype_of(values: Sequence[Any]) -> str:
    """Choose the datatype of a tensor by its values.

    Source: Open Inference Protocol, *Tensor Data Types*.
    """
    all_kinds = set(map(type, values))
    kinds = all_kinds - {type(None)}
    if kinds == {bool}:
        return "BOOL"
    if all_kinds == {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float} else "BYTES"
