"""Converts rows of any form into a list that can be checked, and finds the place of each cell in the body.

Faults of the form itself (columns of different lengths, a tensor without a shape) are found here. Faults of the rows
are found by the common check of rows; the paths in its findings are then converted to those in the body.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from epkit.core.contract.columns import Column, RowSpec
from epkit.core.contract.oip import CELLS
from epkit.core.contract.shown import show
from epkit.core.shapes.envelopes import wrapped
from epkit.core.shapes.forms import LOOKS, OF_OBJECTS, Form
from epkit.core.validate.cells import LITERALS
from epkit.core.validate.violations import Findings, Path, did_you_mean

PLAIN: Final[tuple[Form, ...]] = ("records", "lists", "values")
"""Forms in which the value is itself the list of rows."""

_HELD: Final[Mapping[Form, tuple[str, str]]] = {
    "split": ("columns", "data"),
    "ndarray": ("names", "ndarray"),
    "table": ("schema", "data"),
}
_KNOWN: Final[Mapping[Form, tuple[str, ...]]] = {
    "split": ("columns", "data", "index"),
}
"""The keys of the forms in which pandas refuses all other keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRows:
    """Rows in the form in which they are checked.

    Args:
        rows: objects or lists, depending on the shape of *spec*.
        numbers: their numbers, ascending; a row that is left out has a fault that was already reported.
        place: converts the path of a cell in a list of rows into its path in the body.
        spec: describes the rows; its types are narrowed by those that the body itself declares.
    """

    rows: list[Any]
    numbers: list[int]
    place: Callable[[Path], Path]
    spec: RowSpec


def read_written(value: Any, spec: RowSpec, findings: Findings) -> WrittenRows | None:
    """Take the rows out of a value; None if it contains no rows: *findings* then have the reason.

    Args:
        value: the value at the path of *spec*.
        spec: its form is not a plain one.
    """
    if spec.form == "row":
        return _row(value, spec, findings)
    if spec.form in ("tensors", "tensor"):
        return _tensors(value, spec, findings)
    if not isinstance(value, dict):
        _not_so(value, spec, findings)
        return None
    if spec.form in _HELD:
        return _held(value, spec, findings)
    if spec.form == "index":
        return _index(value, spec)
    return _columns(value, spec, findings)


def as_named(rows: list[Any], names: Sequence[str], spec: RowSpec) -> list[Any]:
    """Give names to the cells of rows that are lists, if the contract has names for them.

    Args:
        names: names of the cells; if empty, those of the contract in its order are used.
    """
    if spec.shape != "records" or spec.form in OF_OBJECTS:
        return rows
    known = names or tuple(spec.columns)
    return [
        dict(zip(known, row, strict=True)) if isinstance(row, list) and len(row) == len(known) else row for row in rows
    ]


def _not_so(value: object, spec: RowSpec, findings: Findings) -> None:
    look = wrapped(spec.path, LOOKS[spec.form])
    findings.add("type", spec.path, f"{show(value)} is not {LOOKS[spec.form]}", hint=f"write {look}")


def _row(value: Any, spec: RowSpec, findings: Findings) -> WrittenRows | None:
    """Take the whole body as one row."""
    if not isinstance(value, dict):
        hint = "a body is one row: send each by itself" if isinstance(value, list) else f"write {LOOKS['row']}"
        findings.add("type", (), f"{show(value)} is not an object", hint=hint)
        return None
    return WrittenRows(rows=[value], numbers=[0], place=lambda path: path[1:], spec=spec)


def _held(value: dict[str, Any], spec: RowSpec, findings: Findings) -> WrittenRows | None:
    """Take rows that are under a separate key, next to their names."""
    head, inner = _HELD[spec.form]
    base, path = spec.path, (*spec.path, inner)
    if spec.pandas and spec.form in _KNOWN:
        for key in value:
            if key not in _KNOWN[spec.form]:
                text = f'unknown key "{key[:60]}": pandas refuses it'
                findings.add(
                    "additionalProperties", (*base, key), text, at_key=True, hint=did_you_mean(key, (head, inner))
                )
    needed = (inner,) if spec.form == "ndarray" and spec.shape == "matrix" else (head, inner)
    missing = [key for key in needed if key not in value]
    for key in missing:
        hint = f"write {wrapped(base, LOOKS[spec.form])}"
        findings.add("required", base, f'the key "{key}" is missing', hint=hint, place=(*base, key))
    rows = value.get(inner)
    if inner in value and not isinstance(rows, list):
        findings.add("type", path, f"{show(rows)} is not an array of rows")
    if missing or not isinstance(rows, list):
        return None
    _check_index(value, rows, spec, findings)
    if spec.form == "table":
        return _table(value, rows, spec, findings)
    return _under_names(value.get(head), rows, spec, findings)


def _check_index(value: dict[str, Any], rows: list[Any], spec: RowSpec, findings: Findings) -> None:
    index = value.get("index")
    if spec.form != "split" or index is None:
        return
    path = (*spec.path, "index")
    if not isinstance(index, list):
        findings.add("type", path, f"{show(index)} is not an array")
    elif len(index) != len(rows):
        findings.add("shape", path, f"{len(index):,} labels in the index for {len(rows):,} rows: leave the index out")
    elif odd := [place for place, label in enumerate(index) if not _is_label(label)]:
        findings.add("type", (*path, odd[0]), f"{show(index[odd[0]])} is no label of a row")


def _is_label(label: object) -> bool:
    """Tell whether pandas accepts a value as the label of a row."""
    return not isinstance(label, list | dict) and not (type(label) is int and not LITERALS[0] <= label <= LITERALS[1])


def _under_names(names: Any, rows: list[Any], spec: RowSpec, findings: Findings) -> WrittenRows | None:
    """Take rows that are lists and share one list of names."""
    head, inner = _HELD[spec.form]
    base = (*spec.path, inner)
    if names is None and spec.form == "ndarray":
        names = list(spec.columns)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        findings.add("type", (*spec.path, head), f"{show(names)} is not an array of names")
        return None
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        findings.add("duplicate-key", (*spec.path, head), f'the column "{twice[:60]}" is named more than once')
        return None
    if not rows:
        return WrittenRows(rows=[], numbers=[], place=lambda path: path, spec=spec)
    good = [number for number, row in enumerate(rows) if isinstance(row, list) and len(row) == len(names)]
    if len(good) != len(rows):
        _odd_rows(rows, len(names), base, findings)
    where = {name: place for place, name in enumerate(names)}
    depth = len(spec.path)

    def place(path: Path) -> Path:
        rest = path[depth:]
        if len(rest) < 2:  # the path of a missing column
            return (*spec.path, head) if spec.shape == "records" else (*base, *rest)
        return (*base, rest[0], where.get(rest[1], rest[1]) if isinstance(rest[1], str) else rest[1], *rest[2:])

    kept = [rows[number] for number in good]
    if spec.shape == "records":
        kept = [dict(zip(names, row, strict=True)) for row in kept]
    return WrittenRows(rows=kept, numbers=good, place=place, spec=spec)


def _odd_rows(rows: list[Any], width: int, base: Path, findings: Findings) -> None:
    """Report rows that are no lists, and rows whose number of cells differs from the number of names."""
    none = [number for number, row in enumerate(rows) if not isinstance(row, list)]
    if none:
        text = f"{show(rows[none[0]])} is not an array"
        findings.add("type", (*base, none[0]), text, rows=none, place=base)
    for what, odd in (
        ("fewer", [n for n, row in enumerate(rows) if isinstance(row, list) and len(row) < width]),
        ("more", [n for n, row in enumerate(rows) if isinstance(row, list) and len(row) > width]),
    ):
        if odd:
            text = f"{len(rows[odd[0]]):,} cells in a row under {width:,} names"
            findings.add("shape", (*base, odd[0]), text, rows=odd, place=(*base, what))


def _table(value: dict[str, Any], rows: list[Any], spec: RowSpec, findings: Findings) -> WrittenRows | None:
    """Take the rows of pandas' table; its schema names their columns."""
    head, inner = _HELD[spec.form]
    base, depth = (*spec.path, inner), len(spec.path)
    names = _fields(value[head], spec, findings)
    if names is None:
        return None
    counted = {name: _KEY if _is_whole(value[head], name) else _ANY for name in names if name not in spec.columns}
    return WrittenRows(
        rows=rows,
        numbers=list(range(len(rows))),
        place=lambda path: (*base, *path[depth:]),
        spec=replace(spec, columns={**counted, **spec.columns}, required=(*counted, *spec.required)),
    )


_KEY: Final = Column(kind="integer", format="int64", nullable=False, schema={})
_ANY: Final = Column(kind="string", format=None, nullable=True, schema={})


def _is_whole(schema: dict[str, Any], name: str) -> bool:
    return any(field.get("name") == name and field.get("type") == "integer" for field in schema["fields"])


def _fields(schema: Any, spec: RowSpec, findings: Findings) -> list[str] | None:
    """Return the names of the fields of a table's schema; None if it differs from that of the contract's example."""
    path = (*spec.path, "schema", "fields")
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in fields
    ):
        findings.add("type", path, "the schema of the table has no fields, each with a name and a type")
        return None
    names = [one["name"] for one in fields]
    keys = schema.get("primaryKey", [])
    keys = [keys] if isinstance(keys, str) else keys if isinstance(keys, list) else [keys]
    before = findings.errors
    for name, why in (
        *((show(key), "is the key of the table and no field of it") for key in keys if key not in names),
        *((name, "is a column and a key of the table") for name in spec.columns if name in keys),
        *((name, "is no field of the table's schema") for name in spec.columns if name not in names),
        *(
            (name, "is a field that the contract does not name")
            for name in names
            if name not in (*spec.columns, *spec.keys)
        ),
        *((name, "is a field twice") for place, name in enumerate(names) if name in names[:place]),
        *(
            (name, "is neither a column nor a key of the table")
            for name in spec.keys
            if name in names and name not in keys
        ),
        *((one["name"], "is another field than in the contract's example") for one in fields if _differs(one, spec)),
    ):
        findings.add("required", path, f'"{name[:60]}" {why}', place=(*path, name))
    return names if findings.errors == before else None


def _differs(one: Mapping[str, Any], spec: RowSpec) -> bool:
    known = spec.fields.get(one["name"], one)
    return bool(one != known and one != {key: value for key, value in known.items() if key != "extDtype"})


def _index(value: dict[str, Any], spec: RowSpec) -> WrittenRows:
    """Take rows that are the values of an object; its keys are their labels."""
    labels, depth = list(value), len(spec.path)

    def place(path: Path) -> Path:
        rest = path[depth:]
        return (*spec.path, labels[int(rest[0])], *rest[1:]) if rest else spec.path

    return WrittenRows(rows=list(value.values()), numbers=list(range(len(labels))), place=place, spec=spec)


def _columns(value: dict[str, Any], spec: RowSpec, findings: Findings) -> WrittenRows | None:
    """Take columns; each is a list of cells, or an object of cells by the labels of the rows."""
    wanted, name = (dict, "an object of cells by label") if spec.form == "dicts" else (list, "an array of cells")
    odd = {key: cells for key, cells in value.items() if not isinstance(cells, wanted)}
    open_ = [key for key in odd if key not in spec.columns and not spec.closed]  # their types are not known
    for key in odd.keys() - set(open_):
        hint = f"write {wrapped(spec.path, LOOKS[spec.form])}"
        findings.add("type", (*spec.path, key), f"{show(odd[key])} is not {name}", hint=hint, place=(*spec.path, key))
    known = {key: cells for key, cells in value.items() if key not in odd}
    if len(odd) > len(open_):
        return None
    labels = list(dict.fromkeys(label for cells in known.values() for label in cells)) if spec.form == "dicts" else []
    columns: dict[str, Sequence[Any]] = known
    if spec.form == "dicts":
        short = {key: len(cells) for key, cells in known.items() if len(cells) != len(labels)}
        columns = {key: [cells.get(label) for label in labels] for key, cells in known.items()}
    else:
        most = max(map(len, known.values()), default=0)
        short = {key: len(cells) for key, cells in known.items() if len(cells) != most}
        labels = [""] * most
    for key, count in short.items():
        text = f"{count:,} cells in a column where another has {len(labels):,}"
        findings.add("shape", (*spec.path, key), text, place=(*spec.path, "lengths"))
    if short:
        return None
    depth, names = len(spec.path), list(columns)

    def place(path: Path) -> Path:
        rest = path[depth:]
        if len(rest) < 2:
            return spec.path
        number = int(rest[0])
        return (*spec.path, rest[1], labels[number] if spec.form == "dicts" else number, *rest[2:])

    rows = [dict(zip(names, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return WrittenRows(rows=rows, numbers=list(range(len(rows))), place=place, spec=spec)


def _tensors(value: Any, spec: RowSpec, findings: Findings) -> WrittenRows | None:
    """Take rows that are written as tensors: one for all columns, or one for each column."""
    if not isinstance(value, list):
        _not_so(value, spec, findings)
        return None
    if not value:
        findings.add("minItems", spec.path, "there are no tensors")
        return None
    before = findings.errors
    for place, part in enumerate(value):
        _check_tensor(part, (*spec.path, place), findings)
    if findings.errors > before:
        return None
    counts = {part["shape"][0] for part in value}
    if len(counts) > 1:
        shown = ", ".join(f"{part['name'][:40]}: {part['shape'][0]:,}" for part in value[:5])
        findings.add("shape", spec.path, f"the tensors have different numbers of rows ({shown})")
        return None
    _check_names(value, spec, findings)
    if findings.errors > before:
        return None
    return _one_tensor(value[0], spec) if spec.form == "tensor" else _named_tensors(value, spec, findings)


def _check_tensor(part: object, path: Path, findings: Findings) -> None:
    """Check that a value is a tensor: it has the keys of one, and its data fill its shape."""
    if not isinstance(part, dict):
        findings.add("type", path, f'{show(part)} is not a tensor: {{"name": …, "shape": …, "datatype": …, "data": …}}')
        return
    missing = [key for key in ("name", "shape", "datatype", "data") if key not in part]
    for key in missing:
        findings.add("required", path, f'the key "{key}" is missing', place=(*path[:-1], None, key))
    if missing:
        return
    shape, data = part["shape"], part["data"]
    if not isinstance(part["name"], str):
        findings.add("type", (*path, "name"), f"{show(part['name'])} is not a string")
    if not isinstance(part["datatype"], str) or part["datatype"] not in CELLS:
        hint = did_you_mean(part["datatype"], CELLS) if isinstance(part["datatype"], str) else None
        findings.add("enum", (*path, "datatype"), f"{show(part['datatype'])} is no datatype", hint=hint)
    if not (isinstance(shape, list) and shape and all(type(extent) is int and extent >= 0 for extent in shape)):
        findings.add(
            "type", (*path, "shape"), f"{show(shape)} is not a shape: an array of whole numbers, such as [2, 1]"
        )
    elif not isinstance(data, list):
        findings.add("type", (*path, "data"), f"{show(data)} is not an array")
    elif not shape[0] or not data:
        findings.add("minItems", (*path, "data"), "there are no rows")
    elif len(data) != math.prod(shape) and not _is_nested(data, shape):
        text = f"{len(data):,} elements do not fill the shape {shape[:6]}, which has {min(math.prod(shape), 10**15):,}"
        findings.add("shape", (*path, "data"), text)


def _is_nested(data: Any, shape: Sequence[int]) -> bool:
    """Tell whether nested arrays have a shape."""
    level = [data]
    for extent in shape:
        if any(not isinstance(part, list) or len(part) != extent for part in level):
            return False
        level = [inner for part in level for inner in part]
    return True


def _check_names(value: list[Any], spec: RowSpec, findings: Findings) -> None:
    """Check that the tensors are those of the model, in the model's order."""
    names, wanted = [part["name"] for part in value], [tensor.name for tensor in spec.tensors]
    for place, name in enumerate(names):
        if name not in wanted or name in names[:place]:
            text = f'the model has no input "{name[:60]}"' if name not in wanted else f'a second tensor "{name[:60]}"'
            hint = did_you_mean(name, [one for one in wanted if one not in names])
            findings.add("additionalProperties", (*spec.path, place, "name"), text, hint=hint)
    for name in wanted:
        if name not in names:
            findings.add("required", spec.path, f'the input "{name[:60]}" is missing', place=(*spec.path, name))
    if names != wanted and sorted(names) == sorted(wanted):
        text = "the inputs are in another order than the model's: many servers take columns by their place"
        findings.add("order", spec.path, text, hint=f"write them as {', '.join(wanted[:8])}")
    by_name = {tensor.name: tensor for tensor in spec.tensors}
    for place, part in enumerate(value):
        tensor = by_name.get(part["name"])
        if tensor is None:
            continue
        row, sent = tuple(part["shape"][1:]), part["datatype"]
        same = len(row) == len(tensor.shape) and all(a in (0, b) for a, b in zip(tensor.shape, row, strict=True))
        if not same and not (math.prod(row) == 1 and math.prod(tensor.shape) == 1):
            shown = ", ".join(str(extent) if extent else "…" for extent in tensor.shape)
            text = f"a row has the shape {list(row)} where the model has [{shown}]"
            findings.add("shape", (*spec.path, place, "shape"), text)
        if _class(sent) != _class(tensor.datatype):
            text = f"{sent} where the model has {tensor.datatype}"
            findings.add("datatype", (*spec.path, place, "datatype"), text)
        elif sent != tensor.datatype:
            text = f"{sent} where the model has {tensor.datatype}: some servers refuse it"
            findings.add("datatype", (*spec.path, place, "datatype"), text, severity="warning")


def _class(datatype: str | None) -> str:
    kind = str(CELLS.get(datatype or "", {}).get("type"))
    return "number" if kind == "integer" else kind


def _one_tensor(part: dict[str, Any], spec: RowSpec) -> WrittenRows:
    """Take the rows of a tensor that has all columns."""
    count, *inner = part["shape"]
    width, data = math.prod(inner), part["data"]
    base, depth = (*spec.path, 0, "data"), len(spec.path)
    flat = len(data) == count * width and not (count == len(data) and isinstance(data[0], list))
    if flat:
        rows = [data[start : start + width] for start in range(0, count * width, width)]
    else:
        rows = data
        for _ in inner[1:]:
            rows = [[cell for part in row for cell in part] for row in rows]

    def place(path: Path) -> Path:
        rest: tuple[Any, ...] = path[depth:]
        if len(rest) < 2:
            return (*base, *rest)
        number, cell = int(rest[0]), int(rest[1])
        if flat:
            return (*base, number * width + cell, *rest[2:])
        steps: list[int] = []
        for extent in reversed(inner):
            cell, step = divmod(cell, extent)
            steps.insert(0, step)
        return (*base, number, *steps, *rest[2:])

    assert spec.cell is not None
    narrowed = replace(spec, cell=_narrowed(spec.cell, part["datatype"]), width=width)
    return WrittenRows(rows=rows, numbers=list(range(count)), place=place, spec=narrowed)


def _named_tensors(value: list[Any], spec: RowSpec, findings: Findings) -> WrittenRows | None:
    """Take the rows of tensors that are one column each."""
    columns: dict[str, list[Any]] = {}
    flat: dict[str, tuple[int, int]] = {}
    typed = dict(spec.columns)
    for place, part in enumerate(value):
        width, data = math.prod(part["shape"][1:]), part["data"]
        if typed[part["name"]].kind is not None:  # one value per row
            nested = next((cell for cell in data if isinstance(cell, list)), None)
            if nested is not None:
                text = "nested arrays where a row has one value: servers take a flat array, [1, 2, …]"
                findings.add("type", (*spec.path, place, "data"), text)
                return None
            typed[part["name"]] = _narrowed(typed[part["name"]], part["datatype"])
            columns[part["name"]], flat[part["name"]] = data, (place, 0)
        elif len(data) == part["shape"][0]:
            columns[part["name"]], flat[part["name"]] = data, (place, 0)
        else:
            rows = [data[start : start + width] for start in range(0, len(data), width)]
            columns[part["name"]], flat[part["name"]] = rows, (place, width)
    depth = len(spec.path)

    def place_of(path: Path) -> Path:
        rest = path[depth:]
        if len(rest) < 2 or rest[1] not in flat:
            return spec.path
        where, width = flat[str(rest[1])]
        number = int(rest[0])
        if width and len(rest) > 2:
            return (*spec.path, where, "data", number * width + int(rest[2]), *rest[3:])
        return (*spec.path, where, "data", number * (width or 1), *rest[2:])

    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return WrittenRows(rows=rows, numbers=list(range(len(rows))), place=place_of, spec=replace(spec, columns=typed))


def _narrowed(known: Column, datatype: str) -> Column:
    """Return the type of a column whose cells are whole numbers by the body, although the model takes any number."""
    cell = CELLS[datatype]
    if known.kind != "number" or cell.get("type") != "integer":
        return known
    return replace(known, kind="integer", format=str(cell["format"]), schema=cell)
