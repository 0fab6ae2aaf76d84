"""The slowest requests: of stored rows, of rows that are not stored, and from another process."""

import numpy as np
import pytest

from epkit.core.load.plan import Phase
from epkit.core.report.slowest import MOST, Slowest, describe
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import Failure
from support.rows import MS, known, timed


def times(rows):
    return [int(ns) for ns in rows["end"] - rows["start"]]


@pytest.mark.parametrize("exact", [10_000, 700, 0])
@pytest.mark.parametrize("count", [0, 3, 10, 5000])
def test_they_are_those_of_all_rows_however_many_are_kept(exact, count):
    found = np.random.default_rng(3).permutation(np.arange(1, count + 1)) * MS
    summary = Summary(exact=exact)
    block = timed(found)
    block["failure"][::7] = Failure.STATUS
    for start in range(0, count, 512):
        summary.add(block[start : start + 512])

    good = block[block["failure"] == 0]
    assert sorted(times(good), reverse=True)[:MOST] == times(summary.slowest())


def test_of_equal_ones_the_first_ones_count():
    block = timed(np.full(40, MS))
    found = Slowest()
    found.add(block[:25])
    found.add(block[25:])

    assert list(block["start"][:MOST]) == list(found.rows["start"])


def test_what_another_process_kept_is_among_them():
    here, there = Summary(exact=5), Summary(exact=0)
    here.add(timed(np.array([1, 9, 3]) * MS))
    there.add(timed(np.array([2, 8, 4]) * MS))
    here.merge(Summary.restored(there.state()))

    assert [ms * MS for ms in (9, 8, 4, 3, 2, 1)] == times(here.slowest())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows.tobytes()[:-1],
        lambda rows: np.concatenate([rows, rows]).tobytes(),
        lambda rows: rows["failure"].fill(1) or rows.tobytes(),
        lambda rows: rows["end"].fill(-1) or rows.tobytes(),
        lambda rows: rows["start"].fill(-1) or rows.tobytes(),
    ],
)
def test_what_nobody_can_have_kept_is_refused(spoil):
    with pytest.raises(ValueError, match="requests"):
        Slowest.restored(spoil(timed(np.full(MOST, MS)).copy()))


def test_a_request_is_of_the_phase_in_which_it_was_due():
    summary, run = Summary(), known().run
    phases = [
        summary.phase(Phase(name=name), begin_ns=begin, duration_ns=MS, most=1, measured=name != "warm-up")
        for name, begin in (("warm-up", 0), ("a", 5 * MS), ("b", 7 * MS))
    ]
    rows = timed(np.array([3, 2, 1]) * MS)
    rows["due"] = [0, 2 * MS - 1, 2 * MS]

    assert ["a", "a", "b"] == [each.phase for each in describe(rows, run, phases)]
    assert [None] * 3 == [each.phase for each in describe(rows, run, ())]
