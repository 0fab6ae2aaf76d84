"""Records of saved runs: their format, and samples with other columns than today's."""

import numpy as np
import pytest

from epkit.core.samples import saved
from epkit.core.samples.rows import SAMPLE
from support.rows import rows


def test_a_record_is_tag_length_checksum_and_content():
    made = saved.record(b"STAT", b"{}")

    assert (b"STAT", 2, saved.checksum(b"STAT", b"{}")) == saved.HEAD.unpack(made[:12])
    assert b"{}" == made[12:]


def test_samples_come_back_as_they_were():
    block = rows(5, deployment=3)

    assert np.array_equal(block, saved.to_samples(saved.to_bytes(block), saved.row_type(saved.columns())))


def test_columns_that_a_file_lacks_are_filled_in_and_unknown_ones_left_out():
    block = rows(2)
    names = ["end", "start", "sent", "first", "status"]
    old = np.zeros(2, dtype=[*((name, SAMPLE[name]) for name in names), ("colour", "<i4")])
    for name in names:
        old[name] = block[name]
    found = saved.to_samples(old.tobytes(), old.dtype)

    assert np.array_equal(block, found)


@pytest.mark.parametrize(
    "described",
    [[], [["start", "<i8"]], [["start", "no type"]], [[name, "<f8"] for name in ("start", "sent", "first", "end")], 3],
    ids=["none", "too few", "unknown", "floats", "number"],
)
def test_what_describes_no_samples_is_refused(described):
    with pytest.raises((ValueError, TypeError)):
        saved.row_type(described)
