"""The arithmetic of the benchmark: differences, medians, ratios, goals, and their tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def reading(table):
    def make(client, cpu_us, cell="plain c=64", round_=0, p99_ms=2.0):
        return table.Reading(
            cell=cell,
            client=client,
            round=round_,
            requests=1000,
            cpu_us=cpu_us,
            startup_ms=12.4,
            requests_per_s=12345.6,
            p50_ms=1.0,
            p99_ms=p99_ms,
        )

    return make


@given(
    start_s=st.floats(0, 5),
    each_us=st.floats(1, 5000),
    few=st.integers(1, 1000),
    more=st.integers(100, 1_000_000),
)
def test_the_difference_form_finds_the_cost_of_a_request_whatever_the_start_costs(table, start_s, each_us, few, more):
    def cost(requests):
        return table.Cost(requests=requests, cpu_s=start_s + requests * each_us / 1e6)

    short, long = cost(few), cost(few + more)

    assert pytest.approx(each_us, rel=1e-6) == table.cpu_us_per_request(many=long, few=short)
    assert pytest.approx(start_s * 1000, rel=1e-6, abs=1e-3) == table.startup_ms(many=long, few=short)


def test_a_long_run_that_is_not_longer_is_refused(table):
    cost = table.Cost(requests=10, cpu_s=1)

    with pytest.raises(ValueError, match="10 requests are not more than 10"):
        table.cpu_us_per_request(many=cost, few=cost)


def test_a_cost_that_drowns_in_the_noise_of_the_start_is_no_measurement(table):
    short, long = table.Cost(requests=10, cpu_s=0.25), table.Cost(requests=1000, cpu_s=0.24)

    with pytest.raises(ValueError, match="1000 requests cost no more CPU than 10: ask for more --requests"):
        table.cpu_us_per_request(many=long, few=short)


def test_a_spread_is_least_median_and_greatest_of_what_is_known(table):
    assert table.Spread(low=1, middle=2, high=9) == table.spread([9, None, 1, 2])
    assert table.spread([None]) is None


def test_a_ratio_is_taken_within_each_round(table, reading):
    # The second round ran on a machine three times as slow, which does not change the ratio.
    readings = [
        reading("epkit", 10, round_=0),
        reading("ab", 8, round_=0),
        reading("epkit", 30, round_=1),
        reading("ab", 24, round_=1),
    ]

    assert table.Spread(low=1.25, middle=1.25, high=1.25) == table.ratios(readings, "plain c=64", "epkit", "ab")


def test_a_round_that_lacks_one_of_the_two_is_left_out_of_their_ratio(table, reading):
    readings = [reading("epkit", 10, round_=0), reading("ab", 8, round_=1)]

    assert table.ratios(readings, "plain c=64", "epkit", "ab") is None


def test_readings_of_another_cell_do_not_enter_a_ratio(table, reading):
    readings = [reading("epkit", 10), reading("ab", 5), reading("ab", 1, cell="tls c=64")]

    assert table.ratios(readings, "plain c=64", "epkit", "ab").middle == 2
    assert table.ratios(readings, "tls c=64", "epkit", "ab") is None


def test_the_table_gives_medians_their_spread_and_the_ratio_to_epkit(table, reading):
    readings = [
        reading("epkit", 10, round_=0),
        reading("epkit", 12, round_=1),
        reading("hey", 40, round_=0, p99_ms=None),
        reading("hey", 48, round_=1, p99_ms=None),
    ]

    expected = """\
| cell       | client |   CPU µs/request | × epkit | requests/s | p50 ms | p99 ms | start ms CPU |
| ---------- | ------ | ---------------: | ------: | ---------: | -----: | -----: | -----------: |
| plain c=64 | epkit  | 11.0 (10.0–12.0) |    1.00 |     12,346 |   1.00 |   2.00 |           12 |
| plain c=64 | hey    | 44.0 (40.0–48.0) |    4.00 |     12,346 |   1.00 |      – |           12 |"""

    assert expected == table.speed_table(readings)


def test_one_round_has_no_spread_and_no_epkit_means_no_ratio(table, reading):
    row = table.speed_table([reading("ab", 8)]).splitlines()[2]

    assert [cell.strip() for cell in row.split("|")][1:5] == ["plain c=64", "ab", "8.0", "–"]


@pytest.mark.parametrize(
    ("sense", "measured", "verdict"),
    [
        ("at most", 2, "pass"),
        ("at most", 2.01, "**FAIL**"),
        ("below", 1.99, "pass"),
        ("below", 2, "**FAIL**"),
        ("at least", 2, "pass"),
        ("at least", 1.99, "**FAIL**"),
        ("at least", None, "not measured"),
    ],
)
def test_a_goal_passes_on_the_right_side_of_its_limit(table, sense, measured, verdict):
    assert verdict == table.Goal(name="x", measured=measured, sense=sense, limit=2, unit="×").verdict()


def test_the_goals_hold_epkit_against_each_peer_the_right_way_round(table, reading):
    cpu = {"epkit": 10, "ab": 8, "wrk": 12.5, "aiohttp": 60, "httpx": 400}
    goals = table.speed_goals([reading(client, value) for client, value in cpu.items()], {"plain c=64"})

    assert [
        (goal.name.partition(", ")[2], goal.measured, goal.sense, goal.limit, goal.verdict()) for goal in goals
    ] == [
        ("epkit : ab", 1.25, "at most", 0.95, "**FAIL**"),
        ("epkit : wrk", 0.8, "at most", 0.95, "pass"),
        ("aiohttp : epkit", 6.0, "at least", 5, "pass"),
        ("httpx : epkit", 40.0, "at least", 50, "**FAIL**"),
    ]


def test_every_cell_with_a_goal_is_held_to_it_even_unmeasured(table):
    goals = table.speed_goals([], {"plain c=1", "plain c=16", "plain c=64", "tls c=16", "tls c=64"})

    assert [goal.limit for goal in goals] == [0.95, 0.95, 1, 1, 1.1, 5, 50]
    assert {"not measured"} == {goal.verdict() for goal in goals}


def test_the_table_of_goals_shows_measure_limit_and_verdict(table):
    goals = [
        table.Goal(name="fast", measured=1.254, sense="at most", limit=1.3, unit="×"),
        table.Goal(name="true", measured=None, sense="below", limit=0.5, unit="ms"),
    ]

    expected = """\
| goal | measured |      to reach |      verdict |
| ---- | -------: | ------------: | -----------: |
| fast |   1.25 × | at most 1.3 × |         pass |
| true |        – |  below 0.5 ms | not measured |"""

    assert expected == table.goals_table(goals)


def test_a_table_without_rows_is_its_header(table):
    assert table.markdown(["a", "b"], [], left=1) == "| a   |   b |\n| --- | --: |"
