"""Messages between processes as bytes and back: typed values. Nothing is ever unpickled.

A frame names one of the types that its reader expects. Its fields are read with the types that the class declares. A
value of another type or length is refused, and so are surplus bytes. So a forged frame can contain wrong numbers, but
it cannot run code, and it needs no more memory than its own size suggests.

    frame := version (1 byte) · length of the structure (4 bytes, little-endian) · structure · blobs
    structure := JSON: [lengths of the blobs, name of the type, its fields]

A `bytes` is the number of its blob; a dataclass or a named tuple is the list of its fields; a mapping is the list of
its pairs; an enum is its value; a numpy array is a blob of 64-bit integers; `Any` is a blob of JSON text. For other
classes (`Portable`), `state()` is sent, and `restored(state)` makes the object again.
"""

import dataclasses
import enum
import json
import math
import struct
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal, NamedTuple, Protocol, Self, Union, get_args, get_origin, get_type_hints

import numpy as np
import orjson

from epkit.core.json.writing import dumps_row, dumps_words
from epkit.errors import ContractError, EndpointError, EpkitError, UsageError

VERSION: Final = 1
MOST_FRAME_BYTES: Final = 1 << 30
"""Greatest size of a frame: the payloads of a run, or the replies to a span of rows, fit into it."""

MOST_DIGITS: Final = 300
"""Greatest number of characters of a whole number."""

_HEAD: Final = struct.Struct("<BI")
_ERRORS: Final = {error.exit_code: error for error in (UsageError, ContractError, EndpointError)}


class MalformedError(ValueError):
    """A frame, or a value in it, that is not valid."""


class Portable(Protocol):
    """A class whose state is sent in its place."""

    def state(self) -> Any:
        """Return the state; the annotated type says how it is read."""

    @classmethod
    def restored(cls, state: Any) -> Self:
        """Make the object again.

        Raises:
            ValueError: no object can have this state.
        """


class _Packing:
    """The blobs of a frame under construction; a blob that occurs twice is sent once."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []
        self._numbers: dict[int, int] = {}

    def add(self, blob: bytes) -> int:
        """Return the number of a blob, and add it if it is new."""
        number = self._numbers.get(id(blob))
        if number is None:
            number = self._numbers[id(blob)] = len(self.blobs)
            self.blobs.append(blob)
        return number


class Coder(NamedTuple):
    """Functions that turn values of a type into JSON and blobs, and back."""

    put: Callable[[Any, _Packing], Any]
    take: Callable[[Any, Sequence[memoryview]], Any]


class Messages:
    """The messages that are accepted, by name: each is a dataclass."""

    def __init__(self, *kinds: type) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}

    def pack(self, message: object) -> bytes:
        """Make a frame from a message.

        Raises:
            UsageError: it is too long, or has a value that cannot be written.
        """
        kind: Any = type(message)
        name: str = kind.__name__
        assert self._kinds.get(name) is kind, kind
        packing = _Packing()
        try:
            fields = coder(kind).put(message, packing)
            structure = orjson.dumps([[len(blob) for blob in packing.blobs], name, fields])
        except (TypeError, RecursionError) as error:
            raise UsageError(f"workers cannot be sent this: {error}") from None
        if len(structure) + sum(map(len, packing.blobs)) > MOST_FRAME_BYTES - _HEAD.size:
            raise UsageError(f"more than {MOST_FRAME_BYTES >> 20} MB at once is not sent to workers: give less (-p)")
        return b"".join((_HEAD.pack(VERSION, len(structure)), structure, *packing.blobs))

    def unpack(self, frame: bytes) -> Any:
        """Read a frame.

        Raises:
            MalformedError: it is not one of these messages.
        """
        structure, rest = _split(frame)
        match structure:
            case [list(lengths), str(name), fields] if name in self._kinds:
                blobs = _blobs(lengths, rest)
                return coder(self._kinds[name]).take(fields, blobs)
        raise MalformedError("no message that is known here")


def _split(frame: bytes) -> tuple[Any, memoryview]:
    if not _HEAD.size <= len(frame) <= MOST_FRAME_BYTES:
        raise MalformedError(f"a frame of {len(frame):,} bytes")
    version, length = _HEAD.unpack_from(frame)
    if version != VERSION:
        raise MalformedError(f"a frame of version {version}, and this is {VERSION}")
    view = memoryview(frame)[_HEAD.size :]
    if length > len(view):
        raise MalformedError("a frame that is shorter than it says")
    try:
        return orjson.loads(view[:length]), view[length:]
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"a frame that cannot be read: {str(error)[:80]}") from None


def _blobs(lengths: list[Any], rest: memoryview) -> list[memoryview]:
    found, at = [], 0
    for length in lengths:
        if type(length) is not int or not 0 <= length <= len(rest) - at:
            raise MalformedError("a frame with other lengths than it says")
        found.append(rest[at : at + length])
        at += length
    if at != len(rest):
        raise MalformedError("a frame with more than it says")
    return found


@cache
def coder(kind: Any) -> Coder:
    """Return the functions for a declared type."""
    if (plain := _PLAIN.get(kind)) is not None:
        return plain
    origin, given = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = (each for each in given if each is not type(None))
        return _optional(coder(inner))
    if origin is Literal:
        return _one_of(given)
    if origin is tuple:
        return _sequence(coder(given[0])) if given[1:] == (...,) else _fixed([coder(each) for each in given])
    if origin is Sequence:
        return _ROWS if given == (bytes,) else _JSON
    if origin is Mapping:
        return _JSON if given[1] is Any else _mapping(coder(given[0]), coder(given[1]))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum(kind)
    if dataclasses.is_dataclass(kind):
        return _record(kind, [field.name for field in dataclasses.fields(kind) if field.init])
    if hasattr(kind, "_fields"):
        return _record(kind, kind._fields)
    if hasattr(kind, "restored"):
        return _portable(kind)
    raise TypeError(f"values of {kind} do not travel")


def _refuse(value: object, wanted: str) -> MalformedError:
    return MalformedError(f"{wanted} expected, not {type(value).__name__}")


def _exactly(kind: type, wanted: str) -> Coder:
    def take(value: Any, _: Sequence[memoryview]) -> Any:
        if type(value) is not kind:
            raise _refuse(value, wanted)
        return value

    return Coder(lambda value, _: value, take)


def _put_text(value: str, packing: _Packing) -> Any:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair: in a file name, or in a reply
        return [packing.add(value.encode("utf-8", "surrogatepass"))]
    return value


def _take_text(value: Any, blobs: Sequence[memoryview]) -> str:
    if type(value) is str:
        return value
    if type(value) is not list or len(value) != 1:
        raise _refuse(value, "a text")
    try:
        return bytes(_take_blob(value[0], blobs)).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise MalformedError("a text that is not UTF-8") from None


def _put_whole(value: Any, _: _Packing) -> Any:
    return int(value) if -(2**63) <= value < 2**63 else str(value)


def _take_whole(value: Any, _: Sequence[memoryview]) -> int:
    if type(value) is str and len(value) <= MOST_DIGITS and value.removeprefix("-").isdecimal():
        return int(value)
    if type(value) is not int:
        raise _refuse(value, "a whole number")
    return value


def _take_number(value: Any, _: Sequence[memoryview]) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise _refuse(value, "a number")
    return float(value)


def _take_blob(value: Any, blobs: Sequence[memoryview]) -> memoryview:
    if type(value) is not int or not 0 <= value < len(blobs):
        raise _refuse(value, "the number of a blob")
    return blobs[value]


def _put_json(value: Any, packing: _Packing) -> Any:
    """Write JSON text, in a list if the fast reader would read it differently."""
    try:
        data = orjson.dumps(value)
    except TypeError:  # half a surrogate pair, an integer of more than 64 bits, keys that are not texts
        return [packing.add(dumps_words(value))]
    # orjson writes NaN and the infinities as null.
    if b"null" in data and (words := dumps_row(value)) != data:
        return [packing.add(words)]
    return packing.add(data)


def _take_json(value: Any, blobs: Sequence[memoryview]) -> Any:
    careful = type(value) is list and len(value) == 1
    data = _take_blob(value[0] if careful else value, blobs)
    try:
        return json.loads(bytes(data).decode("utf-8", "surrogatepass")) if careful else orjson.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {str(error)[:80]}") from None


def _put_rows(value: Sequence[bytes], packing: _Packing) -> list[int]:
    lengths = np.fromiter(map(len, value), dtype="<i8", count=len(value)).tobytes()
    return [packing.add(lengths), packing.add(b"".join(value))]


def _take_rows(value: Any, blobs: Sequence[memoryview]) -> list[bytes]:
    if type(value) is not list or len(value) != 2:
        raise _refuse(value, "rows")
    lengths, joined = _integers(_take_blob(value[0], blobs)), bytes(_take_blob(value[1], blobs))
    if len(lengths) and (int(lengths.min()) < 0 or int(lengths.max()) > len(joined)):
        raise MalformedError("rows with other lengths than they say")
    ends = np.cumsum(lengths).tolist()
    if (ends[-1] if ends else 0) != len(joined):
        raise MalformedError("rows with other lengths than they say")
    return [joined[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _integers(blob: memoryview) -> np.ndarray:
    if len(blob) % 8:
        raise MalformedError(f"an array of {len(blob)} bytes")
    return np.frombuffer(blob, dtype="<i8")


def _take_moment(value: Any, _: Sequence[memoryview]) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _refuse(value, "a time") from None
    if moment.tzinfo is None:
        raise MalformedError("a time without its zone")
    return moment


def _take_error(value: Any, _: Sequence[memoryview]) -> EpkitError:
    match value:
        case [int(code), str(words)] if code in _ERRORS:
            return _ERRORS[code](words)
    raise _refuse(value, "an error")


_JSON: Final = Coder(_put_json, _take_json)
_ROWS: Final = Coder(_put_rows, _take_rows)
_PLAIN: Final[Mapping[Any, Coder]] = {
    bool: _exactly(bool, "true or false"),
    str: Coder(_put_text, _take_text),
    int: Coder(_put_whole, _take_whole),
    float: Coder(lambda value, _: float(value), _take_number),
    bytes: Coder(lambda value, packing: packing.add(value), lambda value, blobs: bytes(_take_blob(value, blobs))),
    datetime: Coder(lambda value, _: value.isoformat(), _take_moment),
    np.ndarray: Coder(
        lambda value, packing: packing.add(np.ascontiguousarray(value, dtype="<i8").tobytes()),
        lambda value, blobs: _integers(_take_blob(value, blobs)),
    ),
    EpkitError: Coder(lambda value, _: [value.exit_code, str(value)], _take_error),
    Any: _JSON,
}


def _optional(inner: Coder) -> Coder:
    return Coder(
        lambda value, packing: None if value is None else inner.put(value, packing),
        lambda value, blobs: None if value is None else inner.take(value, blobs),
    )


def _one_of(given: tuple[Any, ...]) -> Coder:
    def take(value: Any, _: Sequence[memoryview]) -> Any:
        if not any(type(value) is type(each) and value == each for each in given):
            raise _refuse(value, " or ".join(map(repr, given)))
        return value

    return Coder(lambda value, _: value, take)


def _sequence(inner: Coder) -> Coder:
    def take(value: Any, blobs: Sequence[memoryview]) -> Any:
        if type(value) is not list:
            raise _refuse(value, "a list")
        return tuple(inner.take(each, blobs) for each in value)

    return Coder(lambda value, packing: [inner.put(each, packing) for each in value], take)


def _fixed(parts: Sequence[Coder]) -> Coder:
    def put(value: Any, packing: _Packing) -> Any:
        return [part.put(each, packing) for part, each in zip(parts, value, strict=True)]

    def take(value: Any, blobs: Sequence[memoryview]) -> Any:
        if type(value) is not list or len(value) != len(parts):
            raise _refuse(value, f"a list of {len(parts)}")
        return tuple(part.take(each, blobs) for part, each in zip(parts, value, strict=True))

    return Coder(put, take)


def _mapping(keys: Coder, values: Coder) -> Coder:
    pairs = _sequence(_fixed([keys, values]))
    return Coder(
        lambda value, packing: pairs.put(value.items(), packing), lambda value, blobs: dict(pairs.take(value, blobs))
    )


def _enum(kind: type[enum.Enum]) -> Coder:
    def take(value: Any, _: Sequence[memoryview]) -> Any:
        if type(value) not in (int, str):
            raise _refuse(value, kind.__name__)
        try:
            return kind(value)
        except ValueError:
            raise MalformedError(f"no {kind.__name__}: {value!r:.40}") from None

    return Coder(lambda value, _: value.value, take)


def _record(kind: Any, names: Sequence[str]) -> Coder:
    hints = get_type_hints(kind)
    parts = [coder(hints[name]) for name in names]
    places = list(zip(names, parts, strict=True))

    def put(value: Any, packing: _Packing) -> Any:
        return [part.put(getattr(value, name), packing) for name, part in places]

    def take(value: Any, blobs: Sequence[memoryview]) -> Any:
        if type(value) is not list or len(value) != len(places):
            raise _refuse(value, f"the {len(places)} fields of {kind.__name__}")
        return kind(**{name: part.take(each, blobs) for (name, part), each in zip(places, value, strict=True)})

    return Coder(put, take)


def _portable(kind: Any) -> Coder:
    inner = coder(get_type_hints(kind.state)["return"])

    def take(value: Any, blobs: Sequence[memoryview]) -> Any:
        try:
            return kind.restored(inner.take(value, blobs))
        except MalformedError:
            raise
        except ValueError as error:
            raise MalformedError(str(error)) from None

    return Coder(lambda value, packing: inner.put(value.state(), packing), take)
