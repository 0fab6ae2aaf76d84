"""Finds the predictions in a reply: the one finder for bench, score, check, validate, deploy and pipeline.

It looks in this order: in the place that the user named, in the place that the contract declares, under the keys that
servers use (`epkit.core.shapes.table`), and in the only list that is as long as the rows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from epkit.core.json.reading import loads
from epkit.core.shapes.forms import recognise, same_length, split_tensor
from epkit.core.shapes.table import REPLY_COLUMNS, REPLY_KEYS
from epkit.errors import UsageError

DEEPEST: Final = 6
"""Greatest depth, in keys, to which a list with an unknown key is searched for."""

_NO_PREDICTIONS: Final = frozenset(
    {
        *("error", "errors", "warning", "warnings", "message", "messages", "detail", "details", "log", "logs"),
        *("index", "id", "ids", "names", "columns", "classes", "features", "feature_names", "shape", "input", "inputs"),
    }
)
"""Keys of lists that are never predictions, even if their length fits."""

_NAMED_ROWS: Final = (("columns", "data"), ("names", "ndarray"), ("names", "tensor"))
"""Keys of objects that have the names of the columns apart from the rows: pandas' split, and Seldon's two."""

_TENSOR: Final = frozenset({"name", "shape", "data"})

_MISSING: Final = object()


class FoundPredictions(NamedTuple):
    """The predictions of a reply.

    Args:
        values: all that the reply has.
        row_keys: for each value, what identifies its row; None if the reply has no index.
        streamed: whether they came as a stream of events; then their number proves nothing.
    """

    values: list[Any]
    row_keys: list[Any] | None = None
    streamed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPlace:
    """The place of the predictions in a reply.

    Args:
        path: keys and element numbers that lead to the predictions; () if the reply itself is the list.
        named: whether the user named the place. Then no other place is tried; but a contract is often wrong.
    """

    path: tuple[str, ...]
    named: bool = True

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer."""
        return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in self.path)


def place_of(pointer: str, *, where: str = "--predictions-at") -> ReplyPlace:
    """Parse a JSON pointer.

    Args:
        where: the option that gave it, for messages.

    Raises:
        UsageError: it is not a JSON pointer.

    Source: RFC 6901.
    """
    if pointer and not pointer.startswith("/"):
        raise UsageError(f"{where} {pointer}: a JSON pointer begins with /, such as /result or /outputs/0/data")
    if re.search("~(?![01])", pointer):
        raise UsageError(f"{where} {pointer}: in a JSON pointer ~ is written ~0, and a / inside of a key ~1")
    steps = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    return ReplyPlace(path=tuple(steps))


def find_predictions(decoded: Any, rows: int | None = None, place: ReplyPlace | None = None) -> FoundPredictions | None:
    """Find the predictions in a decoded reply.

    Args:
        rows: number of rows that were sent; None if it is not known. Then the length of a list proves nothing.
        place: where the predictions are, if it is known.

    Returns:
        One prediction for each row: a value, a list, or an object for several columns. None if none are recognised.
    """
    if place is not None:
        found = _at(decoded, place.path, rows)
        # A contract may name a place that holds something else.
        if place.named or (found is not None and rows in (None, len(found.values))):
            return found
    # The usual reply is handled here, without further calls.
    if type(decoded) is list:
        return _in_list(decoded) if decoded and type(decoded[0]) is dict else FoundPredictions(decoded)
    if isinstance(decoded, dict):
        for key in REPLY_KEYS:
            if key in decoded:
                value = decoded[key]
                if type(value) is list and len(decoded) == 1 and value and type(value[0]) is not dict:
                    return FoundPredictions(value)
                break
        found = _by_key(decoded, rows, 0)
        return _by_length(decoded, rows) if found is None and rows else found
    is_number = isinstance(decoded, int | float)
    return FoundPredictions([decoded]) if rows == 1 and is_number else None


def unwrapped(text: str) -> Any:
    """Decode the JSON object or array in a text, if there is one; otherwise return the text."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return loads(text)
    except ValueError:
        return text


def _at(decoded: Any, path: Sequence[str], rows: int | None) -> FoundPredictions | None:
    """Read the value at a place. An index next to it belongs to the reply itself."""
    value = around = decoded
    for step in path:
        around, value = value, _MISSING
        if isinstance(around, dict):
            value = around.get(step, _MISSING)
        elif isinstance(around, list) and step.isdecimal() and len(step) < 10 and int(step) < len(around):
            value = around[int(step)]
    if value is _MISSING:
        return None
    if path and isinstance(around, dict) and value is not around:
        return _under(around, path[-1], rows, 0)
    return _in_value(value, rows, 0)


def _by_key(value: dict[str, Any], rows: int | None, depth: int) -> FoundPredictions | None:
    for key in REPLY_KEYS:
        if key in value:
            return _under(value, key, rows, depth)
    for key in REPLY_COLUMNS:
        if isinstance(column := value.get(key), list):
            return _of_columns(_columns(value, len(column)), value)
    return None


def _under(value: dict[str, Any], key: str, rows: int | None, depth: int) -> FoundPredictions | None:
    """Read the predictions under a key. The object around them may have the names of their columns, and an index."""
    inner = value[key]
    if type(inner) is list:
        if key == "data" and isinstance(names := value.get("columns"), list):
            return FoundPredictions(_named(names, inner), _index(value, inner))
        found = _in_list(inner)
        return found if found is None or "index" not in value else FoundPredictions(found.values, _index(value, inner))
    return _in_value(inner, rows, depth)


def _in_value(value: Any, rows: int | None, depth: int) -> FoundPredictions | None:
    if isinstance(value, str):
        value = unwrapped(value)
    if isinstance(value, list):
        return _in_list(value)
    if isinstance(value, dict):
        return _in_object(value, rows, depth + 1) if depth < DEEPEST else None
    return FoundPredictions([value]) if rows == 1 else None


def _in_object(value: dict[str, Any], rows: int | None, depth: int) -> FoundPredictions | None:
    """Read the predictions in an object under a known key."""
    for names, inner in _NAMED_ROWS:
        if inner in value and (inner != "data" or names in value):
            return _apart(value, names, inner)
    if isinstance(value.get("shape"), list) and isinstance(data := value.get("data"), list):
        return _split(value["shape"], data)
    found = _by_key(value, rows, depth)
    if found is not None:
        return found
    columns = {key: column for key, column in value.items() if key != "index" or _index(value, column) is None}
    if (count := same_length(columns.values())) is not None:
        return _of_columns(_columns(columns, count), value)
    return _numbered(value)


def _in_list(value: list[Any]) -> FoundPredictions | None:
    if value and type(value[0]) is dict and value[0].keys() >= _TENSOR:
        tensors = recognise(value)
        if tensors is None or tensors.form not in ("tensors", "tensor"):
            return None
        found = tensors.rows()
        return FoundPredictions(found if tensors.form == "tensor" else _named(tensors.names or (), found))
    return FoundPredictions(value)


def _named(names: Sequence[Any], rows: list[Any]) -> list[Any]:
    """Give the cells of each row their names; a single column becomes plain values."""
    if not names or not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        return rows
    if len(names) == 1:
        return [row[0] for row in rows]
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def _apart(value: dict[str, Any], names: str, inner: str) -> FoundPredictions | None:
    rows = value[inner]
    if inner == "tensor" and isinstance(rows, dict):
        shape, data = rows.get("shape"), rows.get("values")
        found = _split(shape, data) if isinstance(shape, list) and isinstance(data, list) else None
        rows = None if found is None else found.values
    if not isinstance(rows, list):
        return None
    known = value.get(names)
    return FoundPredictions(_named(known if isinstance(known, list) else (), rows), _index(value, rows))


def _split(shape: list[Any], data: list[Any]) -> FoundPredictions | None:
    if not shape or not all(isinstance(extent, int) and extent >= 0 for extent in shape):
        return None
    found = split_tensor(shape, data)
    return None if found is None else FoundPredictions(found)


def _columns(value: Mapping[str, Any], count: int) -> dict[str, list[Any]]:
    """Return the lists of an object with that length, except those whose keys show that they are something else."""
    return {
        key: column
        for key, column in value.items()
        if isinstance(column, list) and len(column) == count and key.lower() not in _NO_PREDICTIONS
    }


def _of_columns(columns: Mapping[str, list[Any]], around: Mapping[str, Any]) -> FoundPredictions | None:
    if not columns:
        return None
    first = next(iter(columns.values()))
    if len(columns) == 1:
        found = _in_list(first)
        return None if found is None else FoundPredictions(found.values, _index(around, found.values))
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return FoundPredictions(rows, _index(around, rows))


def _numbered(value: dict[str, Any]) -> FoundPredictions | None:
    """Read pandas' form of a series or a frame: objects whose keys are the numbers of the rows."""
    if _counts(value):
        return FoundPredictions([value[str(number)] for number in range(len(value))])
    columns = [(key, column) for key, column in value.items() if isinstance(column, dict) and _counts(column)]
    if not columns or len(columns) < len(value) or len({len(column) for _, column in columns}) > 1:
        return None
    return _of_columns({key: [column[str(at)] for at in range(len(column))] for key, column in columns}, {})


def _counts(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(str(number) in value for number in range(len(value)))


def _index(around: Mapping[str, Any], values: list[Any]) -> list[Any] | None:
    """Return what an object states about the rows of its predictions.

    It is a list of objects (or the same as JSON text), columns of them, or another order of the row numbers.
    """
    index = around.get("index")
    if isinstance(index, str):
        index = unwrapped(index)
    if isinstance(index, dict) and (count := same_length(index.values())) is not None and count:
        index = [dict(zip(index, row, strict=True)) for row in zip(*index.values(), strict=True)]
    if not isinstance(index, list) or index is values or not index:
        return None
    if all(isinstance(entry, dict) for entry in index):
        return index
    numbers = [entry for entry in index if isinstance(entry, int) and not isinstance(entry, bool)]
    in_order = list(range(len(index)))
    return index if len(numbers) == len(index) == len(values) and sorted(numbers) == in_order != numbers else None


def _by_length(value: dict[str, Any], rows: int | None) -> FoundPredictions | None:
    """Find the only list, or the only object with several lists, that is as long as the rows."""
    assert rows is not None
    found = [(holder, columns) for holder in _objects(value, 0) if (columns := _columns(holder, rows))]
    if len(found) != 1:
        return None
    holder, columns = found[0]
    # For one row, every list with one element has the right length: it must be all that the reply has.
    if rows == 1 and (holder is not value or len(columns) < len(value)):
        return None
    return _of_columns(columns, holder)


def _objects(value: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    yield value
    for inner in value.values():
        if isinstance(inner, dict) and depth < DEEPEST:
            yield from _objects(inner, depth + 1)
