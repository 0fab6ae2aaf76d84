"""A row that is packed is the row that is read."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.samples import FAILURES, PACKER, SAMPLE, Failure, block

I8 = st.integers(-(2**63), 2**63 - 1)
U4 = st.integers(0, 2**32 - 1)
ROW = st.tuples(*[I8] * 8, *[U4] * 3, st.integers(0, 2**16 - 1), st.sampled_from(Failure), st.integers(0, 255))


@given(st.lists(ROW, max_size=20), st.integers(0, 3))
def test_what_is_packed_is_read_back(rows: list[tuple[int, ...]], spare: int) -> None:
    buffer = bytearray(PACKER.size * (len(rows) + spare))
    for i, row in enumerate(rows):
        PACKER.pack_into(buffer, i * PACKER.size, *row)

    assert rows == [tuple(row) for row in block(buffer, len(rows)).tolist()]


def test_a_block_shares_its_memory_with_the_buffer() -> None:
    buffer = bytearray(PACKER.size)
    samples = block(buffer, 1)
    PACKER.pack_into(buffer, 0, *range(len(PACKER.unpack(buffer))))

    assert np.shares_memory(samples, np.frombuffer(buffer, dtype=np.uint8))
    assert tuple(range(len(SAMPLE.names or ()))) == samples[0].item()


def test_the_kinds_of_failure_are_numbered_for_good() -> None:
    # The numbers stand in files that are kept, the names in the JSON report.
    names = ["none", "connect", "tls", "timeout", "transport", "status", "empty", "application", "contract", "mismatch"]

    assert list(enumerate(names)) == [(int(failure), failure.name.lower()) for failure in Failure]
    assert tuple(Failure)[1:] == FAILURES
