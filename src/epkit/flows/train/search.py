"""The search: candidates are tried in parallel, recorded when they end, and continued after an interruption."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import Final, Literal

import numpy as np

import epkit
from epkit.core.train.metrics import better, value
from epkit.core.train.plan import DEFAULT_METRIC, Candidate, TrainPlan
from epkit.core.train.problem import Examples
from epkit.core.train.progress import Progress, RunScore
from epkit.core.train.space import schedule
from epkit.core.train.tried import Tried
from epkit.files.training import TrainingJournal
from epkit.learners import custom
from epkit.learners.base import Fitted
from epkit.learners.folds import Fold
from epkit.learners.material import LearningTask, lay_out
from epkit.learners.pool import Pool
from epkit.learners.trials import learner_of, weights

ALWAYS: Final = 3
"""Runs that are tried even if the time limit is shorter: the floor, a linear and a boosted model."""

_TICK_S: Final = 0.2
"""Interval at which progress is shown and a pending stop is checked."""

_ENOUGH: Final = 3
"""The remaining time is estimated after this number of runs."""

_BLOCK: Final = 65_536
_LIBRARIES: Final = ("lightgbm", "scikit-learn", "numpy", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """The result of a search.

    Args:
        tried: by ascending number; their margins are in the order of the rows of the search.
        end: why it ended: all `runs` were tried, the `time` was up, or it was `stopped`.
    """

    tried: tuple[Tried, ...]
    end: Literal["runs", "time", "stopped"]


def search(
    examples: Examples,
    rows: np.ndarray,
    folds: Sequence[Fold],
    plan: TrainPlan,
    journal: TrainingJournal,
    *,
    show: Callable[[Progress], None],
    stopped: Callable[[], bool],
) -> Searched:
    """Try candidates until all runs are tried or the time is up.

    Args:
        rows: int64, places in *examples* of the rows that choices may use; they contain no test row.
        folds: from `epkit.learners.folds.folds`: places in *rows*.
        journal: entered as a context manager, not yet started.
        show: called a few times a second, and whenever a run has ended.
        stopped: called a few times a second. If it returns true, running candidates are cut off; finished ones are
            kept.

    Raises:
        UsageError: the journal is damaged or of another search, a file of `--custom` is not usable, or the disk is
            full.
    """
    for make in plan.custom:
        custom.check(make, examples.label.task)
    journal.begin(identity(examples, rows, folds, plan))
    outputs = examples.label.outputs
    planned = schedule(plan.runs, plan.seed, rows=len(rows), outputs=outputs, custom=plan.custom)
    standing = _Standing(examples, rows, plan, planned, journal, show)
    if standing.waiting:
        weight = _weights(examples, rows, plan)
        try:
            with journal.scratch() as directory:
                lay_out(examples, rows, weight, folds, plan.seed, directory)
                with Pool(min(plan.workers, len(standing.waiting)), directory, lean=not plan.custom) as pool:
                    _drive(pool, standing, stopped)
        except OSError as error:
            raise journal.trouble(error) from None
    standing.shown(())  # if all runs are in the journal, this is the only call
    return standing.result()


def refit(candidate: Candidate, examples: Examples, rows: np.ndarray, rounds: int | None, plan: TrainPlan) -> Fitted:
    """Fit a candidate on all *rows*, in this process.

    Args:
        rounds: `Tried.median` of the run.

    Raises:
        LearnerError: the rows cannot be fitted.
    """
    learner = learner_of(candidate, LearningTask.of(examples, plan.seed))
    matrix = np.ascontiguousarray(examples.matrix[rows])
    return learner.fit(matrix, examples.y[rows], weight=_weights(examples, rows, plan), valid=None, rounds=rounds)


def identity(examples: Examples, rows: np.ndarray, folds: Sequence[Fold], plan: TrainPlan) -> Mapping[str, str]:
    """Return everything that determines the result of a run, by the names that messages use.

    Options that only choose among runs or end the search (`--runs`, `--metric`, `--workers`, gates) are not included.

    Raises:
        UsageError: a file of `--custom` cannot be read.
    """
    flags = {
        "--label": plan.label,
        "--task": examples.label.task,
        "--positive": plan.positive,
        "--drop": plan.drop,
        "--id": plan.ids,
        "--seed": plan.seed,
        "--folds": plan.folds,
        "--holdout": plan.holdout,
        "--group": plan.group,
        "--time": plan.time,
        "--test-size": plan.test_size,
        "--balanced": plan.balanced,
        "--custom": [f"{make} {custom.digest(make)[:12]}" for make in plan.custom],
    }
    libraries = {"epkit": epkit.__version__} | {name: version(name) for name in _LIBRARIES}
    return {
        **{name: _shown(given) for name, given in flags.items()},
        "table": _digest(examples, rows, folds),
        **{f"version of {name}": number for name, number in libraries.items()},
    }


class _Standing:
    """The progress of a search."""

    def __init__(
        self,
        examples: Examples,
        rows: np.ndarray,
        plan: TrainPlan,
        planned: Sequence[Candidate],
        journal: TrainingJournal,
        show: Callable[[Progress], None],
    ) -> None:
        self._examples, self._rows, self._plan, self._journal, self._show = examples, rows, plan, journal, show
        self._metric = plan.metric or DEFAULT_METRIC[examples.label.task]
        self._began = time.monotonic()
        self._total = len(planned)
        self._tried: dict[int, Tried] = {}
        self._here = 0
        self._last: RunScore | None = None
        self._best: RunScore | None = None
        self.end: Literal["runs", "time", "stopped"] = "runs"
        for candidate in planned:
            known = journal.done.get(candidate.run)
            if known is not None and known.candidate == candidate:
                self._take(known)
        self.waiting = deque(candidate for candidate in planned if candidate.run not in self._tried)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self._began

    def may_begin(self) -> bool:
        """Tell whether the next candidate may start. If the time is up, this becomes the reason for the end."""
        limit = self._plan.time_limit_s
        if not self.waiting:
            return False
        if limit is None or self.elapsed_s < limit or self.waiting[0].run <= ALWAYS:
            return True
        self.end = "time"
        return False

    def add(self, tried: Tried, *, final: bool) -> None:
        """Add a run that has just ended.

        Args:
            final: whether a repetition would give the same result; otherwise it is not recorded.

        Raises:
            UsageError: the disk is full.
        """
        self._here += 1
        self._take(self._journal.add(tried) if final else tried)

    def shown(self, running: Sequence[Candidate]) -> None:
        """Show it."""
        self._show(
            Progress(
                done=len(self._tried),
                total=self._total,
                running=tuple(f"{candidate.run} {candidate.family}" for candidate in running),
                last=self._last,
                best=self._best,
                metric=self._metric,
                elapsed_s=self.elapsed_s,
                left_s=self._left_s(),
                failed=sum(tried.state == "failed" for tried in self._tried.values()),
            )
        )

    def result(self) -> Searched:
        """Return the result so far."""
        return Searched(tried=tuple(self._tried[run] for run in sorted(self._tried)), end=self.end)

    def _take(self, tried: Tried) -> None:
        run = tried.candidate.run
        self._tried[run] = tried
        if tried.margins is None:
            return
        score = (run, tried.candidate.family, self._score(tried.margins))
        self._last = score
        if self._best is None or better(self._metric, score[2], self._best[2]):
            self._best = score
        elif score[2] == self._best[2]:
            self._best = min(score, self._best)  # of equal ones the earlier run, whichever ended first

    def _score(self, margins: np.ndarray) -> float:
        judged = ~np.isnan(margins[:, 0])
        at = self._rows[judged]
        weight = None if self._examples.weight is None else self._examples.weight[at]
        return value(self._metric, self._examples.y[at], margins[judged], self._examples.label, weight)

    def _left_s(self) -> float | None:
        left = self._total - len(self._tried)
        if self._here < _ENOUGH or not left:
            return None if left else 0.0
        wanted = self.elapsed_s / self._here * left
        limit = self._plan.time_limit_s
        return wanted if limit is None else max(0.0, min(wanted, limit - self.elapsed_s))


def _drive(pool: Pool, standing: _Standing, stopped: Callable[[], bool]) -> None:
    """Keep the workers busy until nothing is left, or the search is stopped.

    Raises:
        OSError: no process can be started.
        UsageError: the disk is full.
    """
    while True:
        if stopped():
            standing.end = "stopped"
            return
        while pool.has_room and standing.may_begin():
            pool.begin(standing.waiting.popleft())
        if not pool.running:
            return
        standing.shown(pool.running)
        for tried, final in pool.ended(_TICK_S):
            standing.add(tried, final=final)
            standing.shown(pool.running)


def _weights(examples: Examples, rows: np.ndarray, plan: TrainPlan) -> np.ndarray | None:
    weight = None if examples.weight is None else examples.weight[rows]
    return weights(examples.y[rows], weight, balanced=plan.balanced and examples.label.task != "regression")


def _digest(examples: Examples, rows: np.ndarray, folds: Sequence[Fold]) -> str:
    """Return a checksum of the input of the learners."""
    found = sha256(repr((examples.label, examples.features, len(rows))).encode())
    for part in _parts(examples, rows, folds):
        found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()[:16]


def _parts(examples: Examples, rows: np.ndarray, folds: Sequence[Fold]) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _BLOCK):
        yield examples.matrix[rows[start : start + _BLOCK]]
    yield examples.y[rows]
    if examples.weight is not None:
        yield examples.weight[rows]
    for train, valid in folds:
        yield train
        yield valid


def _shown(given: object) -> str:
    if isinstance(given, list | tuple):
        return ", ".join(map(str, given)) or "none"
    if isinstance(given, bool):
        return "yes" if given else "no"
    return "none" if given is None else str(given)
