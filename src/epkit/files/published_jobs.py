"""Stores the jobs of a published pipeline: one directory for each requested run.

    jobs/ID/order.json      the request: complete before anything is started; `.ID` until then
           /begun           exists before the process is started, so it is never started again
           /cancel          somebody wants to cancel the job
           /progress.json   progress, written only by the process
           /outcome.json    result, written only by the server
           /lock            held by the process as long as it lives
           /log.txt         log of the process, at most `MOST_LOG_BYTES`

The lock decides: a job that was begun, has no outcome, and whose lock is free was killed. Every file is checked when it
is read, because other programs may have changed it.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

from epkit.core.json.records import Record, loads_record
from epkit.core.pipeline.jobs import OVER, PublishedOrder, PublishedOutcome, PublishedProgress
from epkit.files.writing import replacing, sync_directory

ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A UUID, like the ids of Azure's runs."""

LOG: Final = "log.txt"
MOST_LOG_BYTES: Final = 1 << 20
MOST_BYTES: Final = 1 << 20
"""Greatest size of a file that is read completely."""


class JobDirectory:
    """The directory of a job."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def order(self) -> PublishedOrder:
        """Read the request.

        Raises:
            OSError: it cannot be read.
            ValueError: it is damaged.
        """
        record = self._record("order.json")
        if record is None:
            raise ValueError("it is gone")
        return PublishedOrder(
            id=self.path.name,
            pipeline=record.text("pipeline"),
            number=record.whole("number", least=1),
            experiment=_text(record, "experiment"),
            changes=record.texts("changes"),
            asked_ms=_moment(record, "asked_ms") or 0,
            key=_text(record, "key"),
            body=record.text("body"),
        )

    def progress(self) -> PublishedProgress | None:
        """Read the progress of the process; None if there is none that can be read."""
        try:
            record = self._record("progress.json")
            if record is None:
                return None
            steps = record.object("steps")
            if not all(isinstance(line, str) for line in steps.values()):
                return None
            return PublishedProgress(
                pid=record.whole("pid", least=2, most=2**31 - 1),
                run=_whole(record, "run"),
                begun_ms=_moment(record, "begun_ms"),
                steps=steps,
                exit_code=_whole(record, "exit_code"),
                interrupted=record.flag("interrupted"),
                reason=_text(record, "reason"),
            )
        except (OSError, ValueError):
            return None

    def outcome(self) -> PublishedOutcome | None:
        """Read the result; None if there is none."""
        try:
            record = self._record("outcome.json")
            if record is None:
                return None
            status = next((each for each in OVER if each == record.text("status")), None)
            if status is None:
                return None
            reason, ended_ms = _text(record, "reason"), _moment(record, "ended_ms")
            return PublishedOutcome(status=status, reason=reason, ended_ms=ended_ms or 0)  # type: ignore[arg-type]
        except (OSError, ValueError):
            return None

    def save(self, value: PublishedProgress | PublishedOutcome) -> None:
        """Write one of the two, completely or not at all.

        Raises:
            OSError: it cannot be written.
        """
        name = "progress.json" if isinstance(value, PublishedProgress) else "outcome.json"
        with replacing(self.path / name) as file:
            file.write(json.dumps(asdict(value)).encode())

    @property
    def is_begun(self) -> bool:
        """Whether a process was started, or was about to be."""
        return (self.path / "begun").exists()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody wants to cancel the job."""
        return (self.path / "cancel").exists()

    def mark(self, name: str) -> None:
        """Create the file `begun` or `cancel`; it is on disk when this returns.

        Raises:
            OSError: it cannot be written.
        """
        (self.path / name).touch(mode=0o600)
        sync_directory(self.path)

    def take_lock(self) -> IO[bytes] | None:
        """Take the lock. It is released when the file is closed everywhere. None: the process of the job has it.

        Raises:
            OSError: it cannot be opened.
        """
        file = (self.path / "lock").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except BaseException:
            file.close()
            raise
        return file

    def wait(self) -> None:
        """Wait until the process of the job is gone.

        Raises:
            OSError: the directory is gone.
        """
        with (self.path / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)

    def log(self, offset: int, most: int) -> tuple[bytes, int]:
        """Read a part of the log.

        Args:
            offset: bytes before it; below 0 counts from the end.

        Returns:
            At most *most* bytes, and the offset of the first one.
        """
        try:
            with (self.path / LOG).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                begin = min(size, offset if offset >= 0 else max(0, size + offset))
                file.seek(begin)
                return file.read(most), begin
        except OSError:
            return b"", 0

    def _record(self, name: str) -> Record | None:
        try:
            with (self.path / name).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(content) > MOST_BYTES:
            raise ValueError("it is longer than any that is written")
        return Record(loads_record(content))


class JobStore:
    """The jobs of a published pipeline."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __iter__(self) -> Iterator[JobDirectory]:
        try:
            names = [entry.name for entry in self.directory.iterdir() if ID.fullmatch(entry.name)]
        except FileNotFoundError:
            names = []
        return iter([self.job(name) for name in names])

    def job(self, name: str) -> JobDirectory:
        """Return the directory of a job, which need not exist."""
        return JobDirectory(self.directory / name)

    def add(self, order: PublishedOrder) -> JobDirectory:
        """Store a request; it is complete and on disk when this returns.

        Raises:
            OSError: it cannot be written; then nothing is left of it.
        """
        self.directory.mkdir(mode=0o700, exist_ok=True)
        hidden = self.directory / f".{order.id}"
        try:
            hidden.mkdir(mode=0o700)
            values: Mapping[str, Any] = asdict(order)
            with (hidden / "order.json").open("xb") as file:
                file.write(json.dumps({name: value for name, value in values.items() if name != "id"}).encode())
                file.flush()
                os.fsync(file.fileno())
            sync_directory(hidden)
            hidden.rename(self.directory / order.id)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        sync_directory(self.directory)
        return self.job(order.id)

    def forget(self, name: str) -> None:
        """Delete a job that has ended."""
        shutil.rmtree(self.directory / name, ignore_errors=True)

    def clean(self) -> None:
        """Delete what is left of an `add` that was killed."""
        for left in self.directory.glob(".*"):
            shutil.rmtree(left, ignore_errors=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep other servers away from the jobs; yields whether no other server had them.

        Raises:
            OSError: the lock cannot be opened.
        """
        self.directory.mkdir(mode=0o700, exist_ok=True)
        with (self.directory / "lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def _text(record: Record, name: str) -> str | None:
    return None if record.values.get(name) is None else record.text(name)


def _whole(record: Record, name: str) -> int | None:
    return None if record.values.get(name) is None else record.whole(name)


def _moment(record: Record, name: str) -> int | None:
    """Return milliseconds since 1970, within the range of a calendar."""
    return None if record.values.get(name) is None else record.whole(name, most=253_402_300_799_999)
