"""Writes settled rows, lists the failed ones, and commits the output from time to time."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from epkit.core.json.writing import dumps
from epkit.core.replies.faults import are_sound, fault_of
from epkit.core.replies.predictions import Failed, Layout, layout_of
from epkit.core.score.batching import Chunk
from epkit.core.score.journal import Point
from epkit.core.score.pieces import Piece
from epkit.core.score.scored import FailedRowExample
from epkit.core.shortening import cut
from epkit.errors import UsageError, unwritable
from epkit.files.jobs import Appended, Job
from epkit.files.predicted import CsvWriter, JsonlWriter, ParquetWriter, Writer

COMMIT_S: Final = 1.0
COMMIT_PART_S: Final = 10.0
UNDECIDED_ROWS: Final = 10_000
"""After this many failed rows without any prediction, the columns of predictions are chosen without one."""

FORMATS: Final = (".jsonl", ".csv", ".parquet")


class Held(NamedTuple):
    """Rows whose columns are not chosen yet."""

    first: int
    piece: Piece
    predictions: list[Any]


class OutputWriter:
    """Writes settled rows in their order; `rows`, `failed_rows`, `examples` and `layout` are the results."""

    def __init__(
        self,
        writer: Writer,
        *,
        probabilities: bool,
        job: Job | None = None,
        kept: list[tuple[int, Failed]] | None = None,
        taken: Sequence[str] = (),
        mask: Callable[[str], str] = str,
    ) -> None:
        """Resume a job.

        Args:
            probabilities: whether lists of numbers are probabilities; otherwise this depends on their sum.
            job: the job to which failed rows and points are written; None writes neither.
            kept: list to which failed rows are added.
            taken: names that columns of predictions cannot have, because the input has them.
            mask: removes credentials from the reason of a failed row.
        """
        point = Point() if job is None else job.point
        self._writer, self._job, self._kept = writer, job, kept
        self._probabilities, self._taken, self._mask = probabilities, taken, mask
        try:
            self._failed = None if job is None else Appended(job.failed, point.failed)
        except OSError as error:
            raise self._trouble(error) from None
        self.layout: Layout | None = _layout(point.layout)
        self.rows, self.failed_rows = point.rows, point.failed_rows
        self._counts = Counter(point.reasons or {})
        self._examples: dict[tuple[str, int], tuple[int, Failed]] = {}
        self._found: Counter[tuple[str, int]] = Counter()
        self._held: list[Held] = []
        self._commit_at = 0.0
        self._safe = point
        self._broken: OSError | UsageError | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None

    @property
    def examples(self) -> list[FailedRowExample]:
        """The first row of each reason that occurred in this run, the most frequent reason first."""
        return [
            FailedRowExample(row=row, why=why, count=self._found[key])
            for key, (row, why) in sorted(self._examples.items(), key=lambda item: -self._found[item[0]])
        ]

    @property
    def reasons(self) -> Mapping[str, int]:
        """Failed rows of the whole job by reason."""
        return self._counts

    def write(self, chunk: Chunk, stop: int) -> None:
        """Write the rows of a chunk up to *stop*, from the first one that is not written yet.

        Raises:
            UsageError: the output cannot be written; each later call raises it again.
            OSError: likewise for a stream.
        """
        if self._broken is not None:
            raise self._broken
        try:
            self._write(chunk, stop)
        except (OSError, UsageError) as error:
            self._broken = error
            raise

    def _write(self, chunk: Chunk, stop: int) -> None:
        start = chunk.written
        predictions = chunk.predictions[start:stop]
        assert chunk.piece is not None  # every chunk of the input has one
        piece = chunk.piece.cut(start, stop)
        reasons = {place - start: why for place, why in chunk.reasons.items() if start <= place < stop}
        first = chunk.first + start
        try:
            self._check(predictions, reasons)
            if reasons:
                self._list(first, piece, reasons)
            if self.layout is None:
                self._held.append(Held(first, piece, predictions))
                if sum(len(held.predictions) for held in self._held) < UNDECIDED_ROWS:
                    return
                self.layout = Layout(kind="any")
                predictions = []
            self._release()
            if predictions:
                self._put(first, piece, predictions)
            self._safe = self._point()
            if self._job is not None and time.monotonic() >= self._commit_at:
                self._commit_meanwhile()
        except OSError as error:
            with contextlib.suppress(OSError, UsageError):
                self._await_commit()
                if self._writer.eager:
                    self._commit(self._safe)
            raise self._trouble(error) from None

    def finish(self, *, complete: bool) -> None:
        """Write the remaining rows, and commit.

        Args:
            complete: whether all rows of the input were written.

        Raises:
            UsageError: the output cannot be written.
            OSError: the stream cannot be written.
        """
        if self._broken is not None:
            raise self._broken
        try:
            if self._held and (complete or self._job is None):
                self.layout = self.layout or Layout(kind="any")
                self._release()
            self._await_commit()
            self.commit()
            if complete:
                self._writer.finish(self.layout or Layout(kind="any"))
                self.commit(complete=True)
            if complete and isinstance(self._writer, ParquetWriter):
                self._writer.discard_parts()
        except OSError as error:
            raise self._trouble(error) from None

    def _commit_meanwhile(self) -> None:
        """Commit while requests continue, because a disk may be slow. Parts of Parquet are committed synchronously."""
        if not self._writer.eager:
            self._commit(self._safe)
            return
        if self._pending is not None and not self._pending.done():
            return
        self._await_commit()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="epkit-commit")
        self._pending = self._thread.submit(self._commit, self._safe)

    def _await_commit(self) -> None:
        """Wait for the commit in progress, and raise its error."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def commit(self, *, complete: bool = False) -> None:
        """Flush everything to disk, and add a point to the journal."""
        # The failed rows among the held rows are listed already, so the job could not resume from this point yet.
        if not self._held:
            self._commit(self._point(complete=complete))

    def _commit(self, point: Point) -> None:
        if self._job is None or self._failed is None:
            return
        self._writer.sync()
        self._failed.sync()
        self._job.commit(point)
        self._commit_at = time.monotonic() + (COMMIT_S if self._writer.eager else COMMIT_PART_S)

    def _point(self, *, complete: bool = False) -> Point:
        return Point(
            rows=self.rows,
            failed_rows=self.failed_rows,
            out=self._writer.size,
            failed=0 if self._failed is None else self._failed.length,
            layout=None if self.layout is None else asdict(self.layout),
            reasons=dict(self._counts),
            complete=complete,
        )

    def close(self) -> None:
        """Close the files."""
        if self._thread is not None:
            self._thread.shutdown()
        self._writer.close()
        if self._failed is not None:
            self._failed.close()

    def _release(self) -> None:
        held, self._held = self._held, []
        for rows in held:
            self._put(rows.first, rows.piece, rows.predictions)

    def _put(self, first: int, piece: Piece, predictions: Sequence[Any]) -> None:
        assert self.layout is not None
        self._writer.write(first, piece, predictions, self.layout)
        self.rows += len(predictions)

    def _check(self, predictions: list[Any], reasons: dict[int, Failed]) -> None:
        """Remove predictions that are invalid, or that do not have the form of the first one."""
        kinds = set(map(type, predictions))
        if self.layout is not None and self.layout.kind == "value" and are_sound(predictions, kinds):
            return
        for place, prediction in enumerate(predictions):
            if place in reasons:
                continue
            fault = fault_of(prediction)
            if fault is None and self.layout is None:
                layout = layout_of(prediction, probabilities=self._probabilities)
                refuse_names(layout.names, self._taken)
                self.layout = layout
            if fault is None and self.layout is not None and not self.layout.fits(prediction):
                fault = f"{cut(dumps(prediction).decode('utf-8', 'replace'), 60)} is not what the rows before it got"
                reasons[place] = Failed(reason="mismatch", status=200, detail=fault)
                predictions[place] = None
            elif fault is not None:
                reasons[place] = Failed(reason="empty", status=200, detail=fault)
                predictions[place] = None

    def _list(self, first: int, piece: Piece, reasons: Mapping[int, Failed]) -> None:
        lines = []
        for place in sorted(reasons):
            why = replace(
                reasons[place], detail=self._mask(reasons[place].detail), reply=self._mask(reasons[place].reply)
            )
            row = first + place
            key = why.reason, why.status
            self._counts[why.reason] += 1
            self._found[key] += 1
            self._examples.setdefault(key, (row, why))
            if self._kept is not None:
                self._kept.append((row, why))
            if self._failed is not None:
                line = {"row": row, "reason": why.reason, "status": why.status or None, "detail": why.detail}
                head = dumps({**line, "reply": why.reply} if why.reply else line)
                lines.append(head[:-1] + b',"input":' + piece.as_objects(place, place + 1)[0] + b"}\n")
        self.failed_rows += len(reasons)
        if self._failed is not None:
            self._failed.append(b"".join(lines))

    def _trouble(self, error: OSError) -> OSError | UsageError:
        """Name the file that cannot be written; the error of a stream is left to the stream's owner."""
        return error if self._job is None else self._job.trouble(error)


def make_writer(job: Job, names: Sequence[str]) -> Writer:
    """Create the writer for the format in the name of the output.

    Raises:
        UsageError: the output cannot be opened.
    """
    try:
        match job.out.suffix.lower():
            case ".csv":
                return CsvWriter(job.out, job.point.out, names)
            case ".parquet":
                return ParquetWriter(job.out, job.parts, job.point.rows, names)
            case _:
                return JsonlWriter(job.out, job.point.out)
    except OSError as error:
        raise job.trouble(error) from None


def check_format(out: str) -> None:
    """Refuse an output whose name has no known format.

    Raises:
        UsageError: its name ends with none of `FORMATS`, or its directory is missing.
    """
    path = Path(out)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"-o {out}: the name ends in one of {', '.join(FORMATS)}")
    try:
        found = path.parent.is_dir()
    except OSError as error:
        raise unwritable(f"-o {out}", error) from None
    if not found:
        raise UsageError(f"-o {out}: there is no directory {path.parent}")


def refuse_names(names: Sequence[str], taken: Sequence[str]) -> None:
    """Refuse columns of predictions that have the name of a column of the input.

    Raises:
        UsageError: it names the first such column.
    """
    for name in names:
        if name in taken:
            raise UsageError(f'-o: the input has a column "{name}" already: rename or drop it')


def _layout(record: Mapping[str, Any] | None) -> Layout | None:
    if record is None:
        return None
    keys = record["keys"]
    return Layout(kind=record["kind"], names=tuple(record["names"]), keys=None if keys is None else tuple(keys))
