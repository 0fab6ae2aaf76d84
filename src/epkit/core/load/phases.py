"""The start times of the phases of a run. A row belongs to the phase in which it was due."""

from collections.abc import Callable, Iterable

import numpy as np

from epkit.core.samples.rows import TIMES


class PhaseTimes:
    """The start of each phase that was entered, ns since the start of the run.

    Only the driver enters phases; sinks only read.
    """

    __slots__ = ("begins",)

    def __init__(self, begins: Iterable[int] = ()) -> None:
        self.begins = tuple(begins)

    def enter(self, begin_ns: int) -> None:
        """Enter the next phase; no row of an earlier one is due at *begin_ns* or later."""
        self.begins = (*self.begins, begin_ns)


class Slice:
    """A sink that passes on the rows of consecutive phases, with times since the start of the first of them."""

    def __init__(self, times: PhaseTimes, first: int, last: int | None, sink: Callable[[np.ndarray], None]) -> None:
        """Prepare a slice.

        Args:
            times: when each phase began.
            first: index of the first phase.
            last: index of the last phase, None: all following ones.
            sink: called with new blocks.
        """
        self._times, self._first, self._last, self._sink = times, first, last, sink

    def __call__(self, block: np.ndarray) -> None:
        """Take a block."""
        begins, first = self._times.begins, self._first
        if len(begins) <= first:
            return
        inside = block["due"] >= begins[first]
        if self._last is not None and len(begins) > self._last + 1:
            inside &= block["due"] < begins[self._last + 1]
        rows = block[inside]
        if not len(rows):
            return
        for name in TIMES:
            rows[name] -= begins[first]
        self._sink(rows)
