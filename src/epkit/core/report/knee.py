"""Where a sweep has its knee: the load from which on more of it buys waiting rather than work.

The rule is Kleinrock's *power*: successes per second divided by their mean time. It rises as long as throughput grows
faster than latency does, and the knee is where it is highest.

Source: Kleinrock (1979), Power and deterministic rules of thumb for probabilistic problems in computer communications.
"""

from collections.abc import Sequence

from epkit.core.report.report import PhaseInfo


def knee(phases: Sequence[PhaseInfo]) -> int | None:
    """Return the index of the phase with the highest power; None where none had a success."""
    powers = [_power(phase) for phase in phases]
    best = max(powers, default=0.0)
    return powers.index(best) if best > 0 else None


def _power(phase: PhaseInfo) -> float:
    if phase.response is None or not phase.response.mean or not phase.duration_s:
        return 0.0
    return phase.ok / phase.duration_s / phase.response.mean
