"""The journal of a scoring job: what the job is, and how far its output is safe.

One record a line, each behind the checksum of its text. The first says what the job is, each further one is a point up
to which everything is on the disk, the last may say that all is done. A line that a crash cut short fails its checksum;
it and all that follow count for nothing.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

FORMAT: Final = "epkit.journal/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """How far a job has come.

    Args:
        rows: rows of the input that are in the output.
        failed_rows: of those, rows without a prediction.
        out: bytes of the output that hold them; of Parquet, bytes of the finished file, else 0.
        failed: bytes of the list of failed rows.
        layout: the columns of predictions (`epkit.core.replies.predictions.Layout`), None while no row has told.
        reasons: failed rows by reason.
        complete: whether there is nothing left to do.
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
    """What a journal says.

    Args:
        identity: what the job is: input, target, wrapping.
        point: the last one.
        length: bytes of the journal that count.
    """

    identity: Mapping[str, str]
    point: Point
    length: int


def head_line(identity: Mapping[str, str]) -> bytes:
    """Write the first line of a journal."""
    return _line({"format": FORMAT, **identity})


def point_line(point: Point) -> bytes:
    """Write how far a job has come."""
    return _line(asdict(point))


def read(data: bytes) -> Recorded | None:
    """Read a journal.

    Returns:
        What it says as far as it is whole; None where it is none, or not even its first line is whole.
    """
    identity: Mapping[str, str] | None = None
    point = Point()
    length = 0
    for line in data.splitlines(keepends=True):
        record = _record(line)
        if record is None:
            break
        if identity is None:
            if record.pop("format", None) != FORMAT:
                return None
            identity = record
        else:
            point = Point(**record)
        length += len(line)
    return None if identity is None else Recorded(identity=identity, point=point, length=length)


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Name what of a job is not what it was, None where it is the same job."""
    changed = [name for name in now if before.get(name) != now[name]]
    return ", ".join(changed) or None


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _record(line: bytes) -> dict[str, Any] | None:
    checksum, space, text = line.partition(b" ")
    if not space or not text.endswith(b"\n") or len(checksum) != 8:
        return None
    text = text[:-1]
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record = json.loads(text)
    return record if isinstance(record, dict) else None
