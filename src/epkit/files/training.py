"""The files of a training that are not deployed: the journal of its runs, which is also the lock, and their margins.

Each line of `runs.jsonl` is a record with the checksum of its text. The first record describes the search. The line of
a run is written after the run's margins are on disk, and has their size and checksum. A line that a crash cut short is
removed. A run whose margins do not match its line is done again, and its later line counts. All other damage is
refused, with the number of the line.

    model.run/runs.jsonl      {"format": …}, {"pid": …}, {"run": 1, …}, …
    model.run/oof/1.npy       float32, rows × outputs
    model.run/.work-…/        the rows for the workers, deleted at the end of the search
"""

import contextlib
import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final, Self, cast, get_args

import numpy as np

from epkit.core.http.masking import clean
from epkit.core.json.records import Record, loads_record
from epkit.core.train.plan import Candidate, Family
from epkit.core.train.tried import State, Tried
from epkit.errors import UsageError, system_words
from epkit.files.writing import replacing, write_all

try:
    import fcntl
except ImportError:  # Windows: the user must avoid two runs at once
    fcntl = None  # type: ignore[assignment]

FORMAT: Final = "epkit.training/1"
LONGEST_BYTES: Final = 64 << 20
"""Greatest size of a journal in bytes; thousands of runs need a megabyte."""

_SCRATCH: Final = ".work-"
_LONGEST_SHOWN: Final = 60
_CRC: Final = b', "crc": "'
"""The text before the checksum of a line; the checksum is the last member."""


class TrainingJournal:
    """The completed runs of a search; a context manager: `begin`, then `add`.

    `done` has the runs by number; their margins are mapped from files.
    """

    def __init__(self, directory: str | Path, *, restart: bool = False) -> None:
        """Set the directory, `model.run`, which contains nothing else.

        Args:
            restart: whether to ignore the work of an earlier search.
        """
        self.directory = Path(directory)
        self._path = self.directory / "runs.jsonl"
        self._margins = self.directory / "oof"
        self._restart = restart
        self._file: IO[bytes] | None = None
        self.done: dict[int, Tried] = {}

    def __enter__(self) -> Self:
        """Take the lock; existing files are not changed.

        Raises:
            UsageError: another run has the lock, or the directory cannot be written.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+b", buffering=0)
        except OSError as error:
            raise self.trouble(error) from None
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                owner = self._owner()
                self._file.close()
                raise UsageError(
                    f"{self.directory}: another run is writing it{owner}: wait for that, or end it"
                ) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, identity: Mapping[str, str]) -> None:
        """Find out which runs are done, and prepare for more.

        Args:
            identity: the values that identify the search, by their names in messages; a message names the first that
                differs.

        Raises:
            UsageError: the journal belongs to another search, is damaged, or cannot be written; one line with advice.
        """
        assert self._file is not None
        try:
            length = 0 if self._restart else self._take_up(identity)
            for scratch in self.directory.glob(f"{_SCRATCH}*"):  # left by a search that was killed
                shutil.rmtree(scratch, ignore_errors=True)
            self._file.truncate(length)
            if not length:
                shutil.rmtree(self._margins, ignore_errors=True)
                self._append({"format": FORMAT, "search": dict(identity)})
            self._margins.mkdir(exist_ok=True)
            self._append({"pid": os.getpid()})
        except OSError as error:
            raise self.trouble(error) from None

    def add(self, tried: Tried) -> Tried:
        """Record a run; it is on disk when this returns.

        Returns:
            The same run, with its margins mapped from their file.

        Raises:
            UsageError: the disk is full.
        """
        candidate = tried.candidate
        try:
            size, crc = self._keep(candidate.run, tried.margins)
            self._append(_record_of(tried) | {"bytes": size, "crc32": crc})
        except OSError as error:
            raise self.trouble(error) from None
        self.done[candidate.run] = kept = self._mapped(tried)
        return kept

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Provide a private directory for the length of a block.

        Raises:
            UsageError: it cannot be created.
        """
        try:
            path = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self.directory))
        except OSError as error:
            raise self.trouble(error) from None
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _take_up(self, identity: Mapping[str, str]) -> int:
        """Read the journal; return the number of its bytes that count.

        Raises:
            UsageError: it is damaged, or belongs to another search.
        """
        assert self._file is not None
        self._file.seek(0)
        content = self._file.read(LONGEST_BYTES + 1)
        if len(content) > LONGEST_BYTES:
            raise self._damaged(None, f"it is longer than {LONGEST_BYTES >> 20} MiB")
        length = content.rfind(b"\n") + 1  # the rest was cut short
        records = [self._record(number, line) for number, line in enumerate(content[:length].split(b"\n")[:-1], 1)]
        if not records:
            return 0
        known = records[0].values.get("search")
        if records[0].values.get("format") != FORMAT or not isinstance(known, dict):
            raise self._damaged(1, f"it is no journal of this format ({FORMAT})")
        runs = [self._run(number, record) for number, record in enumerate(records[1:], 2) if "pid" not in record.values]
        for name in (*identity, *known):
            if identity.get(name) != known.get(name):
                if not runs:
                    return 0  # the search was begun, but no run was done
                before, now = (clean(str(each.get(name, "not known")), _LONGEST_SHOWN) for each in (known, identity))
                raise UsageError(
                    f"{self.directory} was begun with another {clean(name, _LONGEST_SHOWN)} ({before}, now {now}): "
                    "--restart forgets its runs, or name another -o"
                )
        self.done = {tried.candidate.run: tried for tried in runs if tried is not None}
        return length

    def _record(self, number: int, line: bytes) -> Record:
        text, _, rest = line.rpartition(_CRC)
        if rest != b'%08x"}' % zlib.crc32(text):
            raise self._damaged(number, "checksum mismatch")
        try:
            return Record(loads_record(text + b"}"))
        except ValueError as error:
            raise self._damaged(number, f"{error}") from None

    def _run(self, number: int, record: Record) -> Tried | None:
        """Make a run of a record; None if its margins do not match the record, so that the run is done again.

        Raises:
            UsageError: the record is not a run.
        """
        try:
            tried = _tried_of(record)
            size, crc = record.whole("bytes"), record.whole("crc32")
        except ValueError as error:
            raise self._damaged(number, f"{error}") from None
        if tried.state == "failed":
            return tried
        path = self._path_of(tried.candidate.run)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if len(data) != size or zlib.crc32(data) != crc:
            return None
        try:
            return self._mapped(tried)
        except (OSError, ValueError):
            raise self._damaged(number, f"{path.name} holds no margins") from None

    def _mapped(self, tried: Tried) -> Tried:
        if tried.state == "failed":
            return tried
        return replace(tried, margins=np.load(self._path_of(tried.candidate.run), mmap_mode="r"))

    def _keep(self, run: int, margins: np.ndarray | None) -> tuple[int, int]:
        """Write margins to disk; return the size of their file and its checksum."""
        if margins is None:
            return 0, 0
        buffer = io.BytesIO()
        np.save(buffer, margins.astype(np.float32, copy=False), allow_pickle=False)
        data = buffer.getbuffer()
        with replacing(self._path_of(run)) as file:
            file.write(data)
        return len(data), zlib.crc32(data)

    def _append(self, record: Mapping[str, Any]) -> None:
        assert self._file is not None
        text = json.dumps(record).encode()[:-1]
        write_all(self._file, text + _CRC + b'%08x"}\n' % zlib.crc32(text))
        os.fsync(self._file.fileno())

    def _owner(self) -> str:
        """Return which process was the last to record its begin."""
        assert self._file is not None
        with contextlib.suppress(OSError, ValueError):
            self._file.seek(0)
            lines = self._file.read(LONGEST_BYTES).split(b"\n")
            pids = [json.loads(line)["pid"] for line in lines if line.startswith(b'{"pid": ')]
            return f" (process {pids[-1]})" if pids else ""
        return ""

    def _path_of(self, run: int) -> Path:
        return self._margins / f"{run}.npy"

    def _damaged(self, line: int | None, why: str) -> UsageError:
        where = self._path if line is None else f"{self._path}:{line}"
        return UsageError(f"{where}: damaged: {why}: --restart forgets its runs")

    def trouble(self, error: OSError) -> UsageError:
        """Return the error for a directory that cannot be written; its contents are kept."""
        count = len(self.done)
        kept = f": {count} run{'s are' if count > 1 else ' is'} safe, the same command goes on" if count else ""
        return UsageError(f"{self.directory}: {system_words(error)}{kept}")


def _record_of(tried: Tried) -> dict[str, Any]:
    """Return a run without its margins; missing values are left out."""
    values = {
        "run": tried.candidate.run,
        "family": tried.candidate.family,
        "parameters": dict(tried.candidate.parameters),
        "state": tried.state,
        "rounds": list(tried.rounds),
        "median": tried.median,
        "cpu_s": tried.cpu_s,
        "note": tried.note,
        "error": tried.error,
    }
    return {name: value for name, value in values.items() if value is not None}


def _tried_of(record: Record) -> Tried:
    """Read the result of `_record_of`.

    Raises:
        ValueError: it is not a run.
    """
    family, state = record.text("family"), record.text("state")
    if family not in get_args(Family) or state not in get_args(State):
        raise ValueError("it is no run")
    candidate = Candidate(
        run=record.whole("run", least=1), family=cast("Family", family), parameters=record.object("parameters")
    )
    return Tried(
        candidate=candidate,
        state=cast("State", state),
        margins=None,
        rounds=record.wholes("rounds"),
        median=record.whole("median", default=0) or None,
        cpu_s=record.number("cpu_s"),
        note=record.text("note", default="") or None,
        error=record.text("error", default="") or None,
    )
