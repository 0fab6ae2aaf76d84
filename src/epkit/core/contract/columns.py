"""The rows of a body in a contract: their place, their form, and their columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from epkit.core.contract.schemas import Resolver, flatten, is_nullable
from epkit.core.shapes.envelopes import Envelope
from epkit.core.shapes.forms import Form, Tensor

_SCALARS: Final = ("integer", "number", "string", "boolean")

Reader = Literal["frame", "pydantic", "schema"]
"""The reader of a cell: pandas or numpy, which convert it to the type of its column; pydantic, which converts it if
nothing is lost; or a server of which only the published schema is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the rows.

    Args:
        kind: `integer`, `number`, `string`, `boolean`; None if the cells are not of one scalar type.
        schema: its schema, with references resolved.
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
        path: keys that lead to the rows; () if the rows are the body.
        shape: whether the columns of a row have names (`records`) or positions (`matrix`), in any form.
        form: how the rows are written in the body.
        columns: the columns of records, in the contract's order.
        required: columns that every row must have.
        closed: whether the server refuses a column that the contract does not name.
        cell: the common description of all cells of a matrix.
        cells: the columns of a matrix, if they are known one by one; otherwise empty.
        width: number of cells in a row of a matrix, if the contract's example shows it.
        enforced: whether the server is known to refuse other widths.
        pandas: whether the server is known to make a pandas frame of the rows.
        keys: columns of a table in which pandas writes the row labels; they may be left out.
        fields: the fields of the schema that pandas writes with a table, by name, from the example.
        tensors: the tensors that contain the rows.
        schema: the schema of one row.
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
        """Return the description of a column of a table: by its name, or for a matrix by its place."""
        if self.shape == "records":
            return self.columns.get(name)
        return self.cells[place] if place < len(self.cells) else self.cell

    def envelope(self, example: object) -> Envelope:
        """Return the body around the rows, which is like the contract's example.

        Args:
            example: an example of a body; any other value is ignored.
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
    """Return rows whose columns have names; each column is required, and no other is allowed."""
    schema = {
        "type": "object",
        "properties": {name: known.schema for name, known in columns.items()},
        "required": list(columns),
    }
    return replace(spec, shape="records", columns=columns, required=tuple(columns), closed=True, schema=schema)


def _without_keys(template: Any, path: Sequence[str], keys: Sequence[str]) -> Any:
    """Copy a body, and remove the key columns, which no user has, from the schema of its table."""
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
