"""Rows of several workers are put out in order of completion, each exactly once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.samples.merging import PATIENCE_NS, Merger
from support.rows import MS, rows


def ends(found):
    return [int(end) for block in found for end in block["end"]]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 400)), max_size=60), st.data())
def test_what_all_have_told_comes_in_order_and_the_rest_at_the_end(said, data):
    found = []
    merger = Merger(range(3), found.append)
    of = [sorted(end for worker, end in said if worker == each) for each in range(3)]
    turns = data.draw(st.permutations([each for each in range(3) for _ in range(2)]))
    for worker in turns:
        part, of[worker] = of[worker][: len(of[worker]) // 2 + 1], of[worker][len(of[worker]) // 2 + 1 :]
        block = rows(len(part), end=np.array(part, dtype=np.int64) * MS, start=np.zeros(len(part)))
        merger.add(worker, block, part[-1] * MS if part else 0)
    for worker, rest in enumerate(of):
        merger.add(worker, rows(len(rest), end=np.array(rest, dtype=np.int64) * MS, start=np.zeros(len(rest))), 0)
        merger.end(worker)

    assert sorted(end * MS for _, end in said) == ends(found)


def test_nothing_is_handed_on_before_all_have_told_as_much():
    found = []
    merger = Merger("ab", found.append)
    merger.add("a", rows(5), 50 * MS)
    assert [] == found
    merger.add("b", rows(2), 25 * MS)

    assert [10 * MS, 10 * MS, 20 * MS, 20 * MS] == ends(found)


def test_who_is_lost_holds_up_nobody():
    found = []
    merger = Merger("ab", found.append)
    merger.add("a", rows(5), 50 * MS)
    merger.end("b")
    assert 5 == len(ends(found))
    merger.end("a")

    assert 5 == len(ends(found))


def test_who_is_far_behind_holds_up_nobody_for_long():
    found = []
    merger = Merger("ab", found.append)
    merger.add("b", rows(0), 0)
    merger.add("a", rows(5), 50 * MS)
    assert [] == found
    merger.add("a", rows(0), 50 * MS + PATIENCE_NS)

    assert 5 == len(ends(found))
