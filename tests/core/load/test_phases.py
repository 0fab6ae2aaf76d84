"""Rows belong to the phase in which they were due."""

import numpy as np

from epkit.core.load.phases import PhaseTimes, Slice
from support.rows import MS, rows

BEGINS = [0, 100 * MS, 200 * MS]


def sliced(first, last, begins=BEGINS):
    found = []
    block = rows(30)
    Slice(PhaseTimes(begins), first, last, found.append)(block)

    assert (rows(30) == block).all(), "the block is not ours to change"
    return np.concatenate(found) if found else None


def test_a_row_belongs_to_the_phase_that_it_was_due_in():
    assert [10, 10, 10] == [len(sliced(i, i)) for i in range(3)]
    assert [30, 20, 10] == [len(sliced(i, None)) for i in range(3)]
    assert 20 == len(sliced(0, 1))


def test_times_count_from_the_beginning_of_the_first_phase():
    found = sliced(1, 1)

    for name in ("due", "start", "tcp", "connected", "sent"):
        assert [i * 10 * MS for i in range(10)] == found[name].tolist()
    assert [(i + 1) * 10 * MS for i in range(10)] == found["end"].tolist()


def test_a_phase_that_was_not_entered_has_no_rows():
    assert sliced(1, 1, [0]) is None
    assert 30 == len(sliced(0, 0, [0]))


def test_phases_that_begin_later_are_seen():
    times, found = PhaseTimes([0]), []
    late = Slice(times, 1, None, found.append)
    late(rows(10))
    times.enter(100 * MS)
    late(rows(30)[10:])

    assert [20] == [len(block) for block in found]
