"""Charts: the axes contain all values, and have readable ticks."""

import re

import pytest

from epkit.reporters.parts import charts


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.3, 40], "0.5 1 2 5 10 20"), ([3, 4], "3 3.5 4"), ([11, 14], "11 12 13 14"), ([10], "10"), ([], "1"), ([0], "1"),
        ([1e-3, 1e4], "0.001 0.01 0.1 1 10 100 1000 10k"),
    ],
)  # fmt: skip
def test_a_logarithmic_axis_ends_where_the_data_end(values, ticks):
    axis = charts.logarithmic("ms", values)
    shown = [value for value in values if value > 0] or [1]

    assert (min(shown), max(shown), ticks.split()) == (axis.low, axis.high, [words for _, words in axis.ticks])


@pytest.mark.parametrize(
    ("values", "high", "ticks"),
    [([7], 7, "0 2 4 6"), ([0.03], 0.03, "0 0.01 0.02 0.03"), ([], 1, "0 0.2 0.4 0.6 0.8 1"), ([1234], 1234, "0 250 500 750 1000")],
)  # fmt: skip
def test_a_linear_axis_has_round_marks_and_ends_where_the_data_end(values, high, ticks):
    axis = charts.linear("s", values)

    assert (0.0, high, ticks.split()) == (axis.low, axis.high, [words for _, words in axis.ticks])


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.9473, 0.9533], "0.948 0.95 0.952"), ([-0.002, 0.107], "0 0.05 0.1"), ([398.1, 455.6], "400 420 440"),
        ([0.5], "0.5"), ([], "0"), ([-3, -1], "-3 -2.5 -2 -1.5 -1"), ([0, 0], "0"),
        ([0.94731, 0.94735], "0.947310 0.947320 0.947330 0.947340 0.947350"),
    ],
)  # fmt: skip
def test_an_axis_around_values_begins_and_ends_with_them(values, ticks):
    axis = charts.around("AUC", values)

    assert (min(values, default=0), max(values, default=0)) == (axis.low, axis.high)
    assert ticks.split() == [words for _, words in axis.ticks]


@pytest.mark.parametrize(
    ("values", "ticks"), [([1], "1"), ([], "0"), ([1, 2, 3], "1 2 3"), ([7, 200], "25 50 75 100 125 150 175 200")]
)
def test_an_axis_of_runs_has_whole_numbers(values, ticks):
    axis = charts.counted("run", values)

    assert ticks.split() == [words for _, words in axis.ticks]
    assert (min(values, default=0), max(values, default=0)) == (axis.low, axis.high)


def test_a_single_point_is_in_the_middle_and_the_axis_has_its_value_alone():
    drawn = charts.lines(
        "p99", [charts.Series(name="p99", points=[(1, 1.0)], colour=1)], charts.counted("run", [1]), charts.around("ms", [1.0])
    )  # fmt: skip

    assert 'd="M259.0 111.0h0"' in drawn
    assert ["1", "1", "ms", "run"] == sorted(re.findall(r">([^<>]+)</text>", drawn))


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
    assert "<title>short</title>" not in drawn


def test_bars_are_as_long_as_their_values_and_none_is_negative():
    drawn = charts.ranks("Importance", [("a", 0.4, "0.4", 1), ("b", 0.2, "0.2", 1), ("c", -0.1, "-0.1", 1)])
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', drawn)]

    assert [pytest.approx(widths[0] / 2, abs=0.1), 1.0] == widths[1:]


def test_no_bars_are_an_empty_chart():
    assert 'viewBox="0 0 480 24"' in charts.ranks("Importance", [])


def series(count, name="class"):
    return [charts.Series(name=f"{name} {i}", points=[(0, i), (1, i)], colour=1 + i) for i in range(count)]


@pytest.mark.parametrize("below", [False, True])
def test_a_legend_has_a_box_for_each_of_several_series(below):
    axis = charts.linear("", [10])
    drawn = charts.lines("x", series(10), axis, axis, below=below)

    assert [str(i) for i in range(10)] == re.findall(r'<input type="checkbox" checked data-s="(\d)">', drawn)
    assert below == (drawn.index("<svg") < drawn.index("<input"))
    assert "<input" not in charts.lines("x", series(1), axis, axis)


def test_the_values_of_series_are_a_table_by_their_places():
    x, y = charts.linear("seconds", [2], name="time", unit="s"), charts.linear("ms", [9], unit="ms")
    first = charts.Series(name="p50", points=[(0, 1.25), (1, None), (2, 3)], colour=1)
    second = charts.Series(name="p99", points=[(0, 4), (1, 5), (2, 9)], colour=2, band=[(3, 5), (4, 6), (8, 9)])

    assert (
        "<thead><tr><th>time</th><th>p50</th><th>p99</th></tr></thead><tbody>"
        "<tr><td>0 s</td><td>1.25 ms</td><td>4 ms (3 ms to 5 ms)</td></tr>"
        "<tr><td>1 s</td><td></td><td>5 ms (4 ms to 6 ms)</td></tr>"
        "<tr><td>2 s</td><td>3 ms</td><td>9 ms (8 ms to 9 ms)</td></tr>"
    ) in charts.lines("x", [first, second], x, y)


def test_places_are_in_the_order_of_each_series():
    x = charts.linear("s", [9])
    first = charts.Series(name="a", points=[(1, 1), (3, 1), (2, 1)], colour=1)
    longer = charts.Series(name="b", points=[(1, 1), (2, 1), (3, 1)], colour=1)

    assert ["1", "3", "2"] == re.findall("<tr><td>(.*?)</td>", charts.lines("x", [first], x, x))
    assert ["1", "2", "3"] == re.findall(
        "<tr><td>(.*?)</td>",
        charts.lines("x", [charts.Series(name="c", points=[(1, 1), (3, 1)], colour=1), longer], x, x),
    )
    assert " list" in charts.lines("x", [first, longer], x, x)


def test_series_without_common_places_have_a_row_each():
    x = charts.linear("recall", [1])
    steps = charts.Series(name="cat", points=[(0, 0), (0, 0.5), (1, 1)], colour=1)

    assert '<tr><th>cat</th><td class="p">0: 0; 0: 0.5; 1: 1</td></tr>' in charts.lines("x", [steps], x, x)


def test_a_gap_parts_a_line_and_a_point_alone_is_seen():
    x = charts.linear("", [3])
    line = charts.Series(name="", points=[(0, 0), (1, 3), (2, None), (3, 0)], colour=1)

    assert '<path class="l c1" d="M56.0 210.0L191.3 12.0M462.0 210.0h0"/>' in charts.lines("x", [line], x, x)


def test_every_bar_has_its_values_and_none_is_drawn_where_there_is_nothing():
    axis = charts.linear("s", [2], name="time", unit="s")
    drawn = charts.bars(
        "x", [(0, 1, [(2, 1), (0, 3)]), (1, 2, [(1, 1), (1, 3)])], axis, axis, [("ok", 1), ("failed", 3)]
    )

    assert (
        "<tr><td>0 s to 1 s</td><td>2 s</td><td>0 s</td></tr><tr><td>1 s to 2 s</td><td>1 s</td><td>1 s</td></tr>"
        in drawn
    )
    assert '<g data-s="1"><path class="b c3" d="M56.0 12.0h202.6v0.0h-202.6z' in drawn


def test_a_span_says_its_values_without_a_script():
    drawn = charts.spans("x", [("vote", 1, 2, 3, 1), ("one", 2, 2, 2, 1)], charts.around("AUC", [1, 3]))

    assert ["vote: 2 (1 to 3)", "one: 2"] == re.findall("<title>(.*?)</title>", drawn)


def test_words_over_points_do_not_cover_each_other():
    axis = charts.linear("", [10])
    drawn = charts.lines("x", series(1), axis, axis, notes=[(5, 5, "c=1"), (5, 5, "c=2"), (5, 5, "c=4"), (9, 5, "c=8")])

    assert [("104.0", "c=1"), ("129.0", "c=2"), ("104.0", "c=8")] == re.findall(r'y="([\d.]+)">(c=\d)<', drawn)


def test_a_colour_above_the_last_is_one_of_them_dashed():
    axis = charts.linear("", [10])
    drawn = charts.lines("x", series(6), axis, axis)

    assert '<path class="l c1" d=' in drawn
    assert '<path class="l c1 h" d=' in drawn
    assert '<i class="k c1 h"></i>class 5' in drawn


def test_points_of_a_row_have_their_colours():
    drawn = charts.dots("x", [("jan", (1.0, 3.0))], charts.linear("", [4]), [("predicted", 1), ("observed", 2)])

    assert ["c1", "c2"] == re.findall(r'<circle class="d (c\d)"', drawn)
    assert ["predicted", "observed"] == re.findall(r">(predicted|observed)<", drawn)
    assert ["jan: predicted 1", "jan: observed 3"] == re.findall("<title>(.*?)</title>", drawn)
