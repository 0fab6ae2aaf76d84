"""The files of a training that are not deployed: the journal of its runs, which is also the lock, and their margins.

`runs.jsonl` has a record a line, each with the checksum of its text. The first says what the search is; the line of a
run is written once the run's margins are on the disk, and holds their size and checksum. A line that a crash cut short
is cut off; a run whose margins are not what its line says is done again, and its later line counts. All other damage is
refused, with the number of the line.

    model.run/runs.jsonl      {"format": …}, {"pid": …}, {"run": 1, …}, …
    model.run/oof/1.npy       float32, rows × outputs
    model.run/.work-…/        the rows for the workers, gone with the search
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
except ImportError:  # Windows, where two runs at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]

FORMAT: Final = "epkit.training/1"
LONGEST_BYTES: Final = 64 << 20
"""Of a journal: thousands of runs have a megabyte."""

_SCRATCH: Final = ".work-"
_LONGEST_SHOWN: Final = 60
_CRC: Final = b', "crc": "'
"""What the checksum of a line is written behind, as its last member."""


class TrainingJournal:
    """The runs of a search that are done; a context manager: `begin`, then `add`.

    `done` has the runs by number, margins mapped from their files.
    """

    def __init__(self, directory: str | Path, *, restart: bool = False) -> None:
        """Say where it is: a directory of its own, `model.run`.

        Args:
            restart: what an earlier search has done does not count.
        """
        self.directory = Path(directory)
        self._path = self.directory / "runs.jsonl"
        self._margins = self.directory / "oof"
        self._restart = restart
        self._file: IO[bytes] | None = None
        self.done: dict[int, Tried] = {}

    def __enter__(self) -> Self:
        """Take the lock; what is there already is left alone.

        Raises:
            UsageError: another run has it, or the directory cannot be written.
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
        """Find out which runs are done, and be ready for more.

        Args:
            identity: what the search is, by the names that a message uses: what differs is named, the first first.

        Raises:
            UsageError: the journal is another search's or damaged, or cannot be written; one line that says what to do.
        """
        assert self._file is not None
        try:
            length = 0 if self._restart else self._take_up(identity)
            for scratch in self.directory.glob(f"{_SCRATCH}*"):  # of a search that was killed
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
        """Write down a run; it is on the disk when this returns.

        Returns:
            The same, its margins mapped from their file.

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
        """Have a directory that nobody else reads for the length of a block.

        Raises:
            UsageError: it cannot be made.
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
        """Read the journal; return how many bytes of it count.

        Raises:
            UsageError: it is damaged, or another search's.
        """
        assert self._file is not None
        self._file.seek(0)
        content = self._file.read(LONGEST_BYTES + 1)
        if len(content) > LONGEST_BYTES:
            raise self._damaged(None, f"it is longer than {LONGEST_BYTES >> 20} MiB")
        length = content.rfind(b"\n") + 1  # what follows was cut short
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
                    return 0  # it was never more than begun
                before, now = (clean(str(each.get(name, "not known")), _LONGEST_SHOWN) for each in (known, identity))
                raise UsageError(
                    f"{self.directory}: was begun with another {clean(name, _LONGEST_SHOWN)} ({before}, now {now}): "
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
        """Make a run of a record; None where its margins are not what it says, and it is to be done again.

        Raises:
            UsageError: it is no run.
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
        """Bring margins to the disk; return the size of their file and its checksum."""
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
        """Say which process wrote last that it began."""
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
        """Say that the directory cannot be written; what is in it already is kept."""
        count = len(self.done)
        kept = f": {count} run{'s are' if count > 1 else ' is'} safe, the same command goes on" if count else ""
        return UsageError(f"{self.directory}: {system_words(error)}{kept}")


def _record_of(tried: Tried) -> dict[str, Any]:
    """Return a run without its margins; what it has not is left out."""
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
    """Read what `_record_of` returned.

    Raises:
        ValueError: it is no run.
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
