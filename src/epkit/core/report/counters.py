"""Counts of a run that need no stored rows: outcomes, bytes, the document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from epkit.core.report.report import Counts
from epkit.core.samples.latency import WHOLE
from epkit.core.samples.rows import FAILURES, Failure

LATE_NS: Final = 2_000_000
"""A request is late if it starts later than this after its due time; timers and schedulers need less."""


def _count(column: np.ndarray, counter: dict[int, int]) -> None:
    """Add the counts of a column's values to *counter*; a column with equal values, the usual case, is not sorted."""
    first = column[0]
    if (column == first).all():
        counter[int(first)] = counter.get(int(first), 0) + len(column)
        return
    for value, n in zip(*np.unique(column, return_counts=True), strict=True):
        counter[int(value)] = counter.get(int(value), 0) + int(n)


MOST_ROWS: Final = 1 << 40
"""Greatest number of rows that another process can report."""

MOST: Final = 1 << 62
"""Greatest sum of bytes or ns that another process can report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountersState:
    """Counters on their way to another process."""

    received: int
    body: int
    in_flight_ns: int
    late: int
    last_start: int
    length_differs: int
    failures: np.ndarray
    statuses: Mapping[int, int]
    payloads: Mapping[int, int]
    failed_payloads: Mapping[int, int]
    deployments: np.ndarray
    document: int | None
    settled: bool


class Counters:
    """Counts the rows of a run.

    `received` and `body` are bytes read, with and without headers; `in_flight_ns` is the sum of all service
    times, of failed requests too; `late` is how many started more than `LATE_NS` after they were due, and
    `last_start` when the last one did; `length_differs` counts later replies whose body size differs from the first's.
    """

    def __init__(self) -> None:
        self.received = self.body = self.in_flight_ns = self.late = self.last_start = self.length_differs = 0
        self._failures = np.zeros(len(Failure), dtype=np.int64)
        self._statuses: dict[int, int] = {}
        self._payloads: dict[int, int] = {}
        self._failed_payloads: dict[int, int] = {}
        self._deployments = np.zeros((256, 2), dtype=np.int64)  # ok, failed
        self._document: int | None = None
        self._settled = False  # whether the document is that of a 2xx reply

    def add(self, block: np.ndarray) -> None:
        """Count the rows of a block, one at least, in order of completion."""
        kind = block["failure"]
        self._failures += np.bincount(kind, minlength=len(Failure))
        for column, counter in (("status", self._statuses), ("payload", self._payloads)):
            _count(block[column], counter)
        if kind.any():
            _count(block["payload"][kind != 0], self._failed_payloads)
        both = np.bincount(block["deployment"] * np.int64(2) + (kind != 0), minlength=512)
        self._deployments += both.reshape(256, 2)
        self.received += int(block["received"].sum(dtype=np.int64))
        self.body += int(block["body"].sum(dtype=np.int64))
        self.in_flight_ns += int((block["end"] - block["start"]).sum())
        self.late += int(np.count_nonzero(block["start"] - block["due"] > LATE_NS))
        self.last_start = max(self.last_start, int(block["start"].max()))
        whole = WHOLE[kind]
        self._compare(block["body"][whole], block["status"][whole])

    def state(self) -> CountersState:
        """Return the state to send to another process."""
        return CountersState(
            received=self.received,
            body=self.body,
            in_flight_ns=self.in_flight_ns,
            late=self.late,
            last_start=self.last_start,
            length_differs=self.length_differs,
            failures=self._failures,
            statuses=self._statuses,
            payloads=self._payloads,
            failed_payloads=self._failed_payloads,
            deployments=self._deployments.ravel(),
            document=self._document,
            settled=self._settled,
        )

    @classmethod
    def restored(cls, state: CountersState) -> Self:
        """Make the counters from a state.

        Raises:
            ValueError: no counters can have such a state.
        """
        made = cls()
        arrays = ((state.failures, made._failures.size), (state.deployments, made._deployments.size))
        if any(len(given) != size or given.min() < 0 or given.max() > MOST_ROWS for given, size in arrays):
            raise ValueError("counts of failures or deployments that cannot be")
        pairs = [*state.statuses.items(), *state.payloads.items(), *state.failed_payloads.items()]
        if any(not (0 <= key < 1 << 32 and 0 < count <= MOST_ROWS) for key, count in pairs):
            raise ValueError("counts of statuses or payloads that cannot be")
        if any(count > state.payloads.get(key, 0) for key, count in state.failed_payloads.items()):
            raise ValueError("more failures of a payload than requests with it")
        for name in ("received", "body", "in_flight_ns", "late", "last_start", "length_differs"):
            value = getattr(state, name)
            if not 0 <= value <= MOST:
                raise ValueError(f"{name.replace('_', ' ')} out of range")
            setattr(made, name, value)
        made._failures, made._deployments = state.failures.copy(), state.deployments.reshape(256, 2).copy()
        made._statuses, made._payloads = dict(state.statuses), dict(state.payloads)
        made._failed_payloads = dict(state.failed_payloads)
        made._document, made._settled = state.document, state.settled
        return made

    def merge(self, other: "Counters", deployments: Sequence[int] | None = None) -> None:
        """Add the counts of *other*; both compare bodies with the same document.

        Args:
            deployments: this object's indices of the deployments of *other*, by index; None: the same.
        """
        for name in ("received", "body", "in_flight_ns", "late", "length_differs"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.last_start = max(self.last_start, other.last_start)
        self._failures += other._failures
        for name in ("_statuses", "_payloads", "_failed_payloads"):
            mine = getattr(self, name)
            for value, n in getattr(other, name).items():
                mine[value] = mine.get(value, 0) + n
        if deployments is None:
            self._deployments += other._deployments
        else:
            np.add.at(self._deployments, np.asarray(deployments), other._deployments[: len(deployments)])
        if not self._settled and other._document is not None:
            self.expect(other._document)

    @property
    def sent(self) -> int:
        """Number of requests."""
        return int(self._failures.sum())

    @property
    def failed(self) -> int:
        """Number of failed requests."""
        return self.sent - int(self._failures[Failure.NONE])

    @property
    def document(self) -> int | None:
        """Body size of the first reply with a 2xx status, None before there is one."""
        return self._document if self._settled else None

    @property
    def document_bytes(self) -> int:
        """Body size of the first 2xx reply, otherwise of the first reply; 0 without a reply."""
        return self._document or 0

    @property
    def non_2xx(self) -> int:
        """Replies with a status other than 2xx."""
        return sum(n for status, n in self._statuses.items() if status and status // 100 != 2)

    @property
    def connect_failed(self) -> int:
        """Requests without a connection; ab's Connect counter."""
        return int(self._failures[[Failure.CONNECT, Failure.TLS]].sum())

    @property
    def receive_failed(self) -> int:
        """Requests whose connection broke; ab's Receive counter."""
        return int(self._failures[Failure.TRANSPORT])

    def expect(self, document: int) -> None:
        """Compare bodies with a document whose size is already known."""
        self._settled, self._document = True, document

    def _compare(self, bodies: np.ndarray, statuses: np.ndarray) -> None:
        """Count bodies whose size differs from the document's: the first 2xx reply's, otherwise the first reply's."""
        first = None if self._settled else next(iter(np.flatnonzero(statuses // 100 == 2)), None)
        if first is not None:
            bodies = bodies[first:]
            self._settled, self._document, self.length_differs = True, int(bodies[0]), 0
        elif self._document is None and len(bodies):
            self._document = int(bodies[0])
        if self._document is not None:
            self.length_differs += int(np.count_nonzero(bodies != self._document))

    @property
    def payloads(self) -> Mapping[int, int]:
        """Requests by index of their payload."""
        return dict(sorted(self._payloads.items()))

    def rows(self, rows_of: np.ndarray) -> int:
        """Return the rows of all requests that succeeded.

        Args:
            rows_of: how many rows each payload holds, by its index.
        """
        failed = self._failed_payloads
        return sum((n - failed.get(index, 0)) * int(rows_of[index]) for index, n in self._payloads.items())

    def failures(self) -> Mapping[int, int]:
        """Return the failed requests by their kind (`Failure`)."""
        return {int(kind): int(self._failures[kind]) for kind in FAILURES if self._failures[kind]}

    def by_deployment(self) -> Mapping[int, tuple[int, int]]:
        """Return successes and failures of each deployment that was named, by its index."""
        pairs = enumerate(self._deployments.tolist())
        return {index: (ok, failed) for index, (ok, failed) in pairs if index and ok + failed}

    def counts(self, retried: int = 0) -> Counts:
        """Return the requests so far, by outcome.

        Args:
            retried: requests that were sent a second time; the rows do not show it.
        """
        ok = int(self._failures[Failure.NONE])
        sent = int(self._failures.sum())
        return Counts(
            sent=sent,
            completed=int(self._failures[WHOLE].sum()),
            ok=ok,
            failed=sent - ok,
            retried=retried,
            failures={kind.name.lower(): int(self._failures[kind]) for kind in FAILURES},
            statuses={str(status): n for status, n in sorted(self._statuses.items()) if status},
        )
