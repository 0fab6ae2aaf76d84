"""Charts: the axes hold what is shown, and have marks that people read."""

import re

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


@pytest.mark.parametrize(
    ("values", "low", "high", "ticks"),
    [
        ([0.9473, 0.9533], 0.946, 0.954, 5), ([-0.002, 0.107], -0.05, 0.15, 5), ([398.1, 455.6], 380, 460, 5),
        ([0.5], 0.5, 0.55, 2), ([], 0, 1, 2), ([-3, -1], -3, -1, 5), ([0, 0], 0, 1, 2),
    ],
)  # fmt: skip
def test_an_axis_around_values_begins_and_ends_near_them(values, low, high, ticks):
    axis = charts.around("AUC", values)

    assert (pytest.approx(low), pytest.approx(high), ticks) == (axis.low, axis.high, len(axis.ticks))


@pytest.mark.parametrize(
    ("name", "room", "shown"),
    [
        ("job", 21, "job"), ("jobs", 21, "jo…"), ("", 21, ""), ("\U0001f600" * 3, 42, "\U0001f600" * 3),
        ("\U0001f600" * 3, 35, "\U0001f600" * 2 + "…"), ("a\u202eb\n c", 70, "ab c"), ("x", 1, "…"),
    ],
)  # fmt: skip
def test_a_name_is_cut_to_the_room_that_there_is(name, room, shown):
    assert shown == charts.fit(name, room)


def test_a_name_that_was_cut_is_whole_under_the_pointer():
    drawn = charts.spans("Cohorts", [("a very long name", 1, 2, 3, 1), ("short", 1, 2, 3, 1)], charts.linear("", [3]))

    assert "<title>a very long name</title>a very long…<" in drawn
    assert 1 == drawn.count("<title>")


def test_bars_are_as_long_as_their_values_and_none_is_negative():
    drawn = charts.ranks("Importance", [("a", 0.4, "0.4", 1), ("b", 0.2, "0.2", 1), ("c", -0.1, "-0.1", 1)])
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', drawn)]

    assert [pytest.approx(widths[0] / 2, abs=0.1), 1.0] == widths[1:]


def test_no_bars_are_an_empty_chart():
    assert 'viewBox="0 0 480 24"' in charts.ranks("Importance", [])


def series(count, name="class"):
    return [charts.Series(name=f"{name} {i}", points=[(0, i), (1, i)], colour=1 + i) for i in range(count)]


def test_names_that_do_not_fit_into_the_plot_are_below_it_in_lines():
    axis = charts.linear("", [10])
    inside, below = charts.lines("x", series(2), axis, axis), charts.lines("x", series(10), axis, axis)

    assert 'viewBox="0 0 480 250"' in inside
    assert 'viewBox="0 0 480 304"' in below  # three lines of names
    assert 10 == below.count("class ")


def test_a_colour_above_the_last_is_one_of_them_dashed():
    axis = charts.linear("", [10])
    drawn = charts.lines("x", series(6), axis, axis)

    assert '<path class="l c1" d=' in drawn
    assert '<path class="l c1" stroke-dasharray="5 4" d=' in drawn


def test_points_of_a_row_have_their_colours():
    drawn = charts.dots("x", [("jan", (1.0, 3.0))], charts.linear("", [4]), [("predicted", 1), ("observed", 2)])

    assert ["c1", "c2"] == re.findall(r'<circle class="d (c\d)"', drawn)
    assert ["predicted", "observed"] == re.findall(r">(predicted|observed)<", drawn)
