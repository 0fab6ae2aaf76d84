"""What a saved run is made of: records, each whole in itself, so that a file can end anywhere and still be read.

    file    magic, then records. They are only ever appended: what is written is never touched again
    magic   89 45 50 4B 49 54 0D 0A
    record  tag, 4 ASCII letters · length of the content, u32 · CRC-32 of tag and content, u32 · the content
            (numbers are little-endian)

    RUN1    JSON; begins a run: `format` (`epkit.run/1`), `arm` (which side of a comparison it is of, "" for none),
            `tool`, `run`, `plan`, `http` (who was talked to) as in the JSON report, as far as they are known before the
            first request; `rows_of` (how many rows each payload holds), `wire_bytes` (of each request), `slos`,
            `failures_as_infinite`, and `row`, the columns of ROWS: [name, numpy type] each
    ROWS    samples as they are in memory (`epkit.core.samples.rows`), times in ns since the run began
    STAT    JSON, once a second: what else a report needs, should the run go no further
    HIST    JSON; after the last samples: every latency as an HdrHistogram (V2, compressed, base64)
    DONE    JSON; ends a run: `report`, the JSON report
    BEST    JSON; ends a search, whose probes are the runs before it: `run`, the number from 0 of the one that it is
            about, and `report`, the JSON report of the search

A file holds one run or several, one after another: the repeats of a comparison, or the probes of a search, of which
BEST leaves one. A run without DONE was cut off; its report is made again from what there is. A reader skips records of
a tag that it does not know, and refuses a `format` with another number.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from epkit.core.samples.rows import SAMPLE

MAGIC: Final = b"\x89EPKIT\r\n"
FORMAT: Final = "epkit.run/1"
HEAD: Final = struct.Struct("<4sII")
RUN, ROWS, STAT, HIST, DONE, BEST = b"RUN1", b"ROWS", b"STAT", b"HIST", b"DONE", b"BEST"

ABSENT: Final[Mapping[str, str | int]] = {"due": "start", "tcp": "start", "connected": "start", "server": -1}
"""What a column holds that a file does not have: another column, or a number; 0 unless named here."""


def record(tag: bytes, content: bytes) -> bytes:
    """Put a record together."""
    return HEAD.pack(tag, len(content), checksum(tag, content)) + content


def checksum(tag: bytes, content: bytes) -> int:
    """Return what the record's third number has to be."""
    return zlib.crc32(content, zlib.crc32(tag))


def columns(dtype: np.dtype = SAMPLE) -> list[list[str]]:
    """Describe the columns of ROWS."""
    return [[name, dtype[name].newbyteorder("<").str] for name in dtype.names or ()]


def to_bytes(block: np.ndarray) -> bytes:
    """Write samples, little-endian on any machine."""
    return block.astype(SAMPLE.newbyteorder("<"), copy=False).tobytes()


def row_type(described: Sequence[Sequence[str]]) -> np.dtype:
    """Return the type of the rows that a file describes.

    Raises:
        ValueError: it is no description of columns of numbers.
    """
    try:
        made = np.dtype([(str(name), str(kind)) for name, kind in described])
    except (TypeError, ValueError) as error:
        raise ValueError(f"the columns of the samples cannot be read: {error}") from None
    wanted = {"start", "sent", "first", "end"}
    if not made.names or not wanted <= set(made.names) or any(made[name].kind not in "iu" for name in made.names):
        raise ValueError("the columns of the samples are not those of a run")
    return made


def to_samples(content: bytes, dtype: np.dtype) -> np.ndarray:
    """Read samples, of today's columns or of others: what is missing is filled in, what is not known is left out.

    Raises:
        ValueError: the content is no whole number of rows.
    """
    given = np.frombuffer(content, dtype=dtype)
    if dtype == SAMPLE:
        return given
    made = np.zeros(len(given), dtype=SAMPLE)
    for name in SAMPLE.names or ():
        instead = name if name in (dtype.names or ()) else ABSENT.get(name, 0)
        made[name] = given[instead] if isinstance(instead, str) else instead
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One run of a file.

    Args:
        head: the content of RUN1.
        stat: that of the last STAT, None without one.
        histograms: that of HIST, by latency; empty without one.
        report: the JSON report, None where the run was cut off.
        rows_at: offset and length in bytes of each ROWS' content.
    """

    head: Mapping[str, Any]
    stat: Mapping[str, Any] | None
    histograms: Mapping[str, str]
    report: Mapping[str, Any] | None
    rows_at: tuple[tuple[int, int], ...]

    @property
    def arm(self) -> str:
        """Which side of a comparison the run is of; "" for none."""
        return str(self.head.get("arm", ""))
