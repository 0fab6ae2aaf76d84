"""The journal: what is whole counts, what a crash cut short does not."""

from hypothesis import given
from hypothesis import strategies as st

from epkit.core.score.journal import Point, difference, head_line, point_line, read

IDENTITY = {"input": "abc", "target": "bank"}
POINTS = [
    Point(rows=100, out=1000),
    Point(rows=200, out=2000, failed_rows=1, failed=50, layout={"kind": "value"}, reasons={"status": 1}),
    Point(rows=300, out=3000, failed_rows=1, failed=50, complete=True),
]
WHOLE = b"".join([head_line(IDENTITY), *map(point_line, POINTS)])


def test_it_says_what_the_job_is_and_how_far_it_has_come():
    recorded = read(WHOLE)

    assert (IDENTITY, POINTS[-1], len(WHOLE)) == (recorded.identity, recorded.point, recorded.length)


@given(st.integers(0, len(WHOLE)))
def test_cut_short_anywhere_it_says_the_last_whole_point(length):
    recorded = read(WHOLE[:length])
    ends = [len(head_line(IDENTITY))]
    for point in POINTS:
        ends.append(ends[-1] + len(point_line(point)))
    whole = sum(end <= length for end in ends)

    if not whole:
        assert recorded is None
    else:
        assert ([Point(), *POINTS][whole - 1], ends[whole - 1]) == (recorded.point, recorded.length)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_byte_that_changed_ends_what_counts(place, change):
    broken = bytearray(WHOLE)
    broken[place] ^= change
    recorded = read(bytes(broken))

    assert recorded is None or recorded.length <= place


@given(st.binary())
def test_what_is_no_journal_is_none(data):
    assert read(data) is None


def test_what_is_another_format_is_none():
    assert read(head_line(IDENTITY).replace(b"epkit.journal/1", b"epkit.journal/2")) is None


def test_another_job_is_named_by_what_is_different():
    assert difference(IDENTITY, IDENTITY) is None
    assert "target" == difference(IDENTITY, {**IDENTITY, "target": "other"})
    assert "input, target" == difference({}, IDENTITY)
