"""The syntax of criteria for a search."""

from fractions import Fraction

import pytest

from epkit.core.load.criteria import parse_bound, parse_tight
from epkit.errors import UsageError


@pytest.mark.parametrize(("text", "key", "share"), [("ci(p99)<5%", "99", 0.05), (" ci(p99.9) < 0.5 % ", "99.9", 0.005)])
def test_how_tight_an_estimate_is_to_be(text, key, share):
    goal = parse_tight(text)

    assert (text.strip(), key, share) == (goal.text, goal.key, pytest.approx(goal.share))


@pytest.mark.parametrize(
    ("text", "key", "limit_ns"),
    [("p99<250ms", "99", 250_000_000), ("p50 < 1.5s", "50", 1_500_000_000), ("p99.9<800us", "99.9", 800_000)],
)
def test_what_a_percentile_is_to_stay_below(text, key, limit_ns):
    bound = parse_bound(text)

    assert (key, limit_ns, Fraction(key)) == (bound.key, bound.limit_ns, bound.percent)


@pytest.mark.parametrize("text", ["", "p99<5%", "ci(p99)<5", "ci(p99)<0%", "ci(p99)<100%", "ci(mean)<5%", "ci(p99)>5%"])
def test_what_is_no_such_goal_is_refused_with_the_grammar(text):
    with pytest.raises(UsageError, match=r"--until '.*': cannot be read: write 'ci\(p99\)<5%'"):
        parse_tight(text)


@pytest.mark.parametrize("text", ["", "p99<250", "p99>250ms", "p99<0ms", "failed<1%", "p99<250min"])
def test_what_is_no_such_limit_is_refused_with_the_grammar(text):
    with pytest.raises(UsageError, match=r"--find-max '.*': cannot be read: write 'p99<250ms'"):
        parse_bound(text)


def test_a_percentile_that_no_report_has_is_refused():
    with pytest.raises(UsageError, match="p97 is not one of p50, p66"):
        parse_tight("ci(p97)<5%")
    with pytest.raises(UsageError, match="p100 is not one of p50, p66"):
        parse_bound("p100<5ms")
