"""Stores pipelines: runs with their journals, results by key, the champion, and the lock.

    .epkit/pipelines/NAME/lock             held during a run; contains the id of the process
                         /champion.json    the run whose model serves, or was the last to pass the gates
                         /runs/4/run.jsonl  a line for each begin and end of a step, on disk before the step begins
                                /report.json, report.html, and files of steps
                         /cache/KEY/       the outcome of a step: step.json, and its files
                               /KEY.part/  of a step that has not ended: the files from which it can resume

An outcome is complete or does not exist: it is made in `KEY.part`, flushed to disk, and renamed. A crash may cut off
the last line of a journal; such a line is not read.
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
except ImportError:  # Windows: the user must avoid two runs at once
    fcntl = None  # type: ignore[assignment]

HOME: Final = ".epkit/pipelines"
REPORT: Final = "report.json"
PAGE: Final = "report.html"
JOURNAL: Final = "run.jsonl"
STEP: Final = "step.json"
LOGS: Final = "logs"
CANDIDATE: Final = "candidate.json"
"""The file of a run whose candidate is deployed and still exists."""

PART: Final = ".part"
MOST_BYTES: Final = 16 << 20
"""Greatest size of our files that are read completely, in bytes."""

HASHES: Final = "hashes.bin"
"""The file of the step `data`: uint64 for each labelled row; a later run finds with it which rows are new."""

_KEY: Final = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowned:
    """The champion.

    Args:
        run: number of the pipeline's run.
        keys: keys of the outcomes of that run, by step.
        model: its directory, relative to the directory of the pipeline.
        sha256: digest of the model.
        endpoint: the endpoint that serves the model, None for a pipeline that does not deploy.
        table: SHA-256 of the file of the table that the model was trained on.
    """

    run: int
    keys: Mapping[str, str]
    model: str
    sha256: str
    endpoint: str | None
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Journaled:
    """The contents of a run's journal.

    Args:
        head: the first line: who, when, why, parameters.
        begun: steps that were begun, in their order.
        keys: keys of these steps, if they have one.
        ended: results of steps, in their order.
        over: whether the run has ended, with any result.
    """

    head: Mapping[str, Any]
    begun: tuple[StepName, ...]
    keys: Mapping[str, str]
    ended: tuple[StepResult, ...]
    over: bool


class PipelineStore:
    """The directory of a pipeline."""

    def __init__(self, root: Path, name: str) -> None:
        """Set the directory; it is not created.

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
        """Read the report of a run; None if there is none, because the run has not ended or was killed.

        Raises:
            UsageError: the report is damaged.
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
        """Read the complete lines of a run's journal; None if there is none."""
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
        """Return the outcome of a key; None if there is no complete one."""
        content = _read(self.cache / key / STEP)
        if content is None:
            return None
        try:
            found = document.step_from_plain(json.loads(content))
        except (ValueError, RecursionError):
            return None
        # Paths are relative to the directory of a run, which need not exist.
        places = (os.path.normpath(self.runs / "0" / path) for path in found.files.values())
        return found if all(map(os.path.exists, places)) else None

    def part(self, key: str, *, afresh: bool = False) -> Path:
        """Create, or find, the directory in which the outcome of a key is made.

        Args:
            afresh: whether to delete its contents.

        Raises:
            UsageError: it cannot be created.
        """
        path = self.cache / f"{key}{PART}"
        with _trouble(path):
            if afresh:
                shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, key: str, outcome: StepResult) -> None:
        """Store the files that were made in `part`, completely or not at all; they replace an older outcome of the key.

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
        """Return the champion, None if there is none yet.

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
        """Store the champion.

        Raises:
            UsageError: the disk is full.
        """
        values = {name: getattr(crowned, name) for name in Crowned.__dataclass_fields__}
        with _trouble(self._champion), replacing(self._champion) as file:
            file.write(_line(values))

    @property
    def champion_file(self) -> Path:
        """Return the path of the file that `crown` writes."""
        return self._champion

    def lock(self) -> "PipelineLock":
        """Return the lock, without taking it."""
        return PipelineLock(self.directory / "lock")

    def begin(self, head: Mapping[str, Any]) -> "RunJournal":
        """Create the directory of the next run and begin its journal; the caller has the lock.

        Raises:
            UsageError: the disk is full, or the directory is not writable.
        """
        run = (self.numbers() or [0])[-1] + 1
        directory = self.run_directory(run)
        with _trouble(directory):
            (directory / LOGS).mkdir(parents=True)
            ignore = self.directory.parent / ".gitignore"
            if not ignore.exists():  # rows and models do not belong in a repository
                with replacing(ignore) as file:
                    file.write(b"*\n")
        return RunJournal(run, directory, head)

    def prune(self, keep: int) -> None:
        """Remove the oldest runs, and outcomes that no remaining run uses.

        The outcomes of the champion stay, and so does a run whose candidate is still deployed.
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
    """Another run of the pipeline is in progress."""


LOCK_TRIES, LOCK_PAUSE_S = 5, 0.02
"""A lock is tried several times, because a process that only checks the lock takes it for a moment."""


class PipelineLock:
    """Allows one run of a pipeline at a time; a context manager. The end of its process always releases the lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            PipelineBusyError: another run has the lock; the message names its process.
            UsageError: the lock cannot be created.
        """
        with _trouble(self._path):
            self._path.parent.parent.mkdir(parents=True, exist_ok=True)
            self._path.parent.mkdir(mode=0o700, exist_ok=True)  # it contains rows and replies
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
        """Return whether a process has the lock, and the id of that process, if known.

        Raises:
            UsageError: the lock cannot be read.
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
    """The journal of a run in progress, and its directory; a context manager."""

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
        """Record that a step begins.

        Raises:
            UsageError: the disk is full.
        """
        self._append({"begun": step, "key": key})

    def reused(self, result: StepResult) -> None:
        """Record that a step reused an outcome; the next line flushes this one to disk.

        Raises:
            UsageError: the disk is full.
        """
        begun = b"" if result.key is None else _line({"begun": result.step, "key": result.key})
        with _trouble(self._path):
            write_all(self._file, begun + _line({"ended": document.step_to_plain(result)}))

    def ended(self, result: StepResult) -> None:
        """Record the result of a step.

        Raises:
            UsageError: the disk is full.
        """
        self._append({"ended": document.step_to_plain(result)})

    def over(self, exit_code: int) -> None:
        """Record that the run has ended.

        Raises:
            UsageError: the disk is full.
        """
        self._append({"over": exit_code})

    def log(self, step: str, line: str) -> None:
        """Write a line into the log of a step."""
        with (
            contextlib.suppress(OSError),  # a failure to log is no reason to fail
            (self.directory / LOGS / f"{step}.txt").open("ab", buffering=0) as file,
        ):
            write_all(file, f"{line}\n".encode("utf-8", "replace"))

    def _append(self, record: Mapping[str, Any]) -> None:
        with _trouble(self._path):
            write_all(self._file, _line(record))
            os.fsync(self._file.fileno())


def keep_hashes(path: Path, hashes: "np.ndarray") -> None:
    """Write the hashes of rows, completely or not at all.

    Raises:
        UsageError: the disk is full.
    """
    import numpy as np  # late, here and below: a run that reuses everything does not need it

    with _trouble(path), replacing(path) as file:
        file.write(np.ascontiguousarray(hashes, "<u8").tobytes())


def known_hashes(path: Path) -> "np.ndarray":
    """Read the file that `keep_hashes` wrote.

    Raises:
        UsageError: it cannot be read, or is truncated.
    """
    import numpy as np

    with _trouble(path):
        content = path.read_bytes()
    if len(content) % 8:
        raise UsageError(f"{path} is cut off")
    return np.frombuffer(content, "<u8")


def _crowned(found: Record) -> Crowned:
    """Check the values of `champion.json`, because other programs may have written it.

    Raises:
        ValueError: a value is missing or has the wrong type.
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
    """Return the keys of the steps that have begun."""
    found = ((record.get("begun"), record.get("key")) for record in records[1:])
    return {step: key for step, key in found if step in STEP_NAMES and isinstance(key, str) and _KEY.fullmatch(key)}


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _read(path: Path) -> bytes | None:
    """Read one of our files; None if it does not exist.

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
        raise UsageError(f"{path} is longer than {MOST_BYTES >> 20} MiB: epkit wrote no such file")
    return content


def _locked(file: IO[bytes]) -> bool:
    """Take the lock of a file; return whether that succeeded."""
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
    """Flush a directory and its contents to disk."""
    for at, _, names in os.walk(directory):
        for name in names:
            with (Path(at) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_directory(Path(at))


@contextlib.contextmanager
def _trouble(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into a message of one line.

    Raises:
        UsageError: the operating system reported an error.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(str(path), error) from None
