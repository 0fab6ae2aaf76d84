"""The knee of a sweep: the load beyond which more load gives more waiting rather than more work.

The rule is Kleinrock's *power*: successes per second divided by their mean time. It rises while throughput grows faster
than latency. The knee is at its maximum.

Source: Kleinrock (1979), Power and deterministic rules of thumb for probabilistic problems in computer communications.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from epkit.core.load.criteria import KNEE
from epkit.core.load.plan import Phase
from epkit.core.report.report import PhaseInfo, Search

RULE: Final = "the step with the most successes per second for their mean time (Kleinrock's power)"


def mark_knee(phases: Sequence[PhaseInfo], steps: Sequence[Phase]) -> tuple[tuple[PhaseInfo, ...], Search | None]:
    """Mark the knee among the phases of a sweep, and describe how it was found.

    Args:
        phases: the phases that were entered; a warm-up is no step of the sweep.
        steps: planned steps of the sweep.

    Returns:
        The phases, and the result; None if no step had a success.
    """
    first = next((i for i, phase in enumerate(phases) if phase.measured), len(phases))
    at = knee(phases[first:])
    if at is None:
        return tuple(phases), None
    words = f"the knee is at {phases[first + at].load}: {RULE}"
    above = None
    if at + 1 == len(phases[first:]):
        words += "; it is the last step, so the true knee may be beyond it"
    else:
        above = _load(steps[at + 1])
    marked = tuple(replace(phase, mark=KNEE) if i == first + at else phase for i, phase in enumerate(phases))
    return marked, Search(
        kind=KNEE, expression="power", value=_load(steps[at]), above=above, confirmed=above is not None, words=words
    )


def knee(phases: Sequence[PhaseInfo]) -> int | None:
    """Return the index of the phase with the highest power; None if no phase had a success."""
    powers = [_power(phase) for phase in phases]
    best = max(powers, default=0.0)
    return powers.index(best) if best > 0 else None


def _load(step: Phase) -> float:
    return float(step.concurrency) if step.rate is None else step.rate


def _power(phase: PhaseInfo) -> float:
    if phase.response is None or not phase.response.mean:
        return 0.0
    return phase.successes_per_s / phase.response.mean
