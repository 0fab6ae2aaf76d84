"""Saved runs on disk: written block by block during a run, and readable even if the run was cut off."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np

from epkit.core.json.records import Record, loads_record
from epkit.core.json.writing import dumps_record
from epkit.core.samples import saved
from epkit.core.samples.saved import Section
from epkit.errors import UsageError, unreadable, unwritable
from epkit.files.writing import NewFile

SUFFIX: Final = ".epkit"
_MOST_JSON: Final = 256 * 1024 * 1024
_MOST_ROWS: Final = 64 * 1024 * 1024
"""Greatest length in bytes of a record of samples; a run writes a few MB at most."""


class RunWriter:
    """A file to which runs are saved, one after another; a context manager.

    `begin` starts a run, `add` is the sink of its samples, `checkpoint` records from time to time the other values of a
    report, and `end` closes the run. `choose` ends a search, and selects one of its runs. Every call is one write:
    after a crash of the process, everything that was written is readable. An older file of this name stays until the
    first run begins.
    """

    def __init__(self, path: str, flag: str = "--save") -> None:
        """Open the file.

        Raises:
            UsageError: the file cannot be written.
        """
        self._name = f"{flag} {path}"
        try:
            # Without a buffer: whatever is reported is in the file, and a full disk is noticed when a block is written.
            self._file = NewFile(path)
        except OSError as error:
            raise unwritable(self._name, error) from None
        self._head = saved.MAGIC

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self, head: Mapping[str, Any], *, arm: str = "") -> None:
        """Begin a run.

        Args:
            head: the contents of RUN1, without `format`, `arm` and `row`.
            arm: the side of a comparison to which the run belongs.
        """
        ours = {"format": saved.FORMAT, "arm": arm, "row": saved.columns()}
        self._write(self._head + saved.record(saved.RUN, dumps_record({**ours, **head, **ours})))
        self._head = b""

    def add(self, block: np.ndarray) -> None:
        """Write a block of samples; times in ns since the run began."""
        if len(block):
            self._write(saved.record(saved.ROWS, saved.to_bytes(block)))

    def checkpoint(self, stat: Mapping[str, Any]) -> None:
        """Record the other values that a report needs if the run is cut off here."""
        self._write(saved.record(saved.STAT, dumps_record(stat)))

    def end(self, report: Mapping[str, Any], histograms: Mapping[str, str]) -> None:
        """End the run.

        Args:
            report: the JSON report.
            histograms: the encoded histogram of each latency.
        """
        self._write(saved.record(saved.HIST, dumps_record(histograms)))
        self._write(saved.record(saved.DONE, dumps_record({"report": report})))

    def choose(self, number: int, report: Mapping[str, Any]) -> None:
        """End a search, and select one of the runs so far as the content of the file.

        Args:
            number: index of the run, from 0.
            report: the JSON report of the search.
        """
        self._write(saved.record(saved.BEST, dumps_record({"run": number, "report": report})))

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.publish()
        except OSError as error:
            raise unwritable(f"{self._name}: the run cannot be saved", error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRun:
    """One run of a saved file.

    Args:
        path: path of the file, as the user gave it.
        cut: whether the file ends in the middle of a record.
    """

    path: str
    section: Section
    cut: bool

    def blocks(self) -> Iterator[np.ndarray]:
        """Read the samples in order.

        Raises:
            UsageError: the file is damaged, or missing.
        """
        try:
            with Path(self.path).open("rb") as file:
                for offset, length in self.section.rows_at:
                    file.seek(offset - saved.HEAD.size)
                    content = _content(file.read(saved.HEAD.size + length))
                    if content is None:
                        raise damaged(self.path, f"the samples at byte {offset} do not match their checksum")
                    yield saved.to_samples(content, self.section.head.row)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise damaged(self.path, str(error)) from None


def read(path: str) -> tuple[SavedRun, ...]:
    """Read everything about the runs of a file except the samples.

    Returns:
        At least one run, in order.

    Raises:
        UsageError: the file does not exist, is not a saved run, has a newer version, is damaged, or is cut off too
            early.
    """
    try:
        with Path(path).open("rb") as file:
            return _Scan(path, file).runs()
    except OSError as error:
        raise unreadable(path, error, "a saved run") from None


def read_all(path: str) -> tuple[SavedRun, ...]:
    """Read the runs of a file, or of all saved runs in a directory, in the order of their names.

    Raises:
        UsageError: see `read`; or the directory has no saved run.
    """
    if not Path(path).is_dir():
        return read(path)
    files = sorted(str(each) for each in Path(path).iterdir() if each.suffix == SUFFIX)
    if not files:
        raise UsageError(f"{path}: no saved run (*{SUFFIX}) in this directory")
    return tuple(run for file in files for run in read(file))


class _Scan:
    """One pass over the records of a file."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._found: list[tuple[dict[str, Any], list[tuple[int, int]]]] = []
        self._best: dict[str, Any] | None = None
        self._cut = False

    def runs(self) -> tuple[SavedRun, ...]:
        """Return the runs."""
        magic = self._file.read(len(saved.MAGIC))
        if magic != saved.MAGIC:
            begun = "cut off after its first bytes" if saved.MAGIC.startswith(magic) else "not a saved run"
            raise UsageError(f"{self._path}: {begun if magic else 'empty'} (epkit bench --save FILE writes one)")
        while not self._cut and self._file.tell() < self._size:
            self._record()
        if not self._found:
            raise UsageError(f"{self._path}: cut off before the first run begins: nothing of it can be reported")
        last = len(self._found) - 1
        runs = tuple(self._run(parts, rows, self._cut and i == last) for i, (parts, rows) in enumerate(self._found))
        return runs if self._best is None else (self._chosen(runs, self._best),)

    def _chosen(self, runs: tuple[SavedRun, ...], best: Mapping[str, Any]) -> SavedRun:
        try:
            number, report = Record(best).whole("run", most=len(runs) - 1), Record(best).object("report")
        except ValueError as error:
            raise damaged(self._path, f"of the search that it ends with {error}") from None
        run = runs[number]
        return replace(run, section=replace(run.section, report=report))

    def _record(self) -> None:
        """Read one record; of a record of samples, only its position."""
        start = self._file.tell()
        head = self._file.read(saved.HEAD.size)
        if len(head) < saved.HEAD.size:
            self._cut = True
            return
        tag, length, _ = saved.HEAD.unpack(head)
        if not (tag.isalnum() and tag.isupper()):
            raise damaged(self._path, "no record begins there", f" at byte {start}")
        if start + saved.HEAD.size + length > self._size:
            self._cut = True
            return
        if tag == saved.ROWS and length > _MOST_ROWS:
            raise damaged(self._path, "a run never writes this many samples at once", f" at byte {start}")
        if tag == saved.ROWS and self._found:
            self._found[-1][1].append((start + saved.HEAD.size, length))
        if tag not in (saved.RUN, saved.STAT, saved.HIST, saved.DONE, saved.BEST):
            self._file.seek(length, os.SEEK_CUR)
            return
        self._take(tag, self._parse(head, length, start))

    def _parse(self, head: bytes, length: int, start: int) -> dict[str, Any]:
        fault = damaged(self._path, "checksum mismatch", f" at byte {start}")
        if length > _MOST_JSON:
            raise fault
        whole = head + self._file.read(length)
        try:
            value = loads_record(whole[len(head) :])
        except ValueError:
            raise fault from None
        if head.startswith(saved.RUN):
            self._check(value.get("format"))  # first: a file of another version is not damaged
        if _content(whole) is None:
            raise fault
        return value

    def _take(self, tag: bytes, value: dict[str, Any]) -> None:
        if tag == saved.RUN:
            self._found.append(({"head": value}, []))
        elif tag == saved.BEST:
            self._best = value
        elif self._found:
            self._found[-1][0][tag.decode()] = value

    def _check(self, format_: object) -> None:
        if format_ == saved.FORMAT:
            return
        ours = saved.FORMAT.rpartition("/")
        name, _, version = str(format_).rpartition("/")
        if name == ours[0] and version.isdecimal():
            raise UsageError(
                f"{self._path}: saved by a newer epkit ({format_}; this one reads {saved.FORMAT}): update epkit"
            )
        raise UsageError(f"{self._path}: not a run of a known format ({format_!r})")

    def _run(self, parts: dict[str, Any], rows: list[tuple[int, int]], cut: bool) -> SavedRun:
        try:
            done = parts.get("DONE")
            histograms = parts.get("HIST", {})
            section = Section(
                head=saved.head_of(parts["head"]),
                stat=saved.stat_of(parts.get("STAT", {})),
                histograms={name: Record(histograms).text(name) for name in histograms},
                report=None if done is None else Record(done).object("report"),
                rows_at=tuple(rows),
            )
        except ValueError as error:
            raise damaged(self._path, str(error)) from None
        return SavedRun(path=self._path, section=section, cut=cut)


def damaged(path: str, why: str, where: str = "") -> UsageError:
    """Return the error for a damaged saved run."""
    return UsageError(f"{path}: damaged{where}: {why}: use an intact copy, or repeat the run")


def _content(whole: bytes) -> bytes | None:
    """Return the content of a record, None if its length or checksum is wrong."""
    _, length, expected = saved.HEAD.unpack_from(whole)
    tag, content = whole[:4], whole[saved.HEAD.size :]
    return content if len(content) == length and saved.checksum(tag, content) == expected else None
