"""The journal: complete lines count, a line that a crash cut short does not."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.score import journal
from epkit.core.score.journal import Point, difference, head_line, point_line

IDENTITY = {"input": "abc", "target": "bank"}
LAYOUT = {"kind": "value", "names": ("prediction",), "keys": None}
POINTS = [
    Point(rows=100, out=1000, layout=LAYOUT, reasons={}),
    Point(rows=200, out=2000, failed_rows=1, failed=50, layout=LAYOUT, reasons={"status": 1}),
    Point(rows=300, out=3000, failed_rows=1, failed=50, layout=LAYOUT, reasons={"status": 1}, complete=True),
]
WHOLE = b"".join([head_line(IDENTITY), *map(point_line, POINTS)])


def read(data):
    return journal.read(data.splitlines(keepends=True))


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


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rows": "4"}, "rows is '4', not a whole number from 200"),
        ({"rows": 199}, "rows is 199, not a whole number from 200"),
        ({"rows": 10**30}, "rows is 1e+30, not a whole number"),
        ({"rows": 300.0}, "rows is 300.0, not a whole number"),
        ({"rows": True}, "rows is True, not a whole number"),
        ({"out": -1}, "out is -1, not a whole number from 2000"),
        ({"failed": None}, "failed is null"),
        ({"failed_rows": 301, "reasons": {"status": 301}}, "more than its rows"),
        ({"failed_rows": 2}, "2 failed rows are not those of its reasons"),
        ({"layout": None}, "it has rows and no layout"),
        ({"layout": {"kind": "value"}}, "it has no names"),
        ({"layout": {**LAYOUT, "kind": "frame"}}, "its layout is none that predictions have"),
        ({"layout": {**LAYOUT, "names": ["p"]}}, "its layout is another than before"),
        ({"layout": {**LAYOUT, "keys": ["yes", "no"]}}, "its layout is none that predictions have"),
        ({"complete": 1}, "complete is 1, not true or false"),
        ({"more": 1}, "'more' is not known"),
    ],
)
def test_a_whole_line_that_no_job_writes_is_refused_by_its_number(change, why):
    last = json.loads(point_line(POINTS[2]).partition(b" ")[2])
    text = json.dumps({**last, **change}).encode()
    made = b"".join([head_line(IDENTITY), *map(point_line, POINTS[:2]), b"%08x %s\n" % (zlib.crc32(text), text)])
    with pytest.raises(ValueError, match=r"^line 4: ") as caught:
        read(made)

    assert why in str(caught.value)


def test_nothing_comes_after_the_end():
    with pytest.raises(ValueError, match="line 5: the job was complete before"):
        read(WHOLE + point_line(POINTS[2]))


@pytest.mark.parametrize("text", [b"[" * 100_000, b"3", b"nope", b'{"rows": NaN}'])
def test_a_whole_line_that_is_no_object_is_refused(text):
    line = b"%08x %s\n" % (zlib.crc32(text), text)
    with pytest.raises(ValueError, match=r"^line 2: "):
        read(head_line(IDENTITY) + line)

    assert read(line) is None
