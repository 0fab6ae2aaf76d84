"""What stands around the rows of a request body, so that any rows can be put into it: text before, text after.

The bytes of a row are made once, a batch is a `join` of them, and nothing else is encoded for a request.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from epkit.core.json.writing import dumps_words
from epkit.core.validate.wrappers import wrapped
from epkit.errors import UsageError

Shape = Literal["records", "lists", "split", "columns"]
"""How rows stand in a body: `[{…}]`, `[[…]]`, `{"columns": […], "data": [[…]]}`, `{"age": […], …}`."""

SHAPES: Final[tuple[Shape, ...]] = ("records", "lists", "split", "columns")

_USUAL: Final[Mapping[tuple[str, ...], Shape]] = {
    ("dataframe_split",): "split",
    ("dataframe_records",): "records",
    ("input_data",): "split",
    ("inputs",): "columns",
    ("instances",): "records",
}
"""The shapes of MLflow's and TF Serving's keys, where nothing else says."""

_KNOWN: Final = (
    *(("data",), ("Inputs", "data"), ("dataframe_split",), ("dataframe_records",), ("instances",)),
    *(("inputs",), ("input_data",), ("Inputs", "input1"), ("Inputs", "WebServiceInput0"), ("Inputs",)),
)
"""Where rows are looked for in a body whose contract is not known, in this order."""

_MARK: Final = "\ue000rows\ue000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The body around the rows.

    Args:
        path: keys that lead to the rows; () where the body is the list of rows.
        names: the columns of rows that are lists, None where they have no names.
        template: the whole body as decoded, whatever stands where the rows go.
    """

    path: tuple[str, ...]
    shape: Shape
    names: tuple[str, ...] | None = None
    template: Any = None

    @property
    def shown(self) -> str:
        """The body in short: `{"Inputs": {"data": […]}}`."""
        inside = {"records": "[{…}]", "lists": "[[…]]", "split": '{"columns": […], "data": […]}', "columns": "{…}"}
        return wrapped(self.path, inside[self.shape])

    @property
    def wants_lists(self) -> bool:
        """Whether a row is sent as a list of its cells."""
        return self.shape != "records"

    def around(self) -> tuple[bytes, bytes]:
        """Return the text before the first row and after the last; a comma goes between rows.

        Around columns the text is that before and after the whole object.
        """
        inside: Any = _MARK
        if self.shape == "split":
            inside = {"columns": list(self.names or ()), "data": _MARK}
        body = _put(self.template, self.path, inside)
        before, _, after = json.dumps(body, ensure_ascii=False).partition(f'"{_MARK}"')
        brackets = ("", "") if self.shape == "columns" else ("[", "]")
        return before.encode() + brackets[0].encode(), brackets[1].encode() + after.encode()

    def with_parameters(self, parameters: Mapping[str, Any]) -> "Envelope":
        """Set parameters that stand beside the rows: in GlobalParameters around `Inputs`, else at the top.

        Raises:
            UsageError: the body has no room for one: it is a bare list, or the key is that of the rows.
        """
        if not parameters:
            return self
        if not self.path:
            raise UsageError("--method, --param: the body is a bare list of rows: there is no place for parameters")
        body = dict(self.template) if isinstance(self.template, dict) else {}
        if self.path[0] == "Inputs" or "GlobalParameters" in body:
            known = body.get("GlobalParameters")
            body["GlobalParameters"] = {**(known if isinstance(known, dict) else {}), **parameters}
        elif self.path[0] in parameters:
            raise UsageError(f"--param {self.path[0]}: this key holds the rows")
        else:
            body |= parameters
        return replace(self, template=body)


def from_wrap(text: str) -> Envelope:
    """Read `--wrap`: keys with points between them, and after a colon the shape where it is not the usual one.

    Raises:
        UsageError: a key is empty, or the shape is none.
    """
    where, colon, word = text.partition(":")
    path = tuple(where.split("."))
    if not all(path):
        raise UsageError(f"--wrap {text}: keys are written with points between them, such as Inputs.data")
    if not colon:
        return Envelope(path=path, shape=_USUAL.get(path, "records"))
    for shape in SHAPES:
        if shape == word:
            return Envelope(path=path, shape=shape)
    raise UsageError(f"--wrap {text}: the shape after the colon is one of {', '.join(SHAPES)}")


def find_rows(body: object, path: tuple[str, ...] | None = None) -> tuple[Envelope, list[Any]] | None:
    """Find the rows in a decoded body.

    Args:
        path: where they stand if the contract says so; else looked for in all the usual places.

    Returns:
        The envelope and the rows, as they stand there or as the columns are turned; None where there are none.
    """
    places = _KNOWN if path is None else (path,)
    if isinstance(body, list):
        places = ((),)
    for place in places:
        found = _rows_at(_get(body, place))
        if found is not None:
            shape, names, rows = found
            return Envelope(path=place, shape=shape, names=names, template=body), rows
    return None


def _rows_at(value: Any) -> tuple[Shape, tuple[str, ...] | None, list[Any]] | None:
    if isinstance(value, list):
        if value and all(isinstance(row, list) for row in value):
            return "lists", None, value
        return "records", None, value
    if not isinstance(value, dict) or not value:
        return None
    names, data = value.get("columns"), value.get("data")
    if isinstance(data, list) and isinstance(names, list) and all(isinstance(name, str) for name in names):
        return "split", tuple(names), data
    columns = list(value.values())
    if all(isinstance(column, list) for column in columns) and len({len(column) for column in columns}) == 1:
        return "columns", tuple(value), [list(row) for row in zip(*columns, strict=True)]
    return None


def columns_text(names: Sequence[str], rows: bytes) -> bytes:
    """Turn rows that are lists into an object of columns.

    Args:
        rows: lists with commas between them.
    """
    cells = json.loads(b"[" + rows + b"]")
    turned = {name: [row[place] for row in cells] for place, name in enumerate(names)}
    return dumps_words(turned)


def _get(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _put(template: Any, path: Sequence[str], inside: Any) -> Any:
    if not path:
        return inside
    body = dict(template) if isinstance(template, dict) else {}
    # The rows stand first, unless the template says where they stand.
    return {**({} if path[0] in body else {path[0]: None}), **body, path[0]: _put(body.get(path[0]), path[1:], inside)}
