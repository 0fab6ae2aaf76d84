"""ab's arithmetic, compared with ab's output."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.report import ab
from epkit.core.samples.rows import SAMPLE, Failure
from support.vectors import CLOCKED, TIMED, Row, clocked, printed, totals


def times_of(total, ctime=None, wait=None):
    total = np.asarray(total, dtype=np.int64)
    zero = np.zeros_like(total)
    return ab.AbTimes(
        start=zero,
        ctime=zero if ctime is None else np.asarray(ctime, dtype=np.int64),
        time=total,
        wait=zero if wait is None else np.asarray(wait, dtype=np.int64),
    )


def as_printed(row, deviations=True):
    plain = Row(*(ab.round_ms(us) for us in (row.min, row.mean, row.max)))
    if not deviations:
        return plain
    return Row(plain.min, plain.mean, plain.max, f"{row.sd / 1000:.1f}", ab.round_ms(row.median))


@pytest.mark.parametrize("name", TIMED)
def test_the_total_row_is_the_one_ab_printed_for_these_exact_microseconds(name):
    report = ab.summarise(times_of(totals(name)))

    assert printed(name).row("Total") == as_printed(report.summary.total)


@pytest.mark.parametrize("name", TIMED)
def test_the_percentiles_are_those_ab_printed_for_these_exact_microseconds(name):
    report = ab.summarise(times_of(totals(name)))

    assert printed(name).percentiles == tuple((p, ab.round_ms(us)) for p, us in report.percentiles)


@pytest.mark.parametrize("name", TIMED)
def test_the_verdict_on_the_total_time_is_the_one_ab_printed(name):
    report = ab.summarise(times_of(totals(name)))

    expected = "the total time" in printed(name).messages
    assert expected == any("the total time" in message for message in report.messages)


@pytest.mark.parametrize("name", CLOCKED)
def test_every_row_is_the_one_ab_printed_under_the_same_clock(name):
    vector = clocked(name)
    summary = ab.summarise(ab.from_samples([vector.samples()], vector.began_us * 1000)).summary
    rows = (summary.connect, summary.processing, summary.waiting, summary.total)

    labels = ("Connect", "Processing", "Waiting", "Total")
    expected = [vector.printed.row(label) for label in labels]
    assert expected == [as_printed(row, deviations="-S" not in vector.flags) for row in rows]


@pytest.mark.parametrize("name", [name for name in CLOCKED if "-S" not in clocked(name).flags])
def test_the_messages_are_those_ab_printed_under_the_same_clock(name):
    vector = clocked(name)
    report = ab.summarise(ab.from_samples([vector.samples()], vector.began_us * 1000))

    assert vector.printed.messages == "".join(f"{message}\n" for message in report.messages)


@pytest.mark.parametrize("kind", ["WARNING", "ERROR"])
def test_the_vectors_hold_both_kinds_of_message(kind):
    assert any(f"{kind}: " in clocked(name).printed.messages for name in CLOCKED)


@pytest.mark.parametrize("name", CLOCKED)
def test_served_equals_ab_wherever_ab_stayed_inside_its_array(name):
    vector = clocked(name)
    times = ab.from_samples([vector.samples()], vector.began_us * 1000)
    expected = [float(line.split(",")[1]) for line in vector.csv.splitlines()[1:]]
    n = len(times)
    inside = [i for i in range(101) if i in (0, 100) or int(0.5 + n * i / 100) < n]

    served = ab.served(times)

    assert len(served) == 101
    assert [expected[i] for i in inside] == [served[i] / 1000 for i in inside]
    assert all(served[i] == served[100] for i in range(101) if i not in inside)


def test_nanoseconds_are_floored_before_they_are_subtracted():
    block = np.zeros(1, dtype=SAMPLE)
    block["start"], block["connected"], block["sent"], block["first"], block["end"] = (
        900,
        1100,
        1900,
        2999,
        3000,
    )

    times = ab.from_samples([block], 5_000_000_000_000)

    assert (times.start[0], times.ctime[0], times.wait[0], times.time[0]) == (5_000_000_000, 1, 1, 3)


@given(jitter=st.integers(0, 999))
def test_nanoseconds_below_the_microsecond_change_nothing(jitter):
    vector = clocked("ties-20")

    exact = ab.from_samples([vector.samples()], vector.began_us * 1000)
    jittered = ab.from_samples([vector.samples(jitter)], vector.began_us * 1000)

    for name in ("start", "ctime", "time", "wait"):
        assert getattr(exact, name).tolist() == getattr(jittered, name).tolist()


def test_a_reused_connection_has_no_connect_time():
    block = np.zeros(1, dtype=SAMPLE)
    block["start"] = block["connected"] = 1500
    block["sent"], block["first"], block["end"] = 2500, 9500, 9900

    times = ab.from_samples([block], 0)

    assert (times.ctime[0], times.wait[0], times.time[0]) == (0, 7, 8)


def test_times_that_run_backwards_are_clamped_at_zero():
    block = np.zeros(1, dtype=SAMPLE)
    block["start"], block["sent"] = 9000, 9000

    times = ab.from_samples([block], 0)

    assert (times.ctime[0], times.wait[0], times.time[0]) == (0, 0, 0)


@pytest.mark.parametrize("failure", list(Failure))
def test_a_request_is_stored_if_and_only_if_it_got_a_whole_reply(failure):
    block = np.zeros(2, dtype=SAMPLE)
    block["failure"][1] = failure

    answered = failure not in (Failure.CONNECT, Failure.TLS, Failure.TIMEOUT, Failure.TRANSPORT)
    assert 1 + answered == len(ab.from_samples([block], 0))


def test_blocks_are_joined_in_order():
    blocks = [np.zeros(2, dtype=SAMPLE), np.zeros(1, dtype=SAMPLE)]
    blocks[0]["end"], blocks[1]["end"] = (1000, 2000), 3000

    assert ab.from_samples(blocks, 0).time.tolist() == [1, 2, 3]


def test_no_request_gives_no_rows():
    times = ab.from_samples([], 0)

    assert ab.AbReport(count=0, summary=None, messages=(), percentiles=()) == ab.summarise(times)
    assert ab.served(times) == ()


def test_one_request_has_no_percentiles_and_no_deviation():
    report = ab.summarise(times_of([4200]))

    assert report.percentiles == ()
    assert ab.AbRow(min=4200, mean=4200, sd=0.0, median=4200, max=4200) == report.summary.total


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60))
def test_rows_keep_abs_definitions_for_any_times(values):
    row = ab.summarise(times_of(values)).summary.total
    ordered, n = sorted(values), len(values)
    half = n // 2
    odd = n > 1 and n % 2 == 1

    assert sum(values) // n == row.mean
    assert ((ordered[half] + ordered[half + 1]) // 2 if odd else ordered[half]) == row.median
    assert (ordered[0], ordered[-1]) == (row.min, row.max)


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=40))
def test_requests_of_equal_total_stand_in_the_order_of_four_stable_sorts(rows):
    order = list(range(len(rows)))
    for key in (
        lambda i: rows[i][1],
        lambda i: rows[i][0] - rows[i][1],
        lambda i: rows[i][2],
        lambda i: rows[i][0],
    ):
        order.sort(key=key)
    total, ctime, wait = ([row[k] for row in rows] for k in range(3))

    assert order == ab.by_total(times_of(total, ctime, wait)).tolist()
