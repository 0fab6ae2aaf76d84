"""Where the rows stand in a request body, and what a contract says of their columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from epkit.core.contract.schemas import Resolver, flatten, is_nullable
from epkit.core.shapes.forms import Form

_SCALARS: Final = ("integer", "number", "string", "boolean")
_DEEPEST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the rows.

    Args:
        kind: `integer`, `number`, `string`, `boolean`, or None for what is no single scalar.
        schema: resolved.
    """

    kind: str | None
    format: str | None
    nullable: bool
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSpec:
    """The rows of a contract.

    Args:
        path: keys that lead to the list of rows; () where the body is that list.
        shape: `records` are objects, `matrix` lists.
        form: how the rows are written in the body.
        columns: of records, in the contract's order.
        required: columns that no row may lack.
        closed: whether a column that the contract does not name is refused.
        cell: of a matrix.
        width: cells in a row of a matrix, where the contract's example tells.
        enforced: whether a server is known to refuse another width.
        pandas: whether a server is known to make a pandas frame of the rows.
        schema: of one row.
    """

    path: tuple[str, ...]
    shape: Literal["records", "matrix"]
    form: Form = "records"
    columns: Mapping[str, Column] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    closed: bool = False
    cell: Column | None = None
    width: int | None = None
    enforced: bool = False
    pandas: bool = False
    schema: Mapping[str, Any]


def find_rows(request: Mapping[str, Any], example: object, reply: object, resolver: Resolver) -> RowSpec | None:
    """Find the rows of a request body: the first list of objects, or of lists, under at most three keys.

    Args:
        example: of a body; tells the width of a matrix, which no schema does.
        reply: its schema; a forecast is known by it.
    """
    pending: list[tuple[Mapping[str, Any], tuple[str, ...], object]] = [(request, (), example)]
    while pending:
        schema, path, sample = pending.pop(0)
        schema = flatten(resolver.schema(schema), resolver)
        if isinstance(schema.get("items"), Mapping):
            found = _rows_at(schema, path, sample, resolver, forecast=_mentions_forecast(reply, resolver))
            if found is not None:
                return found
        elif len(path) < _DEEPEST and isinstance(schema.get("properties"), Mapping):
            for key, child in schema["properties"].items():
                if isinstance(child, Mapping):
                    inner = sample.get(key) if isinstance(sample, dict) else None
                    pending.append((child, (*path, key), inner))
    return None


def column(schema: Mapping[str, Any] | bool, resolver: Resolver) -> Column:
    """Read a column's schema."""
    resolved = flatten(resolver.schema(schema), resolver)
    types = resolved.get("type")
    kinds = types if isinstance(types, list) else [types]
    bare = [kind for kind in kinds if kind != "null"]
    kind = bare[0] if len(bare) == 1 and bare[0] in _SCALARS else None
    format_ = resolved.get("format")
    return Column(
        kind=kind,
        format=format_ if isinstance(format_, str) else None,
        nullable=is_nullable(resolved) or "null" in kinds,
        schema=resolved,
    )


def _rows_at(
    schema: Mapping[str, Any], path: tuple[str, ...], sample: object, resolver: Resolver, *, forecast: bool
) -> RowSpec | None:
    row = flatten(resolver.schema(schema["items"]), resolver)
    properties = row.get("properties")
    if isinstance(properties, Mapping) and properties:
        columns = {name: column(child, resolver) for name, child in properties.items()}
        # inference-schema listed no required columns before 2021, though the server demanded each.
        required = tuple(row["required"]) if "required" in row else tuple(columns)
        # AutoML's forecasting scripts let a frame have more columns; and a contract may say that it does.
        closed = not forecast and row.get("additionalProperties", False) is False
        return RowSpec(
            path=path,
            shape="records",
            columns=columns,
            required=required,
            closed=closed,
            pandas=str(schema.get("format", "")).startswith("pandas.DataFrame"),
            schema=row,
        )
    if isinstance(row.get("items"), Mapping):
        first = sample[0] if isinstance(sample, list) and sample else None
        return RowSpec(
            path=path,
            shape="matrix",
            form="lists",
            cell=column(row["items"], resolver),
            width=len(first) if isinstance(first, list) else None,
            enforced=schema.get("format") == "numpy.ndarray",
            schema=row,
        )
    return None


def _mentions_forecast(reply: object, resolver: Resolver) -> bool:
    """Tell whether a reply's schema has the property `forecast`, at the top or one below it."""
    if not isinstance(reply, Mapping):
        return False
    properties = resolver.schema(reply).get("properties", {})
    inner = [
        resolver.schema(child).get("properties", {}) for child in properties.values() if isinstance(child, Mapping)
    ]
    return any(isinstance(names, Mapping) and "forecast" in names for names in [properties, *inner])
