"""The grid of `--sweep 'rows=1,10,100;c=1,4'`: its points, when each is measured, and which are measured no further.

Theory of operation. The time of a point is cut into rounds. Each round measures all points that are still in, in an
order of the seed's, so that a machine that drifts drifts for all of them. After a round a point drops out that another
one beats in both, in rows per second and in p99, by more than their intervals; so does one that surely misses an
objective, and one whose requests fail. In the end what was chosen is confirmed by one more run, as long as a point has.

The wait for replies is paid from the point's own time: a point has no further round than it has time for. A round that
takes longer than that is ended when all time of the point is over and, beyond its first round, one share more. Whatever
is paid comes from the time of the whole, which is fixed at the beginning; where it is over, the sweep is.
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
"""Of a request."""

WRITTEN: Final = "a sweep of batch sizes is written 'rows=1,10,100' or 'rows=1,10,100;c=1,4'"
LEAST_SHARE: Final = 0.5
"""A point whose time is over but for less than this share of a round has had its time."""

OWN_S: Final = 0.2
"""What epkit itself takes for a run, before and after its requests: it is of no point's time."""

ROOM: Final = 1.25
"""What a round may take more than the longest before it."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PointSpec:
    """A point of the grid.

    Args:
        concurrency: requests in flight.
        rows: of each request.
    """

    concurrency: int
    rows: int

    @property
    def name(self) -> str:
        """The point in short: `rows=100 c=4`."""
        return f"rows={self.rows} c={self.concurrency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSpec:
    """What is asked for.

    Args:
        rows, concurrencies: the values of both directions, ascending.
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
        """The grid as it is written."""
        return f"rows={','.join(map(str, self.rows))};c={','.join(map(str, self.concurrencies))}"


def swept(text: str) -> tuple[str, ...]:
    """Name what a sweep varies, as it is written: `c`, `rate`, `rows`."""
    return tuple(part.partition("=")[0].strip() for part in text.split(";"))


def is_grid(text: str) -> bool:
    """Tell whether a sweep is one of batch sizes, rather than of loads in a row."""
    return "rows" in swept(text) or ";" in text


def parse_grid(text: str, *, concurrency: int | None, most_concurrency: int) -> GridSpec:
    """Read `--sweep` with `rows=`.

    Args:
        concurrency: of all points, where the sweep names none; None for 1.

    Raises:
        UsageError: it cannot be read, or is no grid that can be measured.
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
    """What became of a point.

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
        state: `MEASURED` while it is in; `MISSED` or `FAILED` where it surely is out.
        rows_per_s, p99_ms: 95 % intervals; None where there is none yet.
        words: why it is out.
    """

    state: GridState
    rows_per_s: tuple[float, float] | None = None
    p99_ms: tuple[float, float] | None = None
    words: str = ""

    def beats(self, other: "Standing") -> bool:
        """Tell whether it is better than another one in both, by more than the intervals."""
        if self.rows_per_s is None or self.p99_ms is None or other.rows_per_s is None or other.p99_ms is None:
            return False
        return self.rows_per_s[0] > other.rows_per_s[1] and self.p99_ms[1] < other.p99_ms[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What to measure next.

    Args:
        round: from 1.
        seconds: for how long requests are sent.
        limit_s: when at the latest the turn is over, whatever is still waited for.
    """

    point: PointSpec
    round: int
    seconds: float
    limit_s: float


class GridRounds:
    """Says which point is measured next, and learns from how the points stand.

    Public attributes: `out` (why a point is measured no further: its state, and the words of it), `left_s` (of the
    whole).
    """

    def __init__(self, points: Sequence[PointSpec], seconds: float, *, seed: int = 0) -> None:
        """Begin.

        Args:
            seconds: of each point, in all.
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
        """Return what to measure; None when all rounds, or all time, are over."""
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
        """Return the run that confirms a point; None where there is no time left for it."""
        if self.left_s < OWN_S + max(self._share, ROOM * self._longest[point]):
            return None
        # What is in flight when the time of sending is over takes as long as it did beyond a round.
        beyond = max(0.0, self._longest[point] - self._share)
        seconds = min(self._seconds, self.left_s - beyond - OWN_S)
        return Turn(point=point, round=ROUNDS + 1, seconds=seconds, limit_s=self.left_s + self._share)

    def spend(self, turn: Turn, took_s: float, loaded_s: float) -> None:
        """Pay for a turn.

        Args:
            took_s: in all, which the whole pays.
            loaded_s: from its first request to the end of its last, which the point pays.
        """
        self.left_s -= took_s
        self._left[turn.point] -= loaded_s
        if turn.round <= ROUNDS:
            self._longest[turn.point] = max(self._longest[turn.point], loaded_s)

    @property
    def is_round_over(self) -> bool:
        """Whether every point that is in has had its turn."""
        return not self._waiting

    def judge(self, standings: Mapping[PointSpec, Standing]) -> None:
        """Drop the points that are out, after a round.

        Args:
            standings: of the points that were measured.
        """
        still = [point for point in standings if point not in self.out]
        for point in still:
            if standings[point].state is not GridState.MEASURED:
                self.out[point] = standings[point].state, f"{standings[point].words}, after round {self._round}"
        rivals = [point for point in still if point not in self.out]
        for point in rivals:
            better = [one for one in rivals if standings[one].beats(standings[point])]
            if better:
                # The fastest of them is never beaten itself, and stays.
                best = max(better, key=lambda one: (standings[one].rows_per_s or (0.0, 0.0))[0])
                words = f"slower than {best.name} in rows/s and p99, after round {self._round}"
                self.out[point] = GridState.SLOWER, words

    def _is_in(self, point: PointSpec) -> bool:
        left = self._left[point]
        # A round without a wait takes its share and a little more, and its last one may be that much shorter.
        wait = max(0.0, ROOM * self._longest[point] - ROOM * self._share)
        return point not in self.out and left - wait >= LEAST_SHARE * self._share


def bound_s(points: int, seconds: float) -> float:
    """Return how long a grid takes at most: each point its time, the confirmation the same, and what epkit takes."""
    return (points + 1) * seconds + (points * ROUNDS + 1) * OWN_S


def front(values: Iterable[tuple[float, float]]) -> list[bool]:
    """Tell which points are on the Pareto front: no other is better in one of two things and no worse in the other.

    Args:
        values: of each point, what is better the more it is, and what is better the less it is.
    """
    found = list(values)

    def beaten(up: float, down: float) -> bool:
        return any(a >= up and b <= down and (a, b) != (up, down) for a, b in found)

    return [not beaten(up, down) for up, down in found]
