"""The grid of a sweep of batch sizes: its syntax, the order of its measurements, and the points that drop out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.load.grid import (
    OWN_S,
    ROUNDS,
    GridRounds,
    GridSpec,
    GridState,
    PointSpec,
    Standing,
    bound_s,
    front,
    is_grid,
    parse_grid,
    swept,
)
from epkit.errors import UsageError


def grid(text, concurrency=None):
    return parse_grid(text, concurrency=concurrency, most_concurrency=20_000)


def point(rows, concurrency=1):
    return PointSpec(rows=rows, concurrency=concurrency)


def good(rows_per_s, p99_ms):
    return Standing(state=GridState.MEASURED, rows_per_s=rows_per_s, p99_ms=p99_ms)


@pytest.mark.parametrize(
    "text",
    ["rows=1,10,1000;c=1,4", "c=1,4;rows=1,10,1000", " rows = 1, 10, 1k ; c = 1 ,4 ", "rows=1,10,1e3;c=1,4"],
)
def test_a_grid_is_written_in_either_order_with_blanks_and_short_counts(text):
    assert GridSpec(rows=(1, 10, 1000), concurrencies=(1, 4)) == grid(text)


def test_rows_alone_are_measured_at_the_concurrency_that_is_given():
    assert (4,) == grid("rows=1,10", 4).concurrencies
    assert (1,) == grid("rows=1,10").concurrencies


def test_points_stand_by_rows_and_then_by_concurrency():
    points = grid("c=1,4;rows=10,100").points

    assert ["rows=10 c=1", "rows=10 c=4", "rows=100 c=1", "rows=100 c=4"] == [one.name for one in points]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rows", "cannot be read: a sweep of batch sizes is written 'rows=1,10,100'"),
        ("rows=", "cannot be read"),
        ("rows=1,ten", "cannot be read"),
        ("rows=1,10;", "cannot be read"),
        ("rows=1,10;rows=20,30", "cannot be read"),
        ("rows=1,10;rate=5,6", "cannot be read"),
        ("rows=1.5,2", "cannot be read"),
        ("c=1,2;c=3,4", "cannot be read"),
        ("rows=10,10", "each rows is higher than the last"),
        ("rows=1,2;c=4,1", "each c is higher than the last"),
        ("rows=0,1", "rows is 1 to 1000000"),
        ("rows=1,2000000", "rows is 1 to 1000000"),
        ("rows=1,2;c=0,1", "c is 1 to 20000"),
        ("rows=10", "2 to 100 points, not 1"),
        (f"rows={','.join(map(str, range(1, 102)))}", "2 to 100 points, not 101"),
    ],
)
def test_what_is_no_grid_is_refused_in_one_line(text, said):
    with pytest.raises(UsageError, match=said) as refused:
        grid(text)

    assert "\n" not in str(refused.value)


def test_a_concurrency_is_said_once():
    with pytest.raises(UsageError, match="-c contradicts"):
        grid("rows=1,10;c=1,4", 4)


def test_what_a_sweep_varies_is_told_by_its_words():
    assert ("rows", "c") == swept(" rows = 1 ; c=2")
    assert [True, True, False, False] == [is_grid(text) for text in ("rows=1,2", "c=1;c=2", "c=1,2", "rate=1,2")]


def measured(rounds, took=None):
    """Run rounds to their end without a judgement; return the turns."""
    turns = []
    while (turn := rounds.next()) is not None:
        turns.append(turn)
        seconds = turn.seconds if took is None else took(turn)
        rounds.spend(turn, seconds, seconds)
    return turns


def test_every_round_has_each_point_once_in_an_order_of_the_seeds():
    points = grid("rows=1,10,100;c=1,4").points
    orders = [[turn.point for turn in measured(GridRounds(points, 5.0, seed=seed))] for seed in (1, 1, 2)]

    assert orders[0] == orders[1] != orders[2]
    assert ROUNDS * len(points) == len(orders[0])
    assert all(set(points) == set(orders[0][at : at + 6]) for at in range(0, 30, 6))
    assert orders[0][:6] != orders[0][6:12]


def test_a_round_is_a_fifth_of_a_points_time():
    assert {1.0} == {turn.seconds for turn in measured(GridRounds([point(1), point(10)], 5.0))}


def test_a_point_whose_replies_are_waited_for_long_has_fewer_rounds():
    turns = measured(GridRounds([point(1), point(10)], 5.0), lambda turn: 2.0 if turn.point.rows == 10 else 1.0)

    assert (5, 2) == tuple(sum(turn.point.rows == rows for turn in turns) for rows in (1, 10))


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=60), st.integers(2, 8))
def test_the_whole_ends_in_its_time_and_one_round(took, count):
    rounds = GridRounds([point(rows) for rows in range(1, count + 1)], 5.0)
    spent, number = 0.0, 0
    while (turn := rounds.next()) is not None:
        seconds = min(took[number % len(took)], turn.limit_s)
        rounds.spend(turn, seconds + OWN_S, seconds)
        spent, number = spent + seconds + OWN_S, number + 1
    last = rounds.confirmation(point(1))

    assert spent <= bound_s(count, 5.0) + OWN_S
    assert last is None or spent + last.seconds <= bound_s(count, 5.0)


def test_a_grid_is_bounded_by_its_points_and_the_run_that_confirms():
    assert pytest.approx(13 * 5 + 61 * OWN_S) == bound_s(12, 5)


def test_a_point_that_another_beats_in_both_beyond_the_intervals_drops_out():
    points = [point(1), point(10), point(100)]
    rounds = GridRounds(points, 5.0)
    for _ in points:
        turn = rounds.next()
        rounds.spend(turn, 1.0, 1.0)

    assert rounds.is_round_over
    rounds.judge(
        {
            points[0]: good((90, 110), (5, 6)),
            points[1]: good((900, 1100), (5.5, 7)),  # faster, and its p99 is not provably slower
            points[2]: good((700, 880), (8, 9)),  # slower in both
        }
    )

    assert {points[2]: (GridState.SLOWER, "slower than rows=10 c=1 in rows/s and p99, after round 1")} == rounds.out
    assert {points[0], points[1]} == {turn.point for turn in measured(rounds)}


def test_a_point_without_intervals_stays():
    points = [point(1), point(10)]
    rounds = GridRounds(points, 5.0)
    rounds.next()
    rounds.judge({points[0]: good((1, 2), None), points[1]: good(None, (1, 2))})

    assert {} == rounds.out


def test_a_point_that_is_out_beats_no_other():
    points = [point(1), point(10)]
    rounds = GridRounds(points, 5.0)
    rounds.next()
    missed = Standing(state=GridState.MISSED, rows_per_s=(100, 110), p99_ms=(1, 2), words="misses p99<1ms")
    rounds.judge({points[0]: missed, points[1]: good((10, 11), (5, 6))})

    assert {points[0]: (GridState.MISSED, "misses p99<1ms, after round 1")} == rounds.out


def test_a_confirmation_is_as_long_as_a_point_has_and_not_begun_without_time():
    rounds = GridRounds([point(1), point(10)], 5.0)
    measured(rounds)
    turn = rounds.confirmation(point(1))

    assert (ROUNDS + 1, 5.0) == (turn.round, turn.seconds)
    rounds.spend(turn, 7.0, 5.0)
    assert None is rounds.confirmation(point(10))


def test_the_front_has_what_no_other_beats():
    values = [(100, 5), (1000, 5), (2000, 9), (1500, 9), (2000, 9)]

    assert [False, True, True, False, True] == front(values)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_what_is_not_on_the_front_is_beaten_by_what_is(values):
    marks = front(values)
    best = [value for value, mark in zip(values, marks, strict=True) if mark]

    assert best
    for value, mark in zip(values, marks, strict=True):
        assert mark != any(a >= value[0] and b <= value[1] and (a, b) != value for a, b in best)
