"""Charts: the axes hold what is shown, and have marks that people read."""

import pytest

from epkit.reporters.parts import charts


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([0.3, 40], 0.1, 100), ([3, 4], 2, 5), ([10], 10, 20), ([], 1, 2), ([0], 1, 2), ([1e-3, 1e4], 1e-3, 1e4)],
)
def test_a_logarithmic_axis_holds_what_it_shows(values, low, high):
    axis = charts.logarithmic("ms", values)

    assert (pytest.approx(low), pytest.approx(high)) == (axis.low, axis.high)
    assert len(axis.ticks) >= 2


@pytest.mark.parametrize(("values", "high", "ticks"), [([7], 8, 5), ([0.03], 0.03, 4), ([], 1, 6), ([1234], 1250, 6)])
def test_a_linear_axis_has_round_marks(values, high, ticks):
    axis = charts.linear("s", values)

    assert (0.0, pytest.approx(high), ticks) == (axis.low, axis.high, len(axis.ticks))
