"""Finds the rows in the request body of a contract, from its schema, its formats and its example."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from epkit.core.contract.columns import Column, Reader, RowSpec, column, named
from epkit.core.contract.oip import CELLS, tensors_of
from epkit.core.contract.schemas import Resolver, flatten
from epkit.core.shapes.forms import NAMED, Form, Tensor

if TYPE_CHECKING:
    from epkit.core.contract.contract import ParsedContract

_DEEPEST: Final = 3
_FRAME: Final = "pandas.DataFrame"
_KINDS: Final[Mapping[type, str]] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z?", re.ASCII)
"""A point in time in the form in which pandas writes it into the example, which is made from a script's sample."""

_PARTS: Final[Mapping[Form, tuple[str, str]]] = {"split": ("columns", "data"), "ndarray": ("names", "ndarray")}

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The properties of the server that the search for its rows needs.

    Args:
        forecast: whether the reply is a forecast; scripts for forecasts let a frame have more columns.
        foreign: whether tools other than Azure's wrote the contract.
        lenient: whether the server accepts keys that the schema does not name, as JSON Schema does.
        of_lists: whether an object of lists is read as columns.
        nested: whether an array of numbers means an array of any depth, as BentoML writes numpy arrays.
    """

    resolver: Resolver
    reader: Reader
    forecast: bool
    foreign: bool
    lenient: bool
    nested: bool
    of_lists: bool = False

    def flat(self, schema: Schema | bool) -> Schema:
        return flatten(self.resolver.schema(schema), self.resolver)

    def column(self, schema: Schema | bool, reader: Reader | None = None) -> Column:
        return column(schema, self.resolver, reader or self.reader)


def rows_of(contract: "ParsedContract") -> RowSpec | None:
    """Find the rows of a contract; None if it describes none."""
    return next(iter(all_rows(contract)), None)


def all_rows(contract: "ParsedContract") -> list[RowSpec]:
    """Find the lists of rows of a contract that are next to each other; a table fills the first one."""
    return [] if contract.request is None else list(_found(contract, contract.request))


def _found(contract: "ParsedContract", declared: Schema) -> Iterator[RowSpec]:
    resolver = Resolver(contract.document)
    reading = _reading(contract, resolver)
    request = reading.flat(declared)
    first = _first(request, contract.example, reading)
    if first is None:  # an object of lists may be a parameter, so it is tried last
        first = _first(request, contract.example, replace(reading, of_lists=True))
    if first is None:
        if (row := _row(request, reading)) is not None:
            yield row
        return
    yield first
    if not first.path:
        return
    for key in first.path[:-1]:
        request = reading.flat(request["properties"][key])
    for key, child in request["properties"].items():
        if key != first.path[-1] and isinstance(child, Mapping | bool):
            inside = _at(contract.example, (*first.path[:-1], key))
            found = _recognise(reading.flat(child), (*first.path[:-1], key), inside, reading)
            if found is not None:
                yield found


def _reading(contract: "ParsedContract", resolver: Resolver) -> _Reading:
    """Recognise from the document which server wrote it."""
    document = contract.document
    components = document.get("components")
    schemas = components.get("schemas") if isinstance(components, Mapping) else document.get("definitions")
    names = schemas.keys() if isinstance(schemas, Mapping) else ()
    item = document.get("paths", {}).get(contract.path)
    operation = item.get("post") if isinstance(item, Mapping) else None
    bento = isinstance(operation, Mapping) and "x-bentoml-name" in operation
    pydantic = bento or "HTTPValidationError" in names
    # The genuine server has one path and one name for the body; a contract that is written by hand has that path.
    foreign = pydantic or not ("ServiceInput" in names or contract.path == "/score")
    own = foreign and "openapi" in document
    reader: Reader = "pydantic" if own and pydantic else "schema" if own else "frame"
    return _Reading(
        resolver=resolver,
        reader=reader,
        forecast=_mentions_forecast(contract.reply, resolver),
        foreign=foreign,
        lenient=own,
        nested=bento,
    )


def _first(request: Schema, example: object, reading: _Reading) -> RowSpec | None:
    """Find the first rows under at most three keys; rows nearer to the top are found first."""
    pending: list[tuple[Schema, tuple[str, ...], object]] = [(request, (), example)]
    while pending:
        schema, path, sample = pending.pop(0)
        found = _recognise(schema, path, sample, reading)
        if found is not None:
            return found
        if len(path) < _DEEPEST and isinstance(schema.get("properties"), Mapping) and "items" not in schema:
            for key, child in schema["properties"].items():
                if isinstance(child, Mapping):
                    inner = sample.get(key) if isinstance(sample, dict) else None
                    pending.append((reading.flat(child), (*path, key), inner))
    return None


def _recognise(schema: Schema, path: tuple[str, ...], sample: object, reading: _Reading) -> RowSpec | None:
    """Recognise rows in the schema of a value."""
    name, _, orient = str(schema.get("format", "")).partition(":")
    pandas = name == _FRAME
    if isinstance(schema.get("items"), Mapping):
        return _in_list(schema, path, sample, reading, orient if pandas else "", pandas=pandas)
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return None
    inner = {key: reading.flat(child) for key, child in properties.items() if isinstance(child, Mapping | bool)}
    for form in NAMED:
        head, data = _PARTS[form]
        if inner.keys() >= {head, data} and "items" in inner[head] and _of(inner[data], "items", reading) is not None:
            return _split(form, inner[data], path, sample, reading, pandas=pandas)
    if inner.keys() >= {"schema", "data"} and "properties" in inner["schema"]:
        return _table(inner["data"], path, sample, reading)
    if (pandas and orient == "index") or all(map(str.isdecimal, inner)):
        found = _index(next(iter(inner.values())), path, reading, pandas=pandas)
        if found is not None:
            return found
    if (pandas and orient == "columns") or all(map(_is_counted, inner.values())):
        columns = {key: reading.column(_counted(one), "frame") for key, one in inner.items()}
        return _with_columns("dicts", path, columns, pandas=pandas)
    return _lists(schema, inner, path, reading) if reading.of_lists else None


def _in_list(
    schema: Schema, path: tuple[str, ...], sample: object, reading: _Reading, orient: str, *, pandas: bool
) -> RowSpec | None:
    """Recognise rows in a list: of tensors, of objects, or of lists."""
    if tensors := tensors_of(schema):
        return _tensors(tensors, path, reading)
    row = reading.flat(schema["items"])
    properties = row.get("properties")
    if isinstance(properties, Mapping) and properties:
        if properties.keys() >= {"name", "shape", "datatype"}:
            return None  # tensors of any model: the columns of this one are not described
        return _records(row, properties, path, reading, pandas=pandas)
    if isinstance(row.get("items"), Mapping):
        # The server enforces no types for a frame without names: its columns are numbers, those of the sample are not.
        reader: Reader = "schema" if orient == "values" else reading.reader
        return _matrix("lists", schema, row, path, sample, reading, reader=reader, pandas=orient == "values")
    if reading.nested and path and row.get("type") in ("number", "integer"):
        # A numpy array: BentoML publishes only one of its dimensions.
        whole = {"type": "array", "items": {}}
        return RowSpec(path=path, shape="matrix", form="lists", cell=reading.column(row, "schema"), schema=whole)
    return None


def _records(
    row: Schema, properties: Mapping[str, Any], path: tuple[str, ...], reading: _Reading, *, pandas: bool
) -> RowSpec:
    columns = {name: reading.column(child, "frame" if pandas else None) for name, child in properties.items()}
    if "required" in row:
        required = tuple(row["required"])
    else:
        # Before 2021, inference-schema listed no required columns, although the server required each column.
        required = tuple(name for name, known in columns.items() if _is_demanded(known))
    # AutoML's forecasting scripts let a frame have more columns; a contract may also allow them.
    unsaid = reading.lenient and not pandas
    closed = not reading.forecast and row.get("additionalProperties", unsaid) is False
    return RowSpec(
        path=path, shape="records", columns=columns, required=required, closed=closed, pandas=pandas, schema=row
    )


def _is_demanded(known: Column) -> bool:
    return "default" not in known.schema and not known.nullable


def _matrix(
    form: Form,
    schema: Schema,
    row: Schema,
    path: tuple[str, ...],
    sample: object,
    reading: _Reading,
    *,
    reader: Reader,
    pandas: bool,
) -> RowSpec:
    cell = reading.column(row["items"], reader)
    first = sample[0] if isinstance(sample, list) and sample else None
    first = first if isinstance(first, list) else None
    cells = () if first is None else tuple(_outranked(cell, value, narrow=False) for value in first)
    if all(one is cell for one in cells):
        cells = ()
    else:  # the schema of all cells is true only for some columns
        cell = replace(cell, kind=None, format=None, schema={})
        row = {"type": "array"}
    return RowSpec(
        path=path,
        shape="matrix",
        form=form,
        cell=cell,
        cells=cells,
        width=None if first is None else len(first),
        enforced=pandas or schema.get("format") == "numpy.ndarray",
        schema=row,
    )


def _split(
    form: Form, data: Schema, path: tuple[str, ...], sample: object, reading: _Reading, *, pandas: bool
) -> RowSpec | None:
    """Read rows whose names are in a separate list, which only the example contains."""
    head, inner = _PARTS[form]
    row = _of(data, "items", reading)
    if row is None or not isinstance(row.get("items"), Mapping):
        return None
    names, rows = (sample.get(head), sample.get(inner)) if isinstance(sample, dict) else (None, None)
    reader: Reader = "frame" if pandas else reading.reader
    found = _matrix(form, data, row, path, rows, reading, reader=reader, pandas=pandas)
    first = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(names, list) or not isinstance(first, list) or len(names) != len(first):
        return replace(found, pandas=pandas)
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return replace(found, pandas=pandas)
    cell = reading.column(row["items"], reader)
    typed = {name: _outranked(cell, value, narrow=pandas) for name, value in zip(names, first, strict=True)}
    return replace(named(found, typed), cell=None, cells=(), width=None, pandas=pandas)


def _outranked(cell: Column, value: object, *, narrow: bool) -> Column:
    """Return the type of a column from the example, if the example contradicts the schema of all cells.

    Args:
        narrow: whether a whole number in the example means a column of whole numbers: pandas writes other numbers
            differently.
    """
    kind = _KINDS.get(type(value))
    if kind is None:
        return cell if value is not None else replace(cell, nullable=True)
    if kind == cell.kind and kind != "string":
        return cell
    if cell.kind == "number" and kind == "integer" and not narrow:
        return cell
    if cell.kind is None or kind != cell.kind or narrow:
        format_ = "date-time" if narrow and isinstance(value, str) and _MOMENT.fullmatch(value) else None
        if kind == cell.kind and format_ is None:
            return cell
        schema = {"type": kind} | ({} if format_ is None else {"format": format_})
        return replace(cell, kind=kind, format=format_, schema=schema)
    return cell


def _table(data: Schema, path: tuple[str, ...], sample: object, reading: _Reading) -> RowSpec | None:
    row = _of(data, "items", reading)
    properties = {} if row is None else row.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return None
    keys = _at(sample, ("schema", "primaryKey"))
    keys = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else ["index"]
    columns = {name: reading.column(child, "frame") for name, child in properties.items() if name not in keys}
    fields = _at(sample, ("schema", "fields"))
    fields = fields if isinstance(fields, list) else []
    known = {field["name"]: field for field in fields if isinstance(field, dict) and isinstance(field.get("name"), str)}
    # pandas ignores columns that the table's schema does not name.
    return replace(_with_columns("table", path, columns, pandas=True), closed=False, keys=tuple(keys), fields=known)


def _index(row: Schema, path: tuple[str, ...], reading: _Reading, *, pandas: bool) -> RowSpec | None:
    properties = row.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return None
    columns = {name: reading.column(child, "frame" if pandas else None) for name, child in properties.items()}
    return _with_columns("index", path, columns, pandas=pandas)


def _with_columns(form: Form, path: tuple[str, ...], columns: Mapping[str, Column], *, pandas: bool) -> RowSpec:
    return named(RowSpec(path=path, shape="records", form=form, pandas=pandas, schema={}), columns)


def _is_counted(schema: Schema) -> bool:
    """Tell whether a schema describes a column whose cells have an index, `{"0": …}`."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return False
    cells = properties.values()
    return all(map(str.isdecimal, properties)) and not any(
        isinstance(cell, Mapping) and {"properties", "items"} & cell.keys() for cell in cells
    )


def _counted(schema: Schema) -> Schema | bool:
    properties = schema.get("properties")
    first: Schema | bool = next(iter(properties.values()), True) if isinstance(properties, Mapping) else True
    return first


def _lists(schema: Schema, inner: Mapping[str, Schema], path: tuple[str, ...], reading: _Reading) -> RowSpec | None:
    """Recognise columns that are lists of scalars; a single column at the top may be a list of anything."""
    if len(inner) < 2 and not path:
        return None
    if reading.nested or any(one.get("format") == "numpy.ndarray" for one in inner.values()):
        return None
    columns = {}
    for name, one in inner.items():
        if not isinstance(one.get("items"), Mapping):
            return None
        columns[name] = reading.column(one["items"], "schema" if reading.reader == "frame" else None)
        if columns[name].kind is None:
            return None
    found = _with_columns("columns", path, columns, pandas=False)
    required = tuple(schema["required"]) if "required" in schema else found.required
    return replace(found, required=required, closed=schema.get("additionalProperties") is False)


def _tensors(tensors: tuple[Tensor, ...], path: tuple[str, ...], reading: _Reading) -> RowSpec:
    """Read the inputs of a model: one tensor with many columns, or one for each column."""
    cells = [CELLS.get(tensor.datatype or "", {}) for tensor in tensors]
    if len(tensors) == 1 and tensors[0].shape not in ((), (1,)):
        width = 1
        for extent in tensors[0].shape:
            width *= extent
        known = reading.column(cells[0], "schema")
        return RowSpec(
            path=path,
            shape="matrix",
            form="tensor",
            cell=known,
            width=width or None,
            enforced=True,
            tensors=tensors,
            schema={"type": "array", "items": known.schema},
        )
    columns = {}
    for tensor, cell in zip(tensors, cells, strict=True):
        schema = cell if tensor.shape in ((), (1,)) else {"type": "array", "items": cell}
        columns[tensor.name] = reading.column(schema, "schema")
    return replace(_with_columns("tensors", path, columns, pandas=False), tensors=tensors)


def _row(request: Schema, reading: _Reading) -> RowSpec | None:
    """Recognise a body that is one row: an object of scalars only."""
    properties = request.get("properties")
    if not reading.foreign or not isinstance(properties, Mapping) or not properties:
        return None
    own = reading if reading.lenient else replace(reading, reader="schema", lenient=True)
    found = _records(request, properties, (), own, pandas=False)
    return None if any(known.kind is None for known in found.columns.values()) else replace(found, form="row")


def _of(schema: Schema, key: str, reading: _Reading) -> Schema | None:
    inner = schema.get(key)
    return reading.flat(inner) if isinstance(inner, Mapping) else None


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _mentions_forecast(reply: object, resolver: Resolver) -> bool:
    """Tell whether a reply's schema has the property `forecast`, at the top or one level below it."""
    if not isinstance(reply, Mapping):
        return False
    properties = resolver.schema(reply).get("properties", {})
    inner = [
        resolver.schema(child).get("properties", {}) for child in properties.values() if isinstance(child, Mapping)
    ]
    return any(isinstance(names, Mapping) and "forecast" in names for names in [properties, *inner])
