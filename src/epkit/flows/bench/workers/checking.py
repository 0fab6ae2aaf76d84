"""Checks a worker's messages about its part of a run, because its values must be possible.

The types of the values have been checked before (`epkit.engines.workers.values`). This module compares the numbers with
the plan, the payloads and the elapsed time, so that no number can end the run or allocate too much memory.
"""

from typing import Final, NamedTuple

import numpy as np

from epkit.core.samples.rows import SAMPLE, TIMES, Failure
from epkit.engines.workers.values import MalformedError
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.workers.messages import DigestMessage, GateMessage, RowsMessage
from epkit.flows.target.transport import REPORTED

SLACK_NS: Final = 60_000_000_000
"""A time may be ahead of ours by at most this much, whatever the clocks show."""

MOST: Final = 1 << 62
"""Greatest count that a worker may report."""

MOST_DEPLOYMENTS: Final = 256
LONGEST_NAME: Final = 1000


class Bounds(NamedTuple):
    """The limits of a worker's numbers.

    Args:
        phases: the number of phases of the plan.
        payloads: the number of payloads that are sent in turn; 1 if requests have no body.
        now_ns: the time since the run began.
    """

    phases: int
    payloads: int
    now_ns: int

    def time(self, value: int, name: str) -> None:
        """Refuse a time that is not between the start of the run and now."""
        _within(value, self.now_ns + SLACK_NS, name)


def check_rows(message: RowsMessage, bounds: Bounds) -> np.ndarray:
    """Return a copy of the samples of a message.

    Raises:
        MalformedError: a sample is not possible.
    """
    _check_frame(message, bounds)
    if len(message.data) % SAMPLE.itemsize:
        raise MalformedError(f"{len(message.data)} bytes of samples, of {SAMPLE.itemsize} each")
    block = np.frombuffer(bytearray(message.data), dtype=SAMPLE)
    if not len(block):
        return block
    limits = (("failure", len(Failure)), ("deployment", len(message.deployments)), ("payload", bounds.payloads))
    for name, limit in limits:
        if int(block[name].max()) >= limit:
            raise MalformedError(f"samples with the {name} {int(block[name].max())}, of {limit}")
    for name in TIMES:
        bounds.time(int(block[name].max()), "samples")
        _within(int(block[name].min()), MOST, "samples")
    if (block["end"] < block["start"]).any():
        raise MalformedError("samples that end before they start")
    return block


def check_digest(message: DigestMessage, bounds: Bounds) -> None:
    """Refuse counts that are not possible.

    Raises:
        MalformedError: a count is not possible.
    """
    _check_frame(message, bounds)
    bounds.time(message.ended_ns, "the last end")
    if len(message.parts) != (bounds.phases if bounds.phases > 1 else 0):
        raise MalformedError(f"counts of {len(message.parts)} phases, of {bounds.phases}")
    for summary in (message.whole, *message.parts):
        if any(index >= len(message.deployments) for index in summary.named_deployments()):
            raise MalformedError("counts of a deployment without a name")
        if any(index >= bounds.payloads for index in summary.counters.payloads):
            raise MalformedError("counts of a payload that is not sent")
    for row in message.whole.slowest():
        bounds.time(int(row["end"]), "one of the slowest")


def check_gate(message: GateMessage, bounds: Bounds) -> None:
    """Refuse a phase or a time that is not possible.

    Raises:
        MalformedError: the phase or the time is not possible.
    """
    _within(message.place, bounds.phases - 1, "a phase")
    bounds.time(message.at_ns, "a phase's end")


def check_facts(facts: RunFacts, bounds: Bounds) -> None:
    """Refuse facts about a worker's part that are not possible.

    Raises:
        MalformedError: a fact is not possible.
    """
    _check_begins(facts.begins, bounds)
    _check_deployments(facts.deployments)
    if facts.engine not in ("", *REPORTED):
        raise MalformedError("an engine that does not exist")
    if len(facts.most) > bounds.phases or len(facts.examples) > MOST_DEPLOYMENTS * len(Failure):
        raise MalformedError("more phases or kinds of failures than there are")
    checks, traffic = facts.checks, facts.traffic
    numbers = (
        *(facts.late_ns, facts.ended_ns, facts.sent, facts.failed, facts.waiting, *facts.most, *facts.begins),
        *(*facts.gaps, *facts.gaps.values(), *facts.unsent.values()),
        *(checks.checked, checks.skipped, checks.crashed),
        *(traffic.connections, traffic.closed, traffic.retried, traffic.unsolicited),
        *(example.count for example in facts.examples.values()),
        *(example.start_ns or 0 for example in facts.examples.values()),
    )
    for number in numbers:
        _within(number, MOST, "a count")
    for index in (*facts.unsent, *(example.payload for example in facts.examples.values())):
        _within(index, bounds.payloads - 1, "a payload")
    bounds.time(facts.ended_ns, "the last end")


def _check_frame(message: RowsMessage | DigestMessage, bounds: Bounds) -> None:
    _within(message.complete_ns, MOST, "a time")
    _check_begins(message.begins, bounds)
    _check_deployments(message.deployments)


def _check_begins(begins: tuple[int, ...], bounds: Bounds) -> None:
    if len(begins) > bounds.phases or list(begins) != sorted(begins):
        raise MalformedError(f"{len(begins)} phases that began, of {bounds.phases}")
    for begin in begins:
        _within(begin, MOST, "a phase's beginning")


def _check_deployments(names: tuple[str, ...]) -> None:
    if not 1 <= len(names) <= MOST_DEPLOYMENTS or any(len(name) > LONGEST_NAME for name in names):
        raise MalformedError("names of deployments that are too many or too long")


def _within(value: int, most: int, name: str) -> None:
    if not 0 <= value <= most:
        raise MalformedError(f"{name} out of range: {value:.4g}")
