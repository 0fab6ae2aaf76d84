"""Due times: tables for regular arrivals, a Kolmogorov-Smirnov test for random ones."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.load.plan import Phase
from epkit.core.load.schedule import due_times, planned, span_ns

MS = 1_000_000
SECOND = 1_000_000_000


def open_phase(rate: float, seconds: float | None = None, **more: object) -> Phase:
    duration_ns = None if seconds is None else round(seconds * SECOND)
    return Phase(model="open", rate=rate, duration_ns=duration_ns, **more)  # type: ignore[arg-type]


def every(phase: Phase, seed: int = 0) -> list[int]:
    return list(itertools.chain.from_iterable(due_times(phase, seed)))


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (open_phase(4, 1), [0, 250 * MS, 500 * MS, 750 * MS]),
        (open_phase(4, 1.001), [0, 250 * MS, 500 * MS, 750 * MS, 1000 * MS]),
        (open_phase(3, requests=4), [0, 333_333_333, 666_666_667, 1_000_000_000]),
        (open_phase(0.5, 5), [0, 2 * SECOND, 4 * SECOND]),
        (open_phase(4, 1, requests=2), [0, 250 * MS]),
        (open_phase(4, 0.5, requests=9), [0, 250 * MS]),
        # Λ(t) = t² for a ramp 0..2 in 1 s: arrivals 0 and 1 are at its ends, and the end is excluded.
        (open_phase(0, 1, rate_to=2.0), [0]),
        # Λ(t) = 2 t²: 0, 1 at √½.
        (open_phase(0, 1, rate_to=4.0), [0, 707_106_781]),
        # Λ(t) = 4 t - 2 t²: 1 at 1 - √½.
        (open_phase(4, 1, rate_to=0.0), [0, 292_893_219]),
    ],
)
def test_regular_arrivals_are_due_where_the_integral_of_the_rate_passes_a_whole_number(phase, expected):
    assert expected == every(phase)


@given(st.floats(0.5, 5000), st.floats(0, 5000), st.floats(0.01, 3))
def test_a_ramp_plans_as_many_as_the_area_under_it(begin, end, seconds):
    phase = open_phase(begin, seconds, rate_to=end)
    times = every(phase)
    area = (begin + end) / 2 * phase.duration_ns / SECOND

    assert planned(phase) == pytest.approx(area)
    assert abs(len(times) - area) <= 1 + 1e-6 * area
    assert times == sorted(times)
    assert all(0 <= due <= phase.duration_ns for due in times)


def test_the_middle_of_a_ramp_is_where_the_arithmetic_has_it():
    times = np.array(every(open_phase(100, 10, rate_to=300.0)))
    by_then = [int(np.searchsorted(times, t * SECOND)) for t in (0, 2.5, 5, 7.5, 10)]

    # Λ(t) = 100 t + 10 t²
    assert by_then == pytest.approx([0, 312.5, 750, 1312.5, 2000], abs=1)


def test_a_long_level_does_not_drift():
    times = every(open_phase(10_000, 10))

    assert 100_000 == len(times)
    assert times == [i * 100_000 for i in range(100_000)]


def kolmogorov(values: np.ndarray) -> float:
    """Return the largest distance of values in (0, 1) from the uniform distribution, times √n."""
    n = len(values)
    ordered = np.sort(values)
    above = np.arange(1, n + 1) / n - ordered
    below = ordered - np.arange(n) / n
    return float(max(above.max(), below.max()) * math.sqrt(n))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("begin", "end"), [(500, None), (100, 900.0), (900, 100.0)])
def test_random_arrivals_pass_a_kolmogorov_smirnov_test(seed, begin, end):
    phase = open_phase(begin, 10, rate_to=end, arrivals="poisson")
    times = np.array(every(phase, seed)) / SECOND
    slope = ((end or begin) - begin) / 10
    area = begin * times + slope * times**2 / 2
    gaps = np.diff(area, prepend=0.0)

    # One sample in a thousand exceeds 1.95; the seeds are fixed.
    assert kolmogorov(1 - np.exp(-gaps)) < 1.95, "times between arrivals are exponential"
    assert kolmogorov(area / planned(phase)) < 1.95, "arrivals are spread as the rate is"
    assert abs(len(times) - planned(phase)) < 4 * math.sqrt(planned(phase))


def test_a_seed_gives_the_same_arrivals_and_another_gives_others():
    phase = open_phase(100, 5, arrivals="poisson")

    assert every(phase, 3) == every(phase, 3)
    assert every(phase, 3) != every(phase, 4)


def test_so_many_random_arrivals_as_were_asked_for():
    assert 3000 == len(every(open_phase(100, requests=3000, arrivals="poisson")))


def test_without_an_end_there_is_always_another_block():
    blocks = due_times(open_phase(1000), 0)
    times = list(itertools.chain.from_iterable(itertools.islice(blocks, 5)))

    assert times == [i * MS for i in range(len(times))]
    assert math.inf == planned(open_phase(1000))


@pytest.mark.parametrize(
    ("phase", "span"),
    [
        (open_phase(4, 2), 2 * SECOND),
        (open_phase(4, requests=6), 1500 * MS),
        (open_phase(4, 2, requests=6), 1500 * MS),
        (open_phase(4, 1, requests=6), SECOND),
        (open_phase(4), None),
        (open_phase(0, 1, rate_to=8.0, requests=1), 500 * MS),
    ],
)
def test_a_phase_lasts_until_the_next_request_would_be_due(phase, span):
    assert span == span_ns(phase)
