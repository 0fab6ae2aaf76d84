"""Spilled blocks are read back unchanged."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.samples.rows import SAMPLE
from epkit.errors import UsageError
from epkit.files import spill as module
from epkit.files.spill import Spill
from support.rows import rows


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(1, 12))
def test_all_rows_are_read_back_in_order_as_often_as_wanted(sizes: list[int], read_rows: int) -> None:
    whole = rows(sum(sizes), payload=np.arange(sum(sizes)))
    with pytest.MonkeyPatch.context() as patch, Spill() as spill:
        patch.setattr(module, "READ_ROWS", read_rows)
        for piece in np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []:
            spill(piece)
        for _ in range(2):
            blocks = list(spill.blocks())

            assert whole.tolist() == [row for block in blocks for row in block.tolist()]
            assert all(0 < len(block) <= read_rows for block in blocks)


def test_a_block_can_follow_after_reading() -> None:
    with Spill() as spill:
        spill(rows(2, payload=1))
        assert 2 == sum(map(len, spill.blocks()))
        spill(rows(3, payload=2))

        assert [1, 1, 2, 2, 2] == np.concatenate(list(spill.blocks()))["payload"].tolist()


def test_part_of_a_block_is_written_as_it_looks() -> None:
    block = rows(9, payload=np.arange(9))
    with Spill() as spill:
        spill(block[1::3])
        (found,) = spill.blocks()

    assert [1, 4, 7] == found["payload"].tolist()
    assert SAMPLE == found.dtype


def test_nothing_is_read_where_nothing_was_written() -> None:
    with Spill() as spill:
        assert [] == list(spill.blocks())


def test_no_file_is_left(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    with Spill() as spill:
        spill(rows(5000))
        list(spill.blocks())
    with pytest.raises(ValueError, match="closed"):
        spill(rows(1))

    assert [] == list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("n", [1, 5000])
def test_a_full_disk_is_one_line(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*, buffering: int, **_: object) -> object:
        return Path("/dev/full").open("w+b", buffering)

    monkeypatch.setattr(module.tempfile, "TemporaryFile", full_disk)

    with Spill() as spill, pytest.raises(UsageError, match="the samples cannot be kept: no space left on device"):
        spill(rows(n))
