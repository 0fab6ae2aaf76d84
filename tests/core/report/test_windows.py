"""The time series, compared with sorting by hand."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.report.windows import MOST, Windows
from epkit.core.samples.rows import Failure
from epkit.core.stats import percentiles
from support.rows import MS, SECOND, rows

RUNS = st.lists(
    st.tuples(st.integers(0, 8 * SECOND), st.integers(1, SECOND), st.sampled_from([0, 0, 0, 3, 5])),
    max_size=60,
)


def collected(block: np.ndarray, pieces: int = 1, *, exact: bool = True) -> Windows:
    result = Windows(exact=exact)
    for piece in np.array_split(block, pieces):
        result.add(piece)
    return result


def block_of(run: list[tuple[int, int, int]]) -> np.ndarray:
    end, service, failure = (np.array(column, dtype=np.int64) for column in zip(*run, strict=True))
    return rows(len(run), end=end, start=end - service, failure=failure)


@given(RUNS.filter(len))
def test_every_window_has_the_counts_and_percentiles_of_its_rows(run):
    series = collected(block_of(run)).series(9 * SECOND)

    assert [float(i) for i in range(9)] == [window.t_s for window in series]
    for i, window in enumerate(series):
        inside = [row for row in run if row[0] // SECOND == i]
        good = np.sort([service for _, service, failure in inside if not failure])
        assert sum(failure != 3 for _, _, failure in inside) == window.requests_per_s
        assert sum(failure > 0 for _, _, failure in inside) == window.failed
        assert (percentiles.percentile(good, Fraction(50)) / 1e6 if len(good) else None) == window.p50
        assert (percentiles.percentile(good, Fraction(99)) / 1e6 if len(good) else None) == window.p99


@given(RUNS.filter(len), st.integers(1, 7), st.booleans())
def test_blocks_and_their_order_make_no_difference(run, pieces, exact):
    whole = collected(block_of(run), exact=exact)
    shuffled = collected(block_of(run[::-1]), pieces, exact=exact)

    assert whole.series(9 * SECOND) == shuffled.series(9 * SECOND)


@given(RUNS.filter(len), st.integers(0, 60), st.booleans())
def test_merged_windows_are_the_whole(run, cut, exact):
    block = block_of(run)
    left = collected(block[:cut], exact=exact)
    left.merge(collected(block[cut:], exact=exact))

    assert collected(block, exact=exact).series(9 * SECOND) == left.series(9 * SECOND)


@given(RUNS.filter(len))
def test_buckets_are_right_to_a_hundredth(run):
    block = block_of(run)
    pairs = zip(collected(block).series(9 * SECOND), collected(block, exact=False).series(9 * SECOND), strict=True)

    for exact, blurred in pairs:
        assert (exact.requests_per_s, exact.failed) == (blurred.requests_per_s, blurred.failed)
        assert (exact.p99 is None) == (blurred.p99 is None)
        assert exact.p99 is None or exact.p99 <= blurred.p99 <= exact.p99 * 1.01 + 8e-6


def test_no_rows_are_an_empty_window():
    (window,) = collected(rows(0)).series(SECOND)

    assert (
        window.t_s, window.requests_per_s, window.p50, window.p99, window.failed,
    ) == (0.0, 0.0, None, None, 0)  # fmt: skip


def test_a_stall_is_a_window_without_a_completion():
    rates = [w.requests_per_s for w in collected(rows(2, end=[SECOND // 2, 2 * SECOND])).series(3 * SECOND)]

    assert rates == [1.0, 0.0, 1.0]


def test_a_run_shorter_than_a_window_has_one_of_its_own_length():
    (window,) = collected(rows(10)).series(100 * MS)

    assert window.requests_per_s == 100.0


@pytest.mark.parametrize(
    ("duration_ns", "rates"),
    [(10 * SECOND + MS, [100.0] * 9 + [100.99]), (10 * SECOND + 600 * MS, [100.0] * 10 + [1.667])],
)
def test_a_last_stump_is_part_of_the_window_before_and_a_longer_rest_has_its_own_rate(duration_ns, rates):
    block = rows(1001)  # one per 10 ms, the last 10 ms after the tenth second
    block["end"] -= 5 * MS
    series = collected(block).series(duration_ns)

    assert rates == pytest.approx([w.requests_per_s for w in series], rel=1e-3)


@pytest.mark.parametrize("exact", [True, False])
def test_a_long_run_has_wider_windows_and_loses_no_row(exact):
    hours = np.arange(1, 15_001) * SECOND
    block = rows(15_000, end=hours)
    windows = collected(block, pieces=30, exact=exact)
    series = windows.series(int(hours[-1]))

    assert len(series) <= MOST
    assert windows.width_ns == 8 * SECOND
    assert sum(w.requests_per_s for w in series[:-1]) * 8 == pytest.approx(15_000, abs=16)
    assert {8.0} == set(np.diff([w.t_s for w in series]))


def test_a_wide_series_takes_in_a_narrow_one_and_the_reverse():
    early, late = rows(5), rows(5, end=np.arange(5) + 2 * MOST * SECOND)
    one, other = collected(early), collected(late)
    one.merge(collected(late))
    other.merge(collected(early))

    assert one.series(3 * MOST * SECOND) == other.series(3 * MOST * SECOND)


def test_a_failure_without_a_reply_is_no_completion():
    (window,) = collected(rows(2, failure=[Failure.TIMEOUT, Failure.STATUS])).series(SECOND)

    assert (window.requests_per_s, window.failed) == (1.0, 2)
