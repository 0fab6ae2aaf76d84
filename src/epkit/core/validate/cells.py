"""Checks one value against a declared scalar type, as the inference server does.

A server whose contract inference-schema generated has two readers. Rows become a pandas frame or a numpy array of
the sample's types, and are *coerced*: `"17"` becomes 17, 17.9 becomes 17, a missing number becomes NaN. Everything else
is a plain Python value, which is tested with `isinstance` and never coerced. Each remark below was observed on
azureml-inference-server-http 1.5 with inference-schema 1.8 and pandas 3.
"""

import math
import re
from datetime import datetime
from typing import Final, NamedTuple

from epkit.core.contract.columns import Column
from epkit.core.contract.shown import show
from epkit.core.validate.violations import Severity

INTEGERS: Final = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}

LITERALS: Final = (-(2**63), 2**64 - 1)
"""The least and greatest whole number that pandas' JSON reader accepts in any column; it refuses others."""

_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,30}\s*", re.ASCII)
_REAL: Final = re.compile(r"\s*[+-]?([0-9]{1,400}+\.?[0-9]{0,400}+|\.[0-9]{1,400})([eE][+-]?[0-9]{1,5})?\s*", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d?)(?:-(\d\d?)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?)?)?(Z| ?[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_PUBLISHED: Final = {
    "date": re.compile(r"\d{4}-\d\d-\d\d", re.ASCII),
    "date-time": re.compile(
        r"\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
    ),
    "uuid": re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII),
}
_AMERICAN: Final = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})(?: (\d\d?):(\d\d)(?::(\d\d))?)?", re.ASCII)
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)


class Remark(NamedTuple):
    """A fault of a value; remarks with equal *rule* and *severity* in one column are reported once."""

    severity: Severity
    rule: str
    text: str


def bounds(format_: object) -> tuple[int, int]:
    """Return the least and the greatest whole number of a format; those of 64 bits if the format is not known."""
    return INTEGERS.get(format_, INTEGERS["int64"]) if isinstance(format_, str) else INTEGERS["int64"]


def judged(value: object, column: Column) -> Remark | None:
    """Judge a cell of a row by how the server of its column reads it.

    Args:
        column: a column whose kind is known.

    Returns:
        None if the cell arrives unchanged, or is null and null is allowed.
    """
    assert column.kind is not None
    if value is None and column.nullable:
        return None
    if column.reader == "frame":
        return coerced(value, column.kind, column.format)
    if type(value) is int and not LITERALS[0] <= value <= LITERALS[1]:
        return Remark("error", "format", f"{show(value)} is larger than any number that servers read")
    if isinstance(value, float) and not math.isfinite(value):
        return Remark("error", "number", f"{show(value)} is not JSON: many servers refuse it, or cannot answer it")
    remark = exact(value, column.kind, column.format)
    if isinstance(value, str) and column.kind == "string":
        return _published(value, column.format) or (remark if column.format not in _PUBLISHED else None)
    if remark is None or remark.severity == "warning":
        return remark
    if column.kind == "integer" and isinstance(value, float) and value.is_integer():
        if _fits(value, column.format):
            return Remark("warning", "type", f"{show(value)} for an integer: servers make {int(value)} of it")
        return remark
    lenient = column.reader == "pydantic" and isinstance(value, str)
    if lenient and column.kind == "integer" and _WHOLE.fullmatch(str(value)) and _fits(int(str(value)), column.format):
        return Remark("warning", "type", f"{show(value)} for an integer: the server reads it as a number")
    if lenient and column.kind == "number" and _REAL.fullmatch(str(value)):
        return Remark("warning", "type", f"{show(value)} for a number: the server reads it as one")
    return remark


def _published(value: str, format_: str | None) -> Remark | None:
    """Judge a text by its format, for a server that surely accepts only what the standard allows."""
    pattern = _PUBLISHED.get(format_ or "")
    if pattern is None or (pattern.fullmatch(value) and (format_ == "uuid" or _is_moment(value[:10]))):
        return None
    return Remark("error", "format", f"{show(value)} is no {format_}")


def _fits(value: float, format_: object) -> bool:
    low, high = bounds(format_)
    return low <= value <= high


def coerced(value: object, kind: str, format_: object) -> Remark | None:
    """Judge a cell of a row, which the server coerces into the column's type.

    Args:
        kind: `integer`, `number`, `string` or `boolean`.
        format_: the schema's format, or None.

    Returns:
        None if the cell arrives unchanged.
    """
    if isinstance(value, list | dict):
        return Remark("error", "type", f"{show(value)} is not {_a(kind)}: a cell holds one value")
    if type(value) is int and not LITERALS[0] <= value <= LITERALS[1]:
        return Remark("error", "format", f"{show(value)} is larger than any number that the server reads")
    if kind == "integer":
        return _integer(value, format_)
    if kind == "number":
        return _number(value)
    if kind == "boolean":
        return _boolean(value)
    return _string(value, format_)


def exact(value: object, kind: str, format_: object) -> Remark | None:
    """Judge a value whose type the server tests, but never converts: a parameter, or a value nested in one."""
    if kind == "integer" and type(value) is int:
        low, high = bounds(format_)
        return None if low <= value <= high else _unfit(value, format_)
    if kind == "number" and type(value) is float and not math.isfinite(value):
        return Remark("warning", "number", f"{show(value)} is not JSON, though the server reads it")
    if kind == "string" and isinstance(value, str):
        return _text(value, format_, coerced=False)
    if is_a(value, kind):
        return None
    return Remark("error", "type", f"{show(value)} is not {_a(kind)}")


def is_a(value: object, kind: str) -> bool:
    """Tell whether a decoded JSON value has a JSON Schema type; 3.0 is no integer (Draft 4)."""
    match kind:
        case "integer":
            return type(value) is int
        case "number":
            return type(value) in (int, float)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
    return value is None


def _integer(value: object, format_: object) -> Remark | None:
    low, high = bounds(format_)
    if isinstance(value, bool):
        return Remark("error", "type", f"{show(value)} is not an integer: the server makes {int(value)} of it")
    if type(value) is int:
        return None if low <= value <= high else _unfit(value, format_)
    if isinstance(value, float):
        if not math.isfinite(value):
            return Remark("error", "type", f"{show(value)} is not an integer")
        if not low <= value <= high:
            return _unfit(value, format_)
        if value.is_integer():
            return Remark("warning", "type", f"{show(value)} for an integer: the server makes {int(value)} of it")
        return Remark("error", "type", f"{show(value)} is not an integer: the server cuts it to {int(value)}")
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        if not low <= int(value) <= high:
            return _unfit(value, format_)
        return Remark("warning", "type", f"{show(value)} for an integer: the server reads it as a number")
    return Remark("error", "type", f"{show(value)} is not an integer")


def _number(value: object) -> Remark | None:
    if isinstance(value, bool):
        return Remark("error", "type", f"{show(value)} is not a number: the server makes {float(value)} of it")
    if isinstance(value, float):
        if math.isfinite(value):
            return None
        return Remark("warning", "number", f"{show(value)} is not JSON, though the server reads it")
    if isinstance(value, int):
        return Remark("warning", "type", f"{value} for a double: the server makes {float(value)} of it")
    if isinstance(value, str) and _REAL.fullmatch(value):
        return Remark("warning", "type", f"{show(value)} for a number: the server reads it as one")
    what = ": the server takes it for a missing number" if value is None else ""
    return Remark("error", "type", f"{show(value)} is not a number{what}")


def _boolean(value: object) -> Remark | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float) and value in (0, 1):
        made = "true" if value else "false"
        return Remark("warning", "type", f"{show(value)} for a boolean: the server makes {made} of it")
    made = "false" if value == "" else "true"
    return Remark("error", "type", f"{show(value)} is not a boolean: the server makes {made} of it")


def _string(value: object, format_: object) -> Remark | None:
    if isinstance(value, str):
        return _text(value, format_, coerced=True)
    if format_ == "date-time":
        return Remark("error", "type", f"{show(value)} is not a date")
    if value is None:
        return Remark("warning", "type", "null for a string: the model sees a missing value")
    return Remark("warning", "type", f"{show(value)} for a string")


def _text(value: str, format_: object, *, coerced: bool) -> Remark | None:
    """Judge a string by its format."""
    if format_ == "date-time":
        return _moment(value, coerced=coerced)
    if format_ == "byte" and not _BASE64.fullmatch(value):
        return Remark("error", "format", f"{show(value)} is not base64")
    if format_ == "date" and not _is_moment(value[:10]):
        return Remark("warning", "format", f"{show(value)} is not a date (YYYY-MM-DD)")
    if format_ == "timedelta" and not any(character.isdigit() for character in value):
        return Remark("error", "format", f"{show(value)} is not a length of time")
    return None


def _moment(value: str, *, coerced: bool) -> Remark | None:
    """Judge a point in time. The server's own example has no zone, although RFC 3339 requires one."""
    if (match := _MOMENT.fullmatch(value)) and _is_moment(value):
        if coerced and not 1678 <= int(match[1]) <= 2261:
            return Remark("error", "format", f"{show(value)} is outside of the years that the server can hold")
        if coerced and match[7]:
            text = f"{show(value)} has a time zone: pandas 3 refuses that, earlier ones convert it; leave it out"
            return Remark("warning", "format", text)
        return None
    american = _AMERICAN.fullmatch(value)
    if american is not None and _calendar(*(int(american[n] or 0) for n in (3, 1, 2, 4, 5, 6))):
        text = f"{show(value)} is read as month/day/year; write {american[3]}-{american[1]:>02}-{american[2]:>02}"
        return Remark("warning", "format", text)
    return Remark("error", "format", f"{show(value)} is not a date and time (2020-01-31T12:00:00)")


def _is_moment(value: str) -> bool:
    match = _MOMENT.fullmatch(value)
    if match is None:
        return False
    return _calendar(*(int(match[n] or least) for n, least in enumerate((0, 1, 1, 0, 0, 0), start=1)))


def _calendar(*parts: int) -> bool:
    try:
        datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001  (only a test whether the time exists)
    except ValueError:
        return False
    return True


def _unfit(value: object, format_: object) -> Remark:
    name = format_ if isinstance(format_, str) and format_ in INTEGERS else "int64"
    return Remark("error", "format", f"{show(value)} does not fit {name}")


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}"
