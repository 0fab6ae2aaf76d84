"""The syntax of stages, and its errors."""

import pytest

from epkit.core.load.plan import WARMUP, Phase
from epkit.core.load.stages import parse_stages, parse_sweep, parse_warmup
from epkit.errors import UsageError

SECOND = 1_000_000_000


def stages(text):
    return parse_stages(text, concurrency=1000, most_concurrency=20_000, arrivals="poisson")


def sweep(text, **step):
    return parse_sweep(text, Phase(**step), concurrency=1000, most_concurrency=20_000)


def test_stages_by_concurrency():
    assert (
        Phase(name="stage 1", concurrency=1, duration_ns=10 * SECOND),
        Phase(name="stage 2", concurrency=8, duration_ns=30 * SECOND),
    ) == stages("10s@c=1,30s@c=8")


def test_stages_by_rate_are_levels_and_ramps():
    level, ramp = stages("500ms@rate=50, 2m@rate=50..500")

    assert (50.0, None, SECOND // 2, "50/s") == (level.rate, level.rate_to, level.duration_ns, level.load)
    assert (50.0, 500.0, 120 * SECOND, "50..500/s") == (ramp.rate, ramp.rate_to, ramp.duration_ns, ramp.load)
    assert {("open", 1000, "poisson")} == {(p.model, p.concurrency, p.arrivals) for p in (level, ramp)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "stage 1, '', cannot be read"),
        ("10s", "stage 1, '10s', cannot be read: stages are written '10s@c=1,30s@c=8' or '30s@rate=50..500'"),
        ("10s@c=1,5@x=2", "stage 2, '5@x=2', cannot be read"),
        ("10s@c=1.5", "cannot be read"),
        ("0s@c=1", "lasts no time"),
        ("10s@c=0", "stage 1, c=0: the concurrency must be from 1 to 20000"),
        ("10s@c=99999", "the concurrency must be from 1 to 20000"),
        ("10s@rate=0", "stage 1, rate 0: must be more than 0"),
        ("10s@rate=0..0", "more than 0"),
        ("10s@rate=9999999", "at most 1000000"),
        ("10s@c=1,10s@rate=5", "by c= and by rate= do not go together"),
    ],
)
def test_stages_that_cannot_be(text, said):
    with pytest.raises(UsageError) as caught:
        stages(text)

    assert said in str(caught.value)
    assert str(caught.value).startswith("--stages")


def test_a_sweep_has_a_phase_a_step():
    by_c = sweep("c=1,2,8", requests=100)
    by_rate = sweep("rate=50,75.5", duration_ns=SECOND, arrivals="poisson")

    assert [("c=1", 1, 100), ("c=2", 2, 100), ("c=8", 8, 100)] == [(p.name, p.concurrency, p.requests) for p in by_c]
    assert [("rate=50", "open", 50.0, SECOND), ("rate=75.5", "open", 75.5, SECOND)] == [
        (p.name, p.model, p.rate, p.duration_ns) for p in by_rate
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2", "a sweep is written"),
        ("c=1", "two steps at least"),
        ("c=2,1", "each higher than the last"),
        ("c=1,1", "each higher than the last"),
        ("c=1.5,2", "whole number"),
        ("c=0,2", "the concurrency must be from 1 to 20000"),
        ("c=1,99999", "the concurrency must be from 1 to 20000"),
        ("c=1,64", "c=64 is more than -n 50"),
        ("rate=0,5", "more than 0"),
    ],
)
def test_sweeps_that_cannot_be(text, said):
    with pytest.raises(UsageError) as caught:
        sweep(text, requests=50)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "requests", "duration_ns"), [("100", 100, None), ("10s", None, 10 * SECOND), ("1.5m", None, 90 * SECOND)]
)
def test_a_warm_up_is_so_much_of_what_follows(text, requests, duration_ns):
    first = Phase(name="stage 1", concurrency=4, duration_ns=7)

    assert Phase(name=WARMUP, concurrency=4, requests=requests, duration_ns=duration_ns) == parse_warmup(text, first)


def test_the_warm_up_of_a_ramp_is_its_beginning():
    ramp = Phase(model="open", concurrency=9, rate=50.0, rate_to=500.0, duration_ns=SECOND)
    from_nothing = Phase(model="open", rate=0.0, rate_to=500.0, duration_ns=SECOND)

    warmup = parse_warmup("2s", ramp)
    assert ("open", 50.0, None, 9) == (warmup.model, warmup.rate, warmup.rate_to, warmup.concurrency)
    assert 50.0 == parse_warmup("2s", from_nothing).rate


@pytest.mark.parametrize("text", ["0", "0s", "-1", "ten", "1.5", "10 x", ""])
def test_warm_ups_that_cannot_be(text):
    with pytest.raises(UsageError, match="a number of requests, such as 100, or a time, such as 10s"):
        parse_warmup(text, Phase())
