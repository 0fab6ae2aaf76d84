"""The grid of `--sweep 'rows=1,10,100;c=1,4'`: its points, when each is measured, and which are dropped.

Theory of operation. The time of a point is divided into rounds. Each round measures all remaining points in a random
order from the seed, so that a drift of the machine affects all of them. After a round a point is dropped if another
point is better in both rows per second and p99, by more than their intervals. It is also dropped if it surely misses an
objective, or if its requests fail. At the end one more run, as long as the time of a point, confirms the chosen point.

The wait for replies counts as the point's own time: a point gets only the rounds that it has time for. A round that
takes longer is ended when all time of the point and, after its first round, one more share are used up. All of this
comes from a total time that is fixed at the start; when it is over, the sweep ends.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from epkit.core.quantities import read_count
from epkit.errors import UsageError

ROUNDS: Final = 5
MOST_POINTS: Final = 100
MOST_ROWS: Final = 1_000_000
"""Greatest number of rows of a request."""

WRITTEN: Final = "a sweep of batch sizes is written 'rows=1,10,100' or 'rows=1,10,100;c=1,4'"
LEAST_SHARE: Final = 0.5
"""A point with less than this fraction of a round left has used its time."""

OWN_S: Final = 0.2
"""Time that epkit itself needs before and after the requests of a run; no point pays for it."""

ROOM: Final = 1.25
"""How much longer than the longest earlier round a round may take."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PointSpec:
    """A point of the grid.

    Args:
        concurrency: number of requests in flight.
        rows: rows in each request.
    """

    concurrency: int
    rows: int

    @property
    def name(self) -> str:
        """A short name of the point: `rows=100 c=4`."""
        return f"rows={self.rows} c={self.concurrency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSpec:
    """The grid that the user asks for.

    Args:
        rows, concurrencies: the values of both dimensions, ascending.
    """

    rows: tuple[int, ...]
    concurrencies: tuple[int, ...]

    @property
    def points(self) -> tuple[PointSpec, ...]:
        """Every point, by rows and then by concurrency."""
        pairs = itertools.product(self.rows, self.concurrencies)
        return tuple(PointSpec(rows=rows, concurrency=concurrency) for rows, concurrency in pairs)

    @property
    def shown(self) -> str:
        """The grid as text."""
        return f"rows={','.join(map(str, self.rows))};c={','.join(map(str, self.concurrencies))}"


def swept(text: str) -> tuple[str, ...]:
    """Return the names that a sweep varies: `c`, `rate`, `rows`."""
    return tuple(part.partition("=")[0].strip() for part in text.split(";"))


def is_grid(text: str) -> bool:
    """Tell whether a sweep is one of batch sizes, and not a sequence of loads."""
    return "rows" in swept(text) or ";" in text


def parse_grid(text: str, *, concurrency: int | None, most_concurrency: int) -> GridSpec:
    """Parse `--sweep` with `rows=`.

    Args:
        concurrency: of all points, if the sweep has no `c=`; None: 1.

    Raises:
        UsageError: it cannot be parsed, or the grid cannot be measured.
    """
    found: dict[str, tuple[int, ...]] = {}
    for part in text.split(";"):
        name, _, listed = part.partition("=")
        found[name.strip()] = _values(text, listed)
    if not {"rows"} <= found.keys() <= {"rows", "c"} or len(found) < len(swept(text)):
        raise UsageError(f"--sweep {text}: cannot be read: {WRITTEN}")
    if "c" in found and concurrency is not None:
        raise UsageError("-c contradicts --sweep c=: the sweep sets the concurrency")
    found.setdefault("c", (concurrency or 1,))
    for name, most in (("rows", MOST_ROWS), ("c", most_concurrency)):
        values = found[name]
        if any(b <= a for a, b in itertools.pairwise(values)):
            raise UsageError(f"--sweep {text}: each {name} is higher than the last")
        if not (values[0] >= 1 and values[-1] <= most):
            raise UsageError(f"--sweep {text}: {name} is 1 to {most}")
    spec = GridSpec(rows=found["rows"], concurrencies=found["c"])
    if not 2 <= len(spec.points) <= MOST_POINTS:
        raise UsageError(f"--sweep {text}: 2 to {MOST_POINTS} points, not {len(spec.points)}")
    return spec


def _values(text: str, listed: str) -> tuple[int, ...]:
    try:
        return tuple(read_count(value) for value in listed.split(","))
    except ValueError:
        raise UsageError(f"--sweep {text}: cannot be read: {WRITTEN}") from None


class GridState(StrEnum):
    """The state of a point.

    - `measured`: it was measured, and keeps the objectives.
    - `slower`: another point beats it in rows per second and in p99.
    - `missed`: it misses an objective.
    - `failed`: its requests fail, or more of them than an objective allows.
    - `untried`: there was no time for it.
    """

    MEASURED = "measured"
    SLOWER = "slower"
    MISSED = "missed"
    FAILED = "failed"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """State of a point.

    Args:
        state: `MEASURED` while the point remains; `MISSED` or `FAILED` if it is certain to be out.
        rows_per_s, p99_ms: 95 % intervals; None if there is none yet.
        words: why it is out.
    """

    state: GridState
    rows_per_s: tuple[float, float] | None = None
    p99_ms: tuple[float, float] | None = None
    words: str = ""

    def beats(self, other: "Standing") -> bool:
        """Tell whether it is better than another point in both figures, by more than the intervals."""
        if self.rows_per_s is None or self.p99_ms is None or other.rows_per_s is None or other.p99_ms is None:
            return False
        return self.rows_per_s[0] > other.rows_per_s[1] and self.p99_ms[1] < other.p99_ms[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The next measurement.

    Args:
        round: number of the round, from 1.
        seconds: time during which requests are sent.
        limit_s: latest end of the turn, even if replies are missing.
    """

    point: PointSpec
    round: int
    seconds: float
    limit_s: float


class GridRounds:
    """Chooses the point to measure next, from the state of all points.

    Public attributes: `out` (for each point that is dropped, its state and the reason), `left_s` (total time left).
    """

    def __init__(self, points: Sequence[PointSpec], seconds: float, *, seed: int = 0) -> None:
        """Start a sweep.

        Args:
            seconds: total time of each point.
        """
        self.out: dict[PointSpec, tuple[GridState, str]] = {}
        self.left_s = bound_s(len(points), seconds)
        self._seconds, self._seed = seconds, seed
        self._share = seconds / ROUNDS
        self._left = dict.fromkeys(points, seconds)
        self._longest = dict.fromkeys(points, 0.0)
        self._round = 0
        self._waiting: list[PointSpec] = []

    def next(self) -> Turn | None:
        """Return the next measurement; None when all rounds are done, or the time is over."""
        if not self._waiting and self._round < ROUNDS:
            self._round += 1
            self._waiting = [point for point in self._left if self._is_in(point)]
            Random(f"{self._seed} {self._round}").shuffle(self._waiting)  # noqa: S311 - nothing here is a secret
        if not self._waiting or self.left_s < LEAST_SHARE * self._share:
            return None
        point = self._waiting.pop()
        left = self._left[point]
        grace = self._share if self._longest[point] else 0.0
        seconds = min(self._share, left, self.left_s)
        return Turn(point=point, round=self._round, seconds=seconds, limit_s=min(left + grace, self.left_s))

    def confirmation(self, point: PointSpec) -> Turn | None:
        """Return the run that confirms a point; None if there is no time left for it."""
        if self.left_s < OWN_S + max(self._share, ROOM * self._longest[point]):
            return None
        # The requests in flight at the end take as long as those at the end of a round.
        beyond = max(0.0, self._longest[point] - self._share)
        seconds = min(self._seconds, self.left_s - beyond - OWN_S)
        return Turn(point=point, round=ROUNDS + 1, seconds=seconds, limit_s=self.left_s + self._share)

    def spend(self, turn: Turn, took_s: float, loaded_s: float) -> None:
        """Subtract the time of a turn.

        Args:
            took_s: its whole duration, which the total time pays.
            loaded_s: time from its first request to the end of its last one, which the point pays.
        """
        self.left_s -= took_s
        self._left[turn.point] -= loaded_s
        if turn.round <= ROUNDS:
            self._longest[turn.point] = max(self._longest[turn.point], loaded_s)

    @property
    def is_round_over(self) -> bool:
        """Whether every remaining point has had its turn."""
        return not self._waiting

    def judge(self, standings: Mapping[PointSpec, Standing]) -> None:
        """Drop points after a round.

        Args:
            standings: states of the measured points.
        """
        still = [point for point in standings if point not in self.out]
        for point in still:
            if standings[point].state is not GridState.MEASURED:
                self.out[point] = standings[point].state, f"{standings[point].words}, after round {self._round}"
        rivals = [point for point in still if point not in self.out]
        for point in rivals:
            better = [one for one in rivals if standings[one].beats(standings[point])]
            if better:
                # The fastest point is never beaten itself, so it stays.
                best = max(better, key=lambda one: (standings[one].rows_per_s or (0.0, 0.0))[0])
                words = f"slower than {best.name} in rows/s and p99, after round {self._round}"
                self.out[point] = GridState.SLOWER, words

    def _is_in(self, point: PointSpec) -> bool:
        left = self._left[point]
        # A round without waiting takes slightly more than its share; its last round may be shorter by that.
        wait = max(0.0, ROOM * self._longest[point] - ROOM * self._share)
        return point not in self.out and left - wait >= LEAST_SHARE * self._share


def bound_s(points: int, seconds: float) -> float:
    """Return the greatest duration of a grid: the time of each point, the confirmation, and epkit's own time."""
    return (points + 1) * seconds + (points * ROUNDS + 1) * OWN_S


def front(values: Iterable[tuple[float, float]]) -> list[bool]:
    """Return which points are on the Pareto front: no other is better in one figure and no worse in the other.

    Args:
        values: for each point, a figure that should be high, and one that should be low.
    """
    found = list(values)

    def beaten(up: float, down: float) -> bool:
        return any(a >= up and b <= down and (a, b) != (up, down) for a, b in found)

    return [not beaten(up, down) for up, down in found]
