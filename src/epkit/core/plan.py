"""What a run is to do: phases as values, never as function names."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stage of a run.

    Args:
        model: `closed` is driven by slots, `open` by a schedule.
        concurrency: most requests in flight, ≥ 1.
        requests: how many requests end the phase, or None.
        duration_ns: how long it lasts, or None; with *requests*, whichever comes first.
    """

    name: str = "measure"
    model: Literal["closed", "open"] = "closed"
    concurrency: int = 1
    requests: int | None = None
    duration_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is to do.

    Args:
        phases: in order, at least one.
        timeout_ns: one request's, from its start to the last byte.
        keepalive: whether connections are reused.
        seed: of everything random.
    """

    phases: tuple[Phase, ...]
    timeout_ns: int
    keepalive: bool = True
    seed: int = 0
