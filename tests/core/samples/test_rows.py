"""Reading a packed row gives the original row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.samples.rows import FAILURES, KEPT, PACKER, SAMPLE, Failure, SampleStore, block, complete

I8 = st.integers(-(2**63), 2**63 - 1)
U4 = st.integers(0, 2**32 - 1)
U1 = st.integers(0, 255)
ROW = st.tuples(*[I8] * 4, *[U4] * 3, st.integers(0, 2**16 - 1), st.sampled_from(Failure), U1, *[I8] * 4)


@given(st.lists(ROW, max_size=20), st.integers(0, 3))
def test_what_is_packed_is_read_back(rows: list[tuple[int, ...]], spare: int) -> None:
    buffer = bytearray(PACKER.size * (len(rows) + spare))
    for i, row in enumerate(rows):
        PACKER.pack_into(buffer, i * PACKER.size, *row)

    assert rows == [tuple(row) for row in block(buffer, len(rows)).tolist()]


def test_the_rest_of_a_kept_connections_row_is_known() -> None:
    buffer = bytearray(PACKER.size * 2)
    KEPT.pack_into(buffer, 0, 5, 6, 7, 8, 300, 33, 2, 200, Failure.NONE, 0)
    PACKER.pack_into(buffer, PACKER.size, 5, 6, 7, 8, 300, 33, 2, 200, Failure.NONE, 1, 1, 2, 3, 4)
    samples = block(buffer, 2)

    complete(samples)

    assert [
        (5, 6, 7, 8, 300, 33, 2, 200, 0, 0, 5, 5, 5, -1),
        (5, 6, 7, 8, 300, 33, 2, 200, 0, 1, 1, 2, 3, 4),
    ] == samples.tolist()


def test_a_block_shares_its_memory_with_the_buffer() -> None:
    buffer = bytearray(PACKER.size)
    samples = block(buffer, 1)
    PACKER.pack_into(buffer, 0, *range(len(PACKER.unpack(buffer))))

    assert np.shares_memory(samples, np.frombuffer(buffer, dtype=np.uint8))
    assert tuple(range(len(SAMPLE.names or ()))) == samples[0].item()


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 50), st.integers(0, 50), st.integers(1, 7))
def test_rows_that_are_kept_come_back_in_order_whatever_their_pieces(
    lengths: list[int], begin: int, length: int, piece: int
) -> None:
    whole = np.zeros(sum(lengths), dtype=SAMPLE)
    whole["start"] = np.arange(len(whole))
    rows = SampleStore()
    rows.PIECE = piece  # type: ignore[misc]
    buffer = np.zeros(9, dtype=SAMPLE)
    for cut in np.split(whole, np.cumsum(lengths)):
        buffer[: len(cut)] = cut
        rows.add(buffer[: len(cut)])

    assert len(whole) == len(rows)
    assert whole["start"].tolist() == [i for part in rows.pieces() for i in part["start"].tolist()]
    middle = [i for part in rows.pieces(begin, begin + length) for i in part["start"].tolist()]
    assert whole["start"][begin : begin + length].tolist() == middle


def test_the_kinds_of_failure_are_numbered_for_good() -> None:
    # Stored files contain the numbers, the JSON report contains the names.
    names = ["none", "connect", "tls", "timeout", "transport", "status", "empty", "application", "contract", "mismatch"]

    assert list(enumerate(names)) == [(int(failure), failure.name.lower()) for failure in Failure]
    assert tuple(Failure)[1:] == FAILURES
