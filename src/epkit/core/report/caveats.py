"""The remarks of a report: a kind for programs, and a sentence for people."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class CaveatKind(StrEnum):
    """The subject of a caveat.

    As reasons why a run is not valid:

    - `no_request`: no request was made. `no_success`: none succeeded.
    - `client_limit`: the client, or one of its workers, was measured rather than the server.
    - `concurrency`: the mean number in flight is not the concurrency that was asked for.
    - `rate`: the planned rate was not achieved. `late_starts`: too many requests started late.
    - `worker_lost`: a worker did not do its part to the end.

    As warnings:

    - `small_sample`: a percentile has no interval, because the requests are too few or too dependent.
    - `unsteady`: latency or throughput changed its level in mid-run.
    - `saturated`: the number in flight grew all through: more is asked than is served.
    - `capped`: -c limited an open load.
    - `histogram`: percentiles are from a histogram. `clamped`: latencies beyond its range count as its end.
    - `unsolicited`: replies were followed by bytes that nobody asked for.
    - `unchecked`: replies passed without the check that was asked for, or although their number of predictions is not
      that of the rows, where no contract says what a row is; as a reason: all of them passed unchecked.
    - `objective_lost`: the run was ended early, because an objective could no longer be met.
    - `cut_off`: the report was made from a saved run without an end.
    - `clocks`: the workers' clocks differ by an unknown time that matters.

    `other` is the kind of a text in a report that was saved before there were kinds, or by a later epkit.
    """

    NO_REQUEST = "no_request"
    NO_SUCCESS = "no_success"
    CLIENT_LIMIT = "client_limit"
    CONCURRENCY = "concurrency"
    RATE = "rate"
    LATE_STARTS = "late_starts"
    WORKER_LOST = "worker_lost"
    SMALL_SAMPLE = "small_sample"
    UNSTEADY = "unsteady"
    SATURATED = "saturated"
    CAPPED = "capped"
    HISTOGRAM = "histogram"
    CLAMPED = "clamped"
    UNSOLICITED = "unsolicited"
    UNCHECKED = "unchecked"
    OBJECTIVE_LOST = "objective_lost"
    CUT_OFF = "cut_off"
    CLOCKS = "clocks"
    OTHER = "other"

    @classmethod
    def _missing_(cls, _value: object) -> "CaveatKind":
        return cls.OTHER


_SMALL_SAMPLE: Final = re.compile(r"p[\d.]+ needs \d")


def kind_before_kinds(text: object) -> CaveatKind:
    """Return the kind of a text in a report that was saved before there were kinds.

    Reports showed only small samples apart, and each of their texts began alike; all others are `other`.
    """
    return CaveatKind.SMALL_SAMPLE if _SMALL_SAMPLE.match(str(text)) else CaveatKind.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Caveat:
    """One warning, or one reason why a run is not valid."""

    kind: CaveatKind
    text: str

    def __str__(self) -> str:
        return self.text

    def about(self, name: str) -> "Caveat":
        """Return it as a caveat about one phase or one worker."""
        return replace(self, text=f"{name}: {self.text}")
