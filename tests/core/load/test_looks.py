"""The stop rule: it ends, its error rate is as stated, and chance does not end it."""

from fractions import Fraction

import numpy as np
import pytest

from epkit.core.load.criteria import parse_tight
from epkit.core.load.looks import ALPHA, GROWTH, LEAST, Looks


def run(text: str, seed: int, most: int = 60_000) -> tuple[Looks, np.ndarray]:
    """Apply the rule to growing samples of a lognormal endpoint until it stops, or until *most* requests."""
    values = (np.random.default_rng(seed).lognormal(0, 0.5, most) * 1e7).astype(np.int64)
    looks = Looks(parse_tight(text))
    while looks.next_at <= most:
        if looks.look(values):
            break
    return looks, values


def test_looks_grow_and_share_the_error_out():
    looks = Looks(parse_tight("ci(p50)<1%"))
    first = looks.next_at
    tails = [Looks._tail(k) for k in range(1, 2000)]

    assert first == LEAST
    looks.look(np.arange(1, 101))
    assert looks.next_at == first * GROWTH
    assert sum(2 * float(tail) for tail in tails) == pytest.approx(ALPHA, rel=1e-3)
    assert tails == sorted(tails, reverse=True)
    assert isinstance(tails[0], Fraction)


def test_a_tighter_goal_takes_more_requests():
    counts = [run(f"ci(p90)<{share}%", seed=3)[0].count for share in (20, 10, 5)]

    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize("key", ["50", "99"])
def test_runs_that_stop_are_right_as_often_as_they_say(key):
    normal = {"50": 0.0, "99": 2.3263478740}[key]
    truth = np.exp(0.5 * normal) * 1e7
    wrong = stopped = 0
    for seed in range(200):
        looks, values = run(f"ci(p{key})<10%", seed)
        stopped += looks.tight
        sample = np.sort(values[: looks.count])
        value = sample[int(np.ceil(float(key) / 100 * len(sample))) - 1]
        wrong += looks.tight and abs(value - truth) / value > 0.10

    assert stopped == 200, "it ends"
    assert wrong <= 10, "it says 95 %; 5 % of 200 is 10"


def test_what_never_gets_tight_never_says_so():
    looks, _ = run("ci(p99)<0.01%", seed=1)

    assert not looks.tight
    assert looks.share is not None
    assert looks.share > 0.0001


def test_a_sample_that_hangs_together_is_not_taken_for_a_large_one():
    wave = (np.repeat(np.random.default_rng(1).lognormal(0, 0.5, 60), 1000) * 1e7).astype(np.int64)
    looks = Looks(parse_tight("ci(p50)<5%"))
    while looks.next_at <= len(wave):
        looks.look(wave)

    assert not looks.tight
