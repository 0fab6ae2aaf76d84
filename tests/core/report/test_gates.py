"""Gates: their syntax, and the place of an error in it."""

import pytest

from epkit.core.report.gates import ChangeGate, parse
from epkit.errors import UsageError


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("p99>+5%", ChangeGate(expression="p99>+5%", metric="p99", up=True, limit=0.05)),
        (" p99.9 > 2.5 % ", ChangeGate(expression="p99.9>2.5%", metric="p99.9", up=True, limit=0.025)),
        ("throughput<-3%", ChangeGate(expression="throughput<-3%", metric="throughput", up=False, limit=0.03)),
        ("failed>+1%", ChangeGate(expression="failed>+1%", metric="failed", up=True, limit=0.01)),
    ],
)
def test_a_gate_is_read(text, gate):
    assert gate == parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "column 1: no change"),
        ("p98>+5%", "column 1: p98 is not compared"),
        ("p99>+5ms", "column 4: no change in percent"),
        ("p99<5%", "column 4: no change in percent"),
        ("p99", "column 4: no change in percent"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_the_grammar(text, why):
    with pytest.raises(UsageError, match="--fail-if") as caught:
        parse(text)

    assert why in str(caught.value)
    assert "write METRIC>+N%" in str(caught.value)


def test_a_limit_is_passed_in_one_direction_only():
    rise, fall = parse("p99>+5%"), parse("throughput<-3%")

    assert (True, False, False) == tuple(map(rise.passed_by, (0.06, 0.05, -0.5)))
    assert (True, False, False) == tuple(map(fall.passed_by, (-0.04, -0.03, 0.5)))
