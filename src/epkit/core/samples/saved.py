"""The format of a saved run: records, each complete in itself, so a file can end anywhere and still be read.

    file    magic, then records. They are only appended: what is written never changes
    magic   89 45 50 4B 49 54 0D 0A
    record  tag, 4 ASCII letters · length of the content, u32 · CRC-32 of tag and content, u32 · the content
            (numbers are little-endian)

    RUN1    JSON; begins a run: `format` (`epkit.run/1`), `arm` (its side of a comparison, "" for none), `tool`, `run`,
            `plan`, `http` (the server) as in the JSON report, as far as they are known before the first request;
            `rows_of` (number of rows of each payload), `wire_bytes` (of each request), `slos`, `failures_as_infinite`,
            and `row`, the columns of ROWS: each is [name, numpy type]
    ROWS    samples as they are in memory (`epkit.core.samples.rows`), times in ns since the start of the run
    STAT    JSON, once a second: the other data for a report, if the run is cut off
    HIST    JSON; after the last samples: every latency as an HdrHistogram (V2, compressed, base64)
    DONE    JSON; ends a run: `report`, the JSON report
    BEST    JSON; ends a search, whose probes are the runs before it: `run`, the number (from 0) of the run that it
    found,
            and `report`, the JSON report of the search

A file holds one run or several, one after another: the repeats of a comparison, or the probes of a search, which BEST
reduces to one. A run without DONE was cut off; its report is made from the data that there is. A reader skips records
with an unknown tag, and refuses a `format` with another number.
"""

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from epkit.core.json.records import Record
from epkit.core.samples.rows import SAMPLE, TIMES, Failure

MAGIC: Final = b"\x89EPKIT\r\n"
FORMAT: Final = "epkit.run/1"
HEAD: Final = struct.Struct("<4sII")
RUN, ROWS, STAT, HIST, DONE, BEST = b"RUN1", b"ROWS", b"STAT", b"HIST", b"DONE", b"BEST"

ABSENT: Final[Mapping[str, str | int]] = {"due": "start", "tcp": "start", "connected": "start", "server": -1}
"""The value of a column that a file lacks: another column, or a number; 0 if the column is not listed here."""

LATEST_NS: Final = 2**53
"""Greatest time of a run in both directions: 104 days, which a float still represents to the nanosecond."""

MOST_COLUMNS: Final = 64
MOST_ROWS: Final = 2**31
"""Greatest number of rows of a payload."""
_KINDS: Final = re.compile(r"[<>|=]?[iu][1248]")


def record(tag: bytes, content: bytes) -> bytes:
    """Return a record as bytes."""
    return HEAD.pack(tag, len(content), checksum(tag, content)) + content


def checksum(tag: bytes, content: bytes) -> int:
    """Return the third number of a record."""
    return zlib.crc32(content, zlib.crc32(tag))


def columns(dtype: np.dtype = SAMPLE) -> list[list[str]]:
    """Return the description of the columns of ROWS."""
    return [[name, dtype[name].newbyteorder("<").str] for name in dtype.names or ()]


def to_bytes(block: np.ndarray) -> bytes:
    """Write samples, little-endian on any machine."""
    return block.astype(SAMPLE.newbyteorder("<"), copy=False).tobytes()


def row_type(described: Sequence[Any]) -> np.dtype:
    """Return the type of the rows that a file describes.

    Raises:
        ValueError: it does not describe columns of whole numbers.
    """
    if len(described) > MOST_COLUMNS or not all(map(_is_column, described)):
        raise ValueError("the columns of the samples cannot be read")
    names = [name for name, _ in described]
    if len(set(names)) != len(names):
        raise ValueError("two columns of the samples have one name")
    made = np.dtype([(name, kind) for name, kind in described])
    if not {"start", "sent", "first", "end"} <= set(made.names or ()):
        raise ValueError("the columns of the samples are not those of a run")
    return made


def _is_column(described: Any) -> bool:
    pair = isinstance(described, list | tuple) and len(described) == 2 and all(type(each) is str for each in described)
    return pair and bool(described[0]) and _KINDS.fullmatch(described[1]) is not None


def to_samples(content: bytes, dtype: np.dtype) -> np.ndarray:
    """Read samples with today's or other columns: missing columns are filled in, unknown ones are left out.

    Raises:
        ValueError: the content is not a whole number of rows, or a value is impossible.
    """
    if len(content) % dtype.itemsize:
        raise ValueError("samples that are no whole number of rows")
    given = np.frombuffer(content, dtype=dtype)
    made = given
    if dtype != SAMPLE:
        made = np.zeros(len(given), dtype=SAMPLE)
        for name in SAMPLE.names or ():
            instead = name if name in (dtype.names or ()) else ABSENT.get(name, 0)
            made[name] = given[instead] if isinstance(instead, str) else instead
    if len(made) and (fault := _fault(made)) is not None:
        raise ValueError(f"samples of which {fault}")
    return made


def _fault(rows: np.ndarray) -> str | None:
    """Return why at least one row is impossible; None if all are possible."""
    for name in TIMES:
        if rows[name].min() < -LATEST_NS or rows[name].max() > LATEST_NS:
            return f"{name} is no time of a run"
    for earlier, later in (("start", "tcp"), ("tcp", "connected"), ("connected", "end"), ("due", "end")):
        if (rows[earlier] > rows[later]).any():
            return f"{later} is before {earlier}"
    return "the failure is of no known kind" if rows["failure"].max() >= len(Failure) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The content of RUN1 without `format`. The parts that belong to the report are checked when it is made.

    Args:
        arm: its side of a comparison; "" for none.
        parts: `tool`, `run`, `plan` and `http` as in the JSON report.
    """

    arm: str
    row: np.dtype
    rows_of: tuple[int | None, ...]
    wire_bytes: tuple[int, ...]
    slos: tuple[str, ...]
    failures_as_infinite: bool
    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """The content of a STAT.

    Args:
        started_ns: wall clock, since the epoch.
        parts: `run` and `http` as in the JSON report, `failures` as an array of its parts.
    """

    elapsed_ns: int = 0
    started_ns: int = 0
    cpu_s: float = 0.0
    max_in_flight: int = 0
    deployments: tuple[str, ...] = ("",)
    failures: tuple[Any, ...] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)


def head_of(values: Mapping[str, Any]) -> Head:
    """Check the content of RUN1.

    Raises:
        ValueError: it is not valid.
    """
    record = Record(values)
    rows_of = record.array("rows_of", default=())
    if not all(rows is None or (type(rows) is int and 0 <= rows <= MOST_ROWS) for rows in rows_of):
        raise ValueError("rows_of is not an array of whole numbers")
    return Head(
        arm=record.text("arm", default=""),
        row=row_type(record.array("row")),
        rows_of=rows_of,
        wire_bytes=record.wholes("wire_bytes", default=()),
        slos=record.texts("slos", default=()),
        failures_as_infinite=record.flag("failures_as_infinite", default=False),
        parts=values,
    )


def stat_of(values: Mapping[str, Any]) -> Stat:
    """Check the content of a STAT.

    Raises:
        ValueError: it is not valid.
    """
    record = Record(values)
    return Stat(
        elapsed_ns=record.whole("elapsed_ns", default=0, most=LATEST_NS),
        started_ns=record.whole("started_ns", default=0, most=2**62),
        cpu_s=record.number("cpu_s", default=0.0),
        max_in_flight=record.whole("max_in_flight", default=0),
        deployments=record.texts("deployments", default=("",)),
        failures=record.array("failures", default=()),
        parts=values,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One run of a file.

    Args:
        stat: the last STAT; without one, the data of RUN1.
        histograms: from HIST, by latency; empty without HIST.
        report: the JSON report; None if the run was cut off.
        rows_at: offset and length in bytes of the content of each ROWS.
    """

    head: Head
    stat: Stat
    histograms: Mapping[str, str]
    report: Mapping[str, Any] | None
    rows_at: tuple[tuple[int, int], ...]

    @property
    def arm(self) -> str:
        """Its side of a comparison; "" for none."""
        return self.head.arm
