"""The journal of a scoring job: its identity, and how much of its output is safely on disk.

Each line has one record, after the checksum of its text. The first record identifies the job. Each further one is a
point up to which everything is on disk; the last one may mark the end. A line that a crash cut short has a wrong
checksum; it and all later lines are ignored. A complete line must be plausible: a job never goes back, and the values
of a point are consistent.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from epkit.core.json.records import Record, loads_record

FORMAT: Final = "epkit.journal/1"
_KEYS: Final = ("rows", "failed_rows", "out", "failed", "layout", "reasons", "complete")
_KINDS: Final = ("value", "list", "object", "any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The progress of a job.

    Args:
        rows: number of input rows in the output.
        failed_rows: rows of these without a prediction.
        out: length of the output with them; for Parquet, length of the finished file, otherwise 0.
        failed: length of the list of failed rows.
        layout: columns of the predictions (`epkit.core.replies.predictions.Layout`), None before the first prediction.
        reasons: number of failed rows by reason.
        complete: whether nothing is left to do.
    """

    rows: int = 0
    failed_rows: int = 0
    out: int = 0
    failed: int = 0
    layout: Mapping[str, Any] | None = None
    reasons: Mapping[str, int] | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The contents of a journal.

    Args:
        identity: identity of the job: input, target, wrapping.
        point: the last point.
        length: bytes of the journal that are valid.
    """

    identity: Mapping[str, str]
    point: Point
    length: int


def head_line(identity: Mapping[str, str]) -> bytes:
    """Return the first line of a journal."""
    return _line({"format": FORMAT, **identity})


def point_line(point: Point) -> bytes:
    """Return the line for a point."""
    return _line(asdict(point))


def read(lines: Iterable[bytes]) -> Recorded | None:
    """Read a journal.

    Args:
        lines: with their line breaks.

    Returns:
        The contents up to the first incomplete line; None if it is not a journal, or its first line is incomplete.

    Raises:
        ValueError: a line is complete but not plausible.
    """
    identity: Mapping[str, str] | None = None
    point = Point()
    length = 0
    for number, line in enumerate(lines, start=1):
        text = _whole(line)
        if text is None:
            break
        if identity is None:
            identity = _identity(text)
            if identity is None:
                return None
        else:
            try:
                point = _point(loads_record(text), point)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
        length += len(line)
    return None if identity is None else Recorded(identity=identity, point=point, length=length)


def _identity(text: bytes) -> Mapping[str, str] | None:
    try:
        record = loads_record(text)
        return {name: Record(record).text(name) for name in record} if record.pop("format", None) == FORMAT else None
    except ValueError:
        return None


def _point(values: Mapping[str, Any], before: Point) -> Point:
    """Check a point that follows another one.

    Raises:
        ValueError: no job can get from that point to this one.
    """
    if unknown := sorted(values.keys() - set(_KEYS)):
        raise ValueError(f"{unknown[0]!a} is not known")
    record = Record(values)
    reasons = None if values.get("reasons") is None else record.object("reasons")
    point = Point(
        rows=record.whole("rows", least=before.rows),
        failed_rows=record.whole("failed_rows", least=before.failed_rows),
        out=record.whole("out", least=before.out),
        failed=record.whole("failed", least=before.failed),
        layout=None if values.get("layout") is None else _layout(record.object("layout")),
        reasons=None if reasons is None else {name: Record(reasons).whole(name) for name in reasons},
        complete=record.flag("complete"),
    )
    if before.complete:
        raise ValueError("the job was complete before")
    if point.failed_rows > point.rows or point.failed_rows != sum((point.reasons or {}).values()):
        raise ValueError(f"{point.failed_rows} failed rows are not those of its reasons, or more than its rows")
    if (point.failed == 0) != (point.failed_rows == 0):
        raise ValueError(f"{point.failed_rows} failed rows are in {point.failed} bytes")
    if point.rows and point.layout is None:
        raise ValueError("it has rows and no layout")
    if before.layout is not None and point.layout != before.layout:
        raise ValueError("its layout is another than before")
    return point


def _layout(values: Mapping[str, Any]) -> Mapping[str, Any]:
    record = Record(values)
    names = record.texts("names")
    keys = None if values.get("keys") is None else record.texts("keys")
    kind = record.text("kind")
    if kind not in _KINDS or not names or (keys is not None and (len(keys) != len(names) or kind != "object")):
        raise ValueError("its layout is none that predictions have")
    return {"kind": kind, "names": names, "keys": keys}


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Return the first part of a job's identity that differs, None if the jobs are the same."""
    changed = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    return ", ".join(changed) or None


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _whole(line: bytes) -> bytes | None:
    """Return the text of a line; None if a crash cut it short."""
    checksum, space, text = line.partition(b" ")
    if not space or not text.endswith(b"\n") or len(checksum) != 8:
        return None
    text = text[:-1]
    return text if checksum == b"%08x" % zlib.crc32(text) else None
