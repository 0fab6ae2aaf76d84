"""Makes tables from readings: differences, medians, ratios, goals. Its functions are pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

SUBJECT = "epkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a client's process for a number of requests, start included."""

    requests: int
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The reading of one client in one cell in one round."""

    cell: str
    client: str
    round: int
    requests: int
    cpu_us: float
    startup_ms: float
    requests_per_s: float
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median, least and greatest value of several rounds."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A goal; `measured` is None if a peer or a part was left out."""

    name: str
    measured: float | None
    sense: Literal["at most", "below", "at least"]
    limit: float
    unit: str

    def verdict(self) -> str:
        """Return pass, FAIL or not measured."""
        if self.measured is None:
            return "not measured"
        met = {
            "at most": self.measured <= self.limit,
            "below": self.measured < self.limit,
            "at least": self.measured >= self.limit,
        }[self.sense]
        return "pass" if met else "**FAIL**"


def cpu_us_per_request(*, many: Cost, few: Cost) -> float:
    """Return µs of CPU per request, without the cost of the start and of opening the connections.

    Args:
        many: a long run.
        few: a short run of the same client, with the same number of connections.

    Returns:
        (CPU(N) − CPU(n0)) / (N − n0): the cost of each *further* request.

    Raises:
        ValueError: the long run was not longer, or did not cost more. The noise of the start is then greater than the
            cost of the requests, and a figure of 0 or less would meet every goal.
    """
    if many.requests <= few.requests:
        raise ValueError(f"{many.requests} requests are not more than {few.requests}")
    if many.cpu_s <= few.cpu_s:
        raise ValueError(f"{many.requests} requests cost no more CPU than {few.requests}: ask for more --requests")
    return (many.cpu_s - few.cpu_s) / (many.requests - few.requests) * 1e6


def startup_ms(*, many: Cost, few: Cost) -> float:
    """Return ms of CPU of the short run without its requests: the process's start, connections, report."""
    return few.cpu_s * 1e3 - few.requests * cpu_us_per_request(many=many, few=few) / 1e3


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return least, median and greatest of the known values; None if there are none."""
    known = [value for value in values if value is not None]
    return Spread(low=min(known), middle=median(known), high=max(known)) if known else None


def ratios(readings: Sequence[Reading], cell: str, over: str, under: str) -> Spread | None:
    """Return ratios of CPU per request of two clients, one ratio for each round in which both were measured.

    The ratio is taken within a round, because other work on the machine then affects both clients alike.
    """
    cpu = {(reading.client, reading.round): reading.cpu_us for reading in readings if reading.cell == cell}
    pairs = [(cpu[over, r], cpu.get((under, r))) for client, r in cpu if client == over]
    return spread(above / below for above, below in pairs if below)


def speed_table(readings: Sequence[Reading]) -> str:
    """Return the table of all cells in Markdown: medians over the rounds, with least and greatest in brackets."""
    rows = []
    for cell in dict.fromkeys(reading.cell for reading in readings):
        for client in dict.fromkeys(reading.client for reading in readings if reading.cell == cell):
            mine = [reading for reading in readings if (reading.cell, reading.client) == (cell, client)]
            ratio = ratios(readings, cell, client, SUBJECT)
            rows.append(
                [
                    cell,
                    client,
                    spread_text(spread(reading.cpu_us for reading in mine), 1),
                    "–" if ratio is None else f"{ratio.middle:.2f}",
                    middle_text(spread(reading.requests_per_s for reading in mine), 0),
                    middle_text(spread(reading.p50_ms for reading in mine), 2),
                    middle_text(spread(reading.p99_ms for reading in mine), 2),
                    middle_text(spread(reading.startup_ms for reading in mine), 0),
                ]
            )
    header = [
        "cell",
        "client",
        "CPU µs/request",
        f"× {SUBJECT}",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "start ms CPU",
    ]
    return markdown(header, rows, left=2)


def speed_goals(readings: Sequence[Reading], cells: Collection[str]) -> list[Goal]:
    """Return the goals for CPU per request in *cells*; each is the median of the rounds' ratios."""

    def ratio(cell: str, over: str, under: str) -> float | None:
        found = ratios(readings, cell, over, under)
        return None if found is None else found.middle

    slower: list[tuple[str, str, float]] = [
        ("plain c=64", "ab", 0.95),
        ("plain c=64", "wrk", 0.95),
        ("plain c=1", "ab", 1),
        ("plain c=1", "wrk", 1),
        ("tls c=64", "ab", 1.1),
    ]
    faster: list[tuple[str, str, float]] = [("plain c=64", "aiohttp", 5), ("plain c=64", "httpx", 50)]
    return [
        Goal(
            name=f"{cell}: CPU per request, {SUBJECT} : {peer}",
            measured=ratio(cell, SUBJECT, peer),
            sense="at most",
            limit=limit,
            unit="×",
        )
        for cell, peer, limit in slower
        if cell in cells
    ] + [
        Goal(
            name=f"{cell}: CPU per request, {peer} : {SUBJECT}",
            measured=ratio(cell, peer, SUBJECT),
            sense="at least",
            limit=limit,
            unit="×",
        )
        for cell, peer, limit in faster
        if cell in cells
    ]


def goals_table(goals: Sequence[Goal]) -> str:
    """Return the goals in Markdown, each with its verdict."""
    rows = [
        [
            goal.name,
            "–" if goal.measured is None else f"{goal.measured:.2f} {goal.unit}".rstrip(),
            f"{goal.sense} {goal.limit:g} {goal.unit}".rstrip(),
            goal.verdict(),
        ]
        for goal in goals
    ]
    return markdown(["goal", "measured", "to reach", "verdict"], rows, left=1)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Return a Markdown table that is padded for reading as text; columns after the first *left* are right-aligned."""
    widths = [max(3, *(len(row[column]) for row in (header, *rows))) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rules = ["-" * width if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([line(header), f"| {' | '.join(rules)} |", *map(line, rows)])


def middle_text(values: Spread | None, digits: int) -> str:
    """Format the median."""
    return "–" if values is None else f"{values.middle:,.{digits}f}"


def spread_text(values: Spread | None, digits: int) -> str:
    """Format the median, with least and greatest in brackets."""
    if values is None or values.low == values.high:
        return middle_text(values, digits)
    return f"{values.middle:,.{digits}f} ({values.low:,.{digits}f}–{values.high:,.{digits}f})"
