"""HdrHistogram's encoding: writing and reading, also by the package that others use."""

import base64
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.stats.hdr import decode, encode
from epkit.core.stats.histogram import LIMIT_NS, Histogram, codes, values


def filled(numbers):
    histogram = Histogram()
    histogram.add(np.array(numbers, dtype=np.int64))
    return histogram


@given(st.lists(st.integers(0, LIMIT_NS), max_size=50))
def test_the_counts_come_back(numbers):
    made = filled(numbers)
    back = decode(encode(made))

    assert np.array_equal(made.counts, back.counts)
    assert made.count == back.count


def test_sums_and_extremes_are_those_of_the_buckets():
    back = decode(encode(filled([10, 10, 5_000_000])))

    top = int(values(codes(np.array([5_000_000])))[0])
    assert (3, 20 + top, 200 + top**2, 10, top) == (back.count, back.total, back.squares, back.min, back.max)


def test_the_package_of_that_name_reads_the_same():
    hdrh = pytest.importorskip("hdrh.histogram", reason="hdrhistogram is not installed")
    numbers = (np.random.default_rng(7).lognormal(15, 2, 5000)).astype(np.int64).tolist()

    theirs = hdrh.HdrHistogram.decode(encode(filled(numbers)))

    assert 5000 == theirs.get_total_count()
    for percent in (1, 50, 90, 99, 99.9):
        ours = sorted(numbers)[max(0, -(-5000 * percent // 100).__int__() - 1)]
        assert theirs.get_value_at_percentile(percent) == pytest.approx(ours, rel=2e-3)


def test_what_the_package_wrote_is_read():
    hdrh = pytest.importorskip("hdrh.histogram", reason="hdrhistogram is not installed")
    theirs = hdrh.HdrHistogram(1, LIMIT_NS, 3)
    for number in (1, 2, 2, 5_000, 77_777_777):
        theirs.record_value(number)

    back = decode(theirs.encode().decode())

    assert np.array_equal(filled([1, 2, 2, 5_000, 77_777_777]).counts, back.counts)


def packed(plain):
    data = zlib.compress(plain)
    return base64.b64encode(struct.pack(">ii", 0x1C849314, len(data)) + data).decode()


HEAD = struct.pack(">iiiiqqd", 0x1C849313, 6, 0, 3, 1, LIMIT_NS, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64!",
        base64.b64encode(b"short").decode(),
        base64.b64encode(struct.pack(">ii", 0x1C849314, 4) + b"nope").decode(),
        packed(b"short"),
        packed(struct.pack(">iiiiqqd", 0x1C849313, 0, 0, 2, 1, LIMIT_NS, 1.0)),
        packed(HEAD + b"\xff\xff\xff\xff\xff\x0f"),
        packed(struct.pack(">iiiiqqd", 0x1C849313, 4_000_000, 0, 3, 1, LIMIT_NS, 1.0) + b"\xff" * 4_000_000),
        packed(struct.pack(">iiiiqqd", 0x1C849313, 9, 0, 3, 1, LIMIT_NS, 1.0) + b"\xfe" * 8 + b"\x7f"),
    ],
    ids=[
        *("empty", "text", "short", "not packed", "no head", "two digits", "too many buckets"),
        *("a number of 28 million bits", "more than are counted"),
    ],
)
def test_what_is_no_histogram_is_refused(text):
    with pytest.raises(ValueError, match="histogram"):
        decode(text)
