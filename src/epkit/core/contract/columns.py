"""The rows of a body in a contract: their place, their form, and their columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from epkit.core.contract.schemas import Resolver, flatten, is_nullable
from epkit.core.shapes.envelopes import Envelope
from epkit.core.shapes.forms import Form, Tensor

_SCALARS: Final = ("integer", "number", "string", "boolean")

Reader = Literal["frame", "pydantic", "schema"]
"""Who reads a cell: pandas or numpy, which turn it into the type of its column; pydantic, which does so where nothing
is lost; or a server of which no more is known than the schema that it publishes."""


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
    reader: Reader = "frame"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSpec:
    """The rows of a contract.

    Args:
        path: keys that lead to the rows; () where they are the body.
        shape: whether the columns of a row have names (`records`) or places (`matrix`), however it is written.
        form: how the rows are written in the body.
        columns: of records, in the contract's order.
        required: columns that no row may lack.
        closed: whether a column that the contract does not name is refused.
        cell: of a matrix; what is known of all its cells.
        cells: of a matrix whose columns are known one by one, else empty.
        width: cells in a row of a matrix, where the contract's example tells.
        enforced: whether a server is known to refuse another width.
        pandas: whether a server is known to make a pandas frame of the rows.
        keys: columns of a table that pandas writes to count the rows by, which may be left out.
        fields: of the schema that pandas writes with a table, by name, as the example has them.
        tensors: that the rows are written in.
        schema: of one row.
    """

    path: tuple[str, ...]
    shape: Literal["records", "matrix"]
    form: Form = "records"
    columns: Mapping[str, Column] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    closed: bool = False
    cell: Column | None = None
    cells: tuple[Column, ...] = ()
    width: int | None = None
    enforced: bool = False
    pandas: bool = False
    keys: tuple[str, ...] = ()
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tensors: tuple[Tensor, ...] = ()
    schema: Mapping[str, Any]

    def at(self, place: int, name: str) -> Column | None:
        """Return what is said of a column of a table: by its name, or by its place in a matrix."""
        if self.shape == "records":
            return self.columns.get(name)
        return self.cells[place] if place < len(self.cells) else self.cell

    def envelope(self, example: object) -> Envelope:
        """Return the body around the rows, like the contract's example.

        Args:
            example: of a body, or anything else.
        """
        template = example if isinstance(example, dict) else None
        if self.form == "table":
            template = _without_keys(template, self.path, self.keys)
        return Envelope(
            path=self.path, form=self.form, names=tuple(self.columns) or None, tensors=self.tensors, template=template
        )


def column(schema: Mapping[str, Any] | bool, resolver: Resolver, reader: Reader = "frame") -> Column:
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
        reader=reader,
    )


def named(spec: RowSpec, columns: Mapping[str, Column]) -> RowSpec:
    """Return rows whose columns have names, each of which has to be there, and no other."""
    schema = {
        "type": "object",
        "properties": {name: known.schema for name, known in columns.items()},
        "required": list(columns),
    }
    return replace(spec, shape="records", columns=columns, required=tuple(columns), closed=True, schema=schema)


def _without_keys(template: Any, path: Sequence[str], keys: Sequence[str]) -> Any:
    """Copy a body as far as its table, whose schema counts its rows no more by columns that no user has."""
    if not isinstance(template, dict):
        return template
    if path:
        return {**template, path[0]: _without_keys(template.get(path[0]), path[1:], keys)}
    schema = template.get("schema")
    if not isinstance(schema, dict):
        return template
    listed = schema.get("fields")
    listed = listed if isinstance(listed, list) else []
    fields = [part for part in listed if not (isinstance(part, dict) and part.get("name") in keys)]
    rest = {key: value for key, value in schema.items() if key != "primaryKey"}
    return {**template, "schema": {**rest, "fields": fields}}
