"""The files of pipelines: runs with their journals, results by key, the champion, and the lock.

    .epkit/pipelines/NAME/lock             held while a run goes on; the process that holds it
                         /champion.json    which run's model serves, or was last let pass
                         /runs/4/run.jsonl  a line a step begun and ended, on the disk before what it does
                                /report.json, report.html, and what steps put there
                         /cache/KEY/       the outcome of a step: step.json, and its files
                               /KEY.part/  of a step that has not ended: what it can go on from

An outcome is whole or not there: it is made in `KEY.part`, brought to the disk, and renamed. A journal's last line may
be cut off by a crash; it is not read then.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from epkit.core.json.records import Record, loads_record
from epkit.core.pipeline import document
from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import STEP_NAMES, StepName, StepResult
from epkit.errors import UsageError, unwritable
from epkit.files.writing import replacing, sync_directory, write_all

if TYPE_CHECKING:
    import numpy as np

try:
    import fcntl
except ImportError:  # Windows, where two runs at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]

HOME: Final = ".epkit/pipelines"
REPORT: Final = "report.json"
PAGE: Final = "report.html"
JOURNAL: Final = "run.jsonl"
STEP: Final = "step.json"
LOGS: Final = "logs"
CANDIDATE: Final = "candidate.json"
"""Of a run that has put something up, which is there still."""

PART: Final = ".part"
MOST_BYTES: Final = 16 << 20
"""Of a file of ours that is read whole."""

HASHES: Final = "hashes.bin"
"""Of the step `data`: uint64 of each labelled row, by which a later run knows which rows are new."""

_KEY: Final = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowned:
    """Which model is the champion.

    Args:
        run: of the pipeline.
        keys: of the outcomes of that run, by step.
        model: its directory, relative to the directory of the pipeline.
        sha256: of the model.
        endpoint: that serves it, None for a pipeline that does not deploy.
        table: SHA-256 of the file of the table that it was trained on.
    """

    run: int
    keys: Mapping[str, str]
    model: str
    sha256: str
    endpoint: str | None
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Journaled:
    """What the journal of a run says.

    Args:
        head: the first line: who, when, why, parameters.
        begun: steps that were begun, in their order.
        keys: of these steps, of those that have one.
        ended: what steps left, in their order.
        over: whether the run came to its end, whatever that was.
    """

    head: Mapping[str, Any]
    begun: tuple[StepName, ...]
    keys: Mapping[str, str]
    ended: tuple[StepResult, ...]
    over: bool


class PipelineStore:
    """The directory of a pipeline."""

    def __init__(self, root: Path, name: str) -> None:
        """Say where it is; nothing is made.

        Args:
            root: the directory of `epkit.toml`.
        """
        self.directory = root / HOME / name
        self.cache = self.directory / "cache"
        self.runs = self.directory / "runs"
        self._champion = self.directory / "champion.json"

    def numbers(self) -> list[int]:
        """Return the numbers of the runs, ascending."""
        try:
            names = [entry.name for entry in self.runs.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise unwritable(str(self.runs), error) from None
        return sorted(int(name) for name in names if re.fullmatch("[1-9][0-9]{0,8}", name))

    def run_directory(self, run: int) -> Path:
        """Return the directory of a run."""
        return self.runs / str(run)

    def report(self, run: int) -> PipelineRun | None:
        """Read the report of a run; None where there is none: it goes on, or was killed.

        Raises:
            UsageError: it is damaged.
        """
        path = self.run_directory(run) / REPORT
        found = _read(path)
        if found is None:
            return None
        try:
            return document.from_document(json.loads(found))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}: damaged: {error}: remove {path.parent} to forget the run") from None

    def journal(self, run: int) -> Journaled | None:
        """Read the journal of a run, as far as it is whole; None where there is none."""
        return _journaled(self._records(run))

    def _records(self, run: int) -> list[dict[str, Any]]:
        content = _read(self.run_directory(run) / JOURNAL) or b""
        records: list[dict[str, Any]] = []
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                break
            if not isinstance(record, dict):
                break
            records.append(record)
        return records

    def outcome(self, key: str) -> StepResult | None:
        """Return the outcome of a key; None where there is none that is whole."""
        content = _read(self.cache / key / STEP)
        if content is None:
            return None
        try:
            found = document.step_from_plain(json.loads(content))
        except (ValueError, RecursionError):
            return None
        # Paths are relative to the directory of any run, which need not be there.
        places = (os.path.normpath(self.runs / "0" / path) for path in found.files.values())
        return found if all(map(os.path.exists, places)) else None

    def part(self, key: str, *, afresh: bool = False) -> Path:
        """Make, or find again, the directory in which the outcome of a key is made.

        Args:
            afresh: forget what is in it.

        Raises:
            UsageError: it cannot be made.
        """
        path = self.cache / f"{key}{PART}"
        with _trouble(path):
            if afresh:
                shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, key: str, outcome: StepResult) -> None:
        """Keep what was made in `part`, whole or not at all; what had the key before goes.

        Raises:
            UsageError: the disk is full.
        """
        part, place = self.part(key), self.cache / key
        with _trouble(part):
            with replacing(part / STEP) as file:
                file.write(_line(document.step_to_plain(outcome)))
            _sync_tree(part)
            old = self.cache / f"{key}.old{PART}"
            shutil.rmtree(old, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                place.rename(old)
            part.rename(place)
            sync_directory(self.cache)
            shutil.rmtree(old, ignore_errors=True)

    def crowned(self) -> Crowned | None:
        """Return which model is the champion, None before there is one.

        Raises:
            UsageError: the file is damaged.
        """
        content = _read(self._champion)
        if content is None:
            return None
        try:
            return _crowned(Record(loads_record(content)))
        except ValueError:
            raise UsageError(f"{self._champion}: damaged: remove it to begin without a champion") from None

    def crown(self, crowned: Crowned) -> None:
        """Write down which model is the champion.

        Raises:
            UsageError: the disk is full.
        """
        values = {name: getattr(crowned, name) for name in Crowned.__dataclass_fields__}
        with _trouble(self._champion), replacing(self._champion) as file:
            file.write(_line(values))

    @property
    def champion_file(self) -> Path:
        """Return where `crown` writes."""
        return self._champion

    def lock(self) -> "PipelineLock":
        """Return the lock, not taken."""
        return PipelineLock(self.directory / "lock")

    def begin(self, head: Mapping[str, Any]) -> "RunJournal":
        """Make the directory of the next run and begin its journal; the caller has the lock.

        Raises:
            UsageError: the disk is full, or the directory takes no files.
        """
        run = (self.numbers() or [0])[-1] + 1
        directory = self.run_directory(run)
        with _trouble(directory):
            (directory / LOGS).mkdir(parents=True)
            ignore = self.directory.parent / ".gitignore"
            if not ignore.exists():  # rows and models are no part of a repository
                with replacing(ignore) as file:
                    file.write(b"*\n")
        return RunJournal(run, directory, head)

    def prune(self, keep: int) -> None:
        """Remove the oldest runs, and outcomes that no run that is left has.

        What the champion is made of stays, and so does a run that has put something up which is there still.
        """
        crowned = self.crowned()
        numbers = self.numbers()
        left = {*numbers[-keep:], *([crowned.run] if crowned is not None else [])}
        left |= {run for run in numbers if (self.run_directory(run) / CANDIDATE).exists()}
        for run in numbers:
            if run not in left:
                shutil.rmtree(self.run_directory(run), ignore_errors=True)
        used = set(crowned.keys.values()) if crowned is not None else set()
        for run in left:
            used |= set(_keys(self._records(run)).values())
        with contextlib.suppress(FileNotFoundError):
            for entry in list(self.cache.iterdir()):
                key = entry.name.partition(".")[0]
                if _KEY.fullmatch(key) and key not in used:
                    shutil.rmtree(entry, ignore_errors=True)


class PipelineBusyError(UsageError):
    """Another run of the pipeline goes on."""


LOCK_TRIES, LOCK_PAUSE_S = 5, 0.02
"""A lock is tried again: who asks whether somebody has it takes it for a moment."""


class PipelineLock:
    """Lets one run of a pipeline go on at a time; a context manager. It goes with its process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            PipelineBusyError: another run has it; its process is named.
            UsageError: it cannot be made.
        """
        with _trouble(self._path):
            self._path.parent.parent.mkdir(parents=True, exist_ok=True)
            self._path.parent.mkdir(mode=0o700, exist_ok=True)  # rows and answers are in it
            file = self._path.open("a+b", buffering=0)
        try:
            self._take(file)
        except BaseException:
            file.close()
            raise
        self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def holder(self) -> tuple[bool, int | None]:
        """Return whether somebody has it, and which process that is, as far as it is known.

        Raises:
            UsageError: it cannot be read.
        """
        try:
            file = self._path.open("r+b", buffering=0)
        except FileNotFoundError:
            return False, None
        except OSError as error:
            raise unwritable(str(self._path), error) from None
        with file:
            held = fcntl is not None and not _locked(file)
            return held, _pid(file) if held else None

    def _take(self, file: IO[bytes]) -> None:
        if fcntl is not None and not self._tried(file):
            pid = _pid(file)
            who = f" (process {pid})" if pid is not None else ""
            name = self._path.parent.name
            raise PipelineBusyError(f"{name}: a run goes on{who}: wait for it, or epkit pipeline cancel {name}")
        with _trouble(self._path):
            file.truncate(0)
            write_all(file, b"%d\n" % os.getpid())

    @staticmethod
    def _tried(file: IO[bytes]) -> bool:
        for attempt in range(LOCK_TRIES):
            if attempt:
                time.sleep(LOCK_PAUSE_S)
            if _locked(file):
                return True
        return False


class RunJournal:
    """The journal of a run that goes on, and the directory that it is in; a context manager."""

    def __init__(self, run: int, directory: Path, head: Mapping[str, Any]) -> None:
        self.run, self.directory = run, directory
        self._path = directory / JOURNAL
        with _trouble(self._path):
            self._file: IO[bytes] = self._path.open("xb", buffering=0)
        try:
            self._append({"run": run, **head})
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begun(self, step: StepName, key: str | None) -> None:
        """Write down that a step begins.

        Raises:
            UsageError: the disk is full.
        """
        self._append({"begun": step, "key": key})

    def reused(self, result: StepResult) -> None:
        """Write down that a step needed nothing; another line will bring it to the disk.

        Raises:
            UsageError: the disk is full.
        """
        begun = b"" if result.key is None else _line({"begun": result.step, "key": result.key})
        with _trouble(self._path):
            write_all(self._file, begun + _line({"ended": document.step_to_plain(result)}))

    def ended(self, result: StepResult) -> None:
        """Write down what a step left.

        Raises:
            UsageError: the disk is full.
        """
        self._append({"ended": document.step_to_plain(result)})

    def over(self, exit_code: int) -> None:
        """Write down that the run is over.

        Raises:
            UsageError: the disk is full.
        """
        self._append({"over": exit_code})

    def log(self, step: str, line: str) -> None:
        """Write a line into the log of a step."""
        with (
            contextlib.suppress(OSError),  # what a step says is no reason to fail
            (self.directory / LOGS / f"{step}.txt").open("ab", buffering=0) as file,
        ):
            write_all(file, f"{line}\n".encode("utf-8", "replace"))

    def _append(self, record: Mapping[str, Any]) -> None:
        with _trouble(self._path):
            write_all(self._file, _line(record))
            os.fsync(self._file.fileno())


def keep_hashes(path: Path, hashes: "np.ndarray") -> None:
    """Write the hashes of rows, whole or not at all.

    Raises:
        UsageError: the disk is full.
    """
    import numpy as np  # late, here and below: a run in which everything is reused needs none

    with _trouble(path), replacing(path) as file:
        file.write(np.ascontiguousarray(hashes, "<u8").tobytes())


def known_hashes(path: Path) -> "np.ndarray":
    """Read what `keep_hashes` wrote.

    Raises:
        UsageError: it cannot be read, or is cut off.
    """
    import numpy as np

    with _trouble(path):
        content = path.read_bytes()
    if len(content) % 8:
        raise UsageError(f"{path}: is cut off")
    return np.frombuffer(content, "<u8")


def _crowned(found: Record) -> Crowned:
    """Check the values of `champion.json`, which others may have written.

    Raises:
        ValueError: one is missing or of another type.
    """
    keys = found.object("keys")
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys.values()):
        raise ValueError("keys are no keys of outcomes")
    return Crowned(
        run=found.whole("run"),
        keys=keys,
        model=found.text("model"),
        sha256=found.text("sha256"),
        endpoint=None if found.values.get("endpoint") is None else found.text("endpoint"),
        table=found.text("table"),
    )


def _journaled(records: list[dict[str, Any]]) -> Journaled | None:
    if not records:
        return None
    ended: dict[str, StepResult] = {}
    for record in records[1:]:
        if "ended" in record:
            with contextlib.suppress(ValueError):
                result = document.step_from_plain(record["ended"])
                ended[result.step] = result
    return Journaled(
        head=records[0],
        begun=tuple(record["begun"] for record in records[1:] if record.get("begun") in STEP_NAMES),
        keys=_keys(records),
        ended=tuple(ended.values()),
        over=any("over" in record for record in records),
    )


def _keys(records: list[dict[str, Any]]) -> dict[str, str]:
    """Return the keys of the steps that were begun."""
    found = ((record.get("begun"), record.get("key")) for record in records[1:])
    return {step: key for step, key in found if step in STEP_NAMES and isinstance(key, str) and _KEY.fullmatch(key)}


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _read(path: Path) -> bytes | None:
    """Read a file of ours; None where there is none.

    Raises:
        UsageError: it cannot be read, or is too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unwritable(str(path), error) from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"{path}: is longer than {MOST_BYTES >> 20} MiB: epkit wrote no such file")
    return content


def _locked(file: IO[bytes]) -> bool:
    """Take the lock of a file; tell whether that was possible."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _pid(file: IO[bytes]) -> int | None:
    file.seek(0)
    text = file.read(32).strip()
    return int(text) if re.fullmatch(b"[1-9][0-9]{0,9}", text) else None


def _sync_tree(directory: Path) -> None:
    """Bring a directory and all in it to the disk."""
    for at, _, names in os.walk(directory):
        for name in names:
            with (Path(at) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_directory(Path(at))


@contextlib.contextmanager
def _trouble(path: Path) -> Iterator[None]:
    """Say in one line what the system refused.

    Raises:
        UsageError: it refused.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(str(path), error) from None
