"""The text before and after the rows of a request body; any rows can be put between.

The bytes of a row are made once, and a batch is a `join` of them. Nothing else is encoded for a request, unless the
form of the rows has no separate text for each row (`epkit.core.shapes.forms`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from epkit.core.near import not_one_of
from epkit.core.shapes.bodies import find_rows
from epkit.core.shapes.forms import FORMS, LOOKS, OF_OBJECTS, SINGLE, TEXTS, Form, FoundRows, RowWriter, Tensor
from epkit.core.shapes.table import SHAPES, by_name, usual
from epkit.errors import UsageError

_MARK: Final = "\ue000rows\ue000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The body around the rows.

    Args:
        path: keys that lead to the rows; () if the body is the list of rows.
        names: names of the columns of rows that are lists, None if they have no names.
        tensors: tensors that hold the rows, if more than their names is known.
        template: the whole decoded body, with any value in the place of the rows.
    """

    path: tuple[str, ...]
    form: Form
    names: tuple[str, ...] | None = None
    tensors: tuple[Tensor, ...] = ()
    template: Any = None

    @property
    def shown(self) -> str:
        """The body as a short text: `{"Inputs": {"data": […]}}`."""
        return wrapped(self.path, LOOKS[self.form])

    @property
    def wants_lists(self) -> bool:
        """Whether a row is encoded as a list of its cells."""
        return self.form not in OF_OBJECTS

    @property
    def is_named(self) -> bool:
        """Whether the body has the names of the columns apart from the rows."""
        return self.form in ("split", "ndarray", "columns", "dicts", "tensors")

    @property
    def most_rows(self) -> int | None:
        """Greatest number of rows in a body, None: any number."""
        return 1 if self.form in SINGLE else None

    @property
    def content_type(self) -> str:
        """Content type of the body."""
        return TEXTS.get(self.form, "application/json")

    @property
    def writer(self) -> RowWriter:
        """The writer for the rows of a body."""
        return RowWriter(form=self.form, names=self.names or (), tensors=self.tensors)

    def around(self) -> tuple[bytes, bytes]:
        """Return the text before and after the rows; `writer` writes the rows."""
        if self.form in TEXTS:
            return b"", b""
        held = self.template
        for key in self.path:
            held = held.get(key) if isinstance(held, dict) else None
        inside, opening, closing = self.writer.inside(_MARK, held if isinstance(held, dict) else {})
        body = _put(self.template, self.path, inside)
        before, _, after = json.dumps(body, ensure_ascii=False).partition(f'"{_MARK}"')
        return before.encode() + opening.encode(), closing.encode() + after.encode()

    def with_parameters(self, parameters: Mapping[str, Any]) -> "Envelope":
        """Set parameters next to the rows: in GlobalParameters if the rows are in `Inputs`, otherwise at the top.

        Raises:
            UsageError: the body has no place for them: it is a plain list, or the key is that of the rows.
        """
        if not parameters:
            return self
        if not self.path:
            what = LOOKS[self.form] if self.form in TEXTS else "a row" if self.most_rows else "a bare list of rows"
            raise UsageError(f"--method, --param: the body is {what}: there is no place for parameters")
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
    """Parse `--wrap`: `@` and the name of a shape, or keys with dots between them and a form after a colon.

    Raises:
        UsageError: there is no such shape or form, or a key is empty.
    """
    if text.startswith("@"):
        shape = by_name(text[1:])
        if shape is None:
            raise not_one_of("--wrap", text, (f"@{one.name}" for one in SHAPES))
        return Envelope(path=shape.path, form=shape.form)
    where, colon, word = text.partition(":")
    path = tuple(where.split("."))
    if not all(path):
        raise UsageError(f"--wrap {text}: keys are written with points between them, such as Inputs.data")
    if not colon:
        return Envelope(path=path, form=usual(path))
    for form in FORMS:
        if form == word and form not in TEXTS:
            return Envelope(path=path, form=form)
    forms = ", ".join(form for form in FORMS if form not in TEXTS)
    raise UsageError(f"--wrap {text}: the shape after the colon is one of {forms}")


def of_body(body: object, path: tuple[str, ...] | None = None) -> tuple[Envelope, FoundRows] | None:
    """Find the rows in a decoded body, and the envelope around them.

    Args:
        path: as for `find_rows`.
    """
    place_and_rows = find_rows(body, path)
    if place_and_rows is None:
        return None
    place, found = place_and_rows
    return Envelope(path=place, form=found.form, names=found.names, tensors=found.tensors, template=body), found


def wrapped(path: Iterable[str], inside: str = "[…]") -> str:
    """Return the body with its rows under *path*, as a short text: `{"Inputs": {"data": […]}}`."""
    for key in reversed(tuple(path)):
        inside = f"{{{json.dumps(key)}: {inside}}}"
    return inside


def _put(template: Any, path: Sequence[str], inside: Any) -> Any:
    if not path:
        return inside
    body = dict(template) if isinstance(template, dict) else {}
    # The rows come first, unless the template already has a place for them.
    return {**({} if path[0] in body else {path[0]: None}), **body, path[0]: _put(body.get(path[0]), path[1:], inside)}
