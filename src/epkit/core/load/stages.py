"""Parses loads: `--stages`, `--sweep`, `--warmup`."""

import contextlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from epkit.core.load.plan import WARMUP, Arrivals, Phase
from epkit.core.quantities import has_unit, read_count, read_ns, read_rate
from epkit.errors import UsageError

STAGES: Final = "stages are written '10s@c=1,30s@c=8' or '30s@rate=50..500'"
SWEEP: Final = "a sweep is written 'c=1,2,4,8', 'rate=50,100,200' or 'rows=1,10,100;c=1,4'"

MOST_RATE: Final = 1_000_000


def parse_stages(text: str, *, concurrency: int, most_concurrency: int, arrivals: Arrivals) -> tuple[Phase, ...]:
    """Parse `--stages`.

    Args:
        concurrency: greatest number in flight in an open stage.
        most_concurrency: limit for a closed stage.

    Raises:
        UsageError: a stage cannot be parsed; the message names it and has the grammar.
    """
    phases = []
    for number, part in enumerate(text.split(","), 1):
        long, _, load = part.strip().partition("@")
        what, _, amount = load.partition("=")
        try:
            duration = read_ns(long)
            slots, begin, end = _amount(what, amount)
        except ValueError:
            raise UsageError(f"--stages: stage {number}, '{part.strip()}', cannot be read: {STAGES}") from None
        if not duration:
            raise UsageError(f"--stages: stage {number}, '{part.strip()}', lasts no time")
        name = f"stage {number}"
        if slots is not None:
            if not 1 <= slots <= most_concurrency:
                raise UsageError(
                    f"--stages: stage {number}, c={slots}: the concurrency must be from 1 to {most_concurrency}"
                )
            phases.append(Phase(name=name, concurrency=slots, duration_ns=duration))
            continue
        check_rate(f"--stages: stage {number}, rate", max(begin, end or 0.0))
        phases.append(
            Phase(
                name=name,
                model="open",
                concurrency=concurrency,
                duration_ns=duration,
                rate=begin,
                rate_to=end,
                arrivals=arrivals,
            )
        )
    if len({phase.model for phase in phases}) > 1:
        raise UsageError("--stages: stages by c= and by rate= do not go together: a report is of one kind of load")
    return tuple(phases)


def parse_sweep(text: str, step: Phase, *, concurrency: int, most_concurrency: int) -> tuple[Phase, ...]:
    """Parse `--sweep`.

    Args:
        step: the end of each step (its requests, its duration), and its arrivals.
        concurrency: greatest number in flight in a step with a rate.
        most_concurrency: limit for a step with a concurrency.

    Raises:
        UsageError: it cannot be parsed, or does not ascend: the search for the knee goes upward.
    """
    what, _, listed = text.replace(" ", "").partition("=")
    values = listed.split(",")
    try:
        numbers = [_step(what, value) for value in values]
    except ValueError:
        raise UsageError(f"--sweep {text}: cannot be read: {SWEEP}") from None
    if what == "c" and any(number != int(number) for number in numbers):
        raise UsageError(f"--sweep {text}: a concurrency is a whole number")
    if len(numbers) < 2 or any(b <= a for a, b in itertools.pairwise(numbers)):
        raise UsageError(f"--sweep {text}: two steps at least, each higher than the last")
    if what == "c":
        if not (numbers[0] >= 1 and numbers[-1] <= most_concurrency):
            raise UsageError(f"--sweep {text}: the concurrency must be from 1 to {most_concurrency}")
        if step.requests is not None and step.requests < numbers[-1]:
            raise UsageError(f"--sweep {text}: c={values[-1]} is more than -n {step.requests}, the requests of a step")
        return tuple(replace(step, name=f"c={int(number)}", concurrency=int(number)) for number in numbers)
    for number in numbers:
        check_rate(f"--sweep {text}: a rate", number)
    return tuple(
        replace(step, name=f"rate={number:g}", model="open", concurrency=concurrency, rate=number) for number in numbers
    )


def parse_warmup(text: str, first: Phase) -> Phase:
    """Parse `--warmup`: a number of requests, or a time, with the load of the first phase.

    Args:
        first: the phase that follows; for a ramp, the rate at its start is used.

    Raises:
        UsageError: it is neither.
    """
    requests: int | None = None
    duration: int | None = None
    with contextlib.suppress(ValueError):
        if has_unit(text):
            duration = read_ns(text)
        else:
            requests = max(0, read_count(text))
    if not requests and not duration:
        raise UsageError(f"--warmup {text}: a number of requests, such as 100, or a time, such as 10s")
    rate = first.rate
    if first.rate_to is not None:
        assert rate is not None
        rate = rate or first.rate_to / 10
    return replace(first, name=WARMUP, requests=requests, duration_ns=duration, rate=rate, rate_to=None)


def _amount(what: str, amount: str) -> tuple[int | None, float, float | None]:
    """Parse the load of a stage: a number of slots, or a rate and, for a ramp, the rate at its end.

    Raises:
        ValueError: it is neither.
    """
    if what == "c":
        return read_count(amount), 0.0, None
    if what != "rate":
        raise ValueError
    begin, dots, end = amount.partition("..")
    return None, _rate(begin), _rate(end) if dots else None


def _step(what: str, value: str) -> float:
    """Parse a step of a sweep: a rate, or a concurrency, which is not checked to be whole here.

    Raises:
        ValueError: it is neither.
    """
    if what not in ("c", "rate") or (what == "c" and "/" in value):
        raise ValueError
    return _rate(value)


def _rate(text: str) -> float:
    rate = read_rate(text)
    if not 0 <= rate < math.inf:
        raise ValueError
    return rate


def check_rate(what: str, rate: float) -> None:
    """Refuse a rate that is not possible.

    Raises:
        UsageError: it is 0, negative, not a number, or far too high.
    """
    if not 0 < rate <= MOST_RATE:
        raise UsageError(f"{what} {rate:g}: must be more than 0 and at most {MOST_RATE} requests per second")


def total(phases: Sequence[Phase], name: str) -> int | None:
    """Add up what ends the phases: `requests` or `duration_ns`; None if one of them has no such end."""
    values = [getattr(phase, name) for phase in phases]
    return None if None in values else sum(values)
