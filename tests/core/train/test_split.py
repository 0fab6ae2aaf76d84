"""Test rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.train.split import held_out

HASHES = np.random.default_rng(0).integers(0, 1 << 64, 20_000, dtype=np.uint64)


def test_about_the_part_that_is_asked_for_is_held_out() -> None:
    # 20,000 draws with p = 0.2: five standard deviations are 0.014.
    assert abs(held_out(HASHES, 0, 0.2).mean() - 0.2) < 0.014


def test_a_row_stays_a_test_row_whatever_else_is_in_the_table() -> None:
    held = held_out(HASHES, 7, 0.3)
    order = np.random.default_rng(1).permutation(len(HASHES))[:5_000]

    np.testing.assert_array_equal(held[order], held_out(HASHES[order], 7, 0.3))


def test_a_larger_part_holds_the_smaller_one() -> None:
    small, large = held_out(HASHES, 0, 0.1), held_out(HASHES, 0, 0.4)

    assert not (small & ~large).any()


def test_another_seed_holds_out_others() -> None:
    both = held_out(HASHES, 0, 0.5) & held_out(HASHES, 1, 0.5)

    assert abs(both.mean() - 0.25) < 0.02


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(0, 2**70))
def test_rows_of_the_same_content_are_on_the_same_side(hashes: list[int], seed: int) -> None:
    twice = np.array(hashes * 2, np.uint64)
    held = held_out(twice, seed, 0.5)

    assert held[: len(hashes)].tolist() == held[len(hashes) :].tolist()


def test_hashes_that_differ_little_are_spread() -> None:
    held = held_out(np.arange(10_000, dtype=np.uint64), 0, 0.2)

    assert abs(held.mean() - 0.2) < 0.02


def test_nothing_is_held_out_where_nothing_is_asked_for() -> None:
    assert not held_out(HASHES, 0, 0.0).any()


def test_a_group_is_on_one_side() -> None:
    groups = np.arange(20_000, dtype=np.int64) % 500 - 250
    held = held_out(HASHES, 0, 0.2, groups=groups)
    parts = [held[groups == group].mean() for group in np.unique(groups)]

    assert {0.0, 1.0} == set(parts)
    assert 0.1 < np.mean(parts) < 0.3


@pytest.mark.parametrize(
    ("order", "size", "held"),
    [
        ([3.0, 1.0, 2.0, 5.0, 4.0], 0.4, [False, False, False, True, True]),
        ([1.0, 1.0, 1.0, 2.0], 0.25, [False, False, False, True]),
        ([1.0, 2.0, 2.0, 2.0], 0.5, [False, True, True, True]),
        ([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0], 0.2, [False] * 6 + [True]),
        ([4.0, 4.0, 4.0], 0.3, [False] * 3),
        ([1.0, 2.0], 0.1, [False, False]),
    ],
)
def test_with_an_order_the_latest_moments_are_held_out(order: list[float], size: float, held: list[bool]) -> None:
    found = held_out(np.zeros(len(order), np.uint64), 0, size, order=np.array(order))

    assert held == found.tolist()
