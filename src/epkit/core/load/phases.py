"""When the phases of a run began, and which rows belong to which: a row to the phase in which it was due."""

from collections.abc import Callable, Iterable

import numpy as np

from epkit.core.samples.rows import TIMES


class PhaseTimes:
    """When each phase of a run that was entered began, ns since the run did.

    Only what drives the run enters phases; sinks look.
    """

    __slots__ = ("begins",)

    def __init__(self, begins: Iterable[int] = ()) -> None:
        self.begins = tuple(begins)

    def enter(self, begin_ns: int) -> None:
        """Enter the next phase; no row of an earlier one is due at *begin_ns* or later."""
        self.begins = (*self.begins, begin_ns)


class Slice:
    """A sink that hands on the rows of some consecutive phases, with times since the first of them began."""

    def __init__(self, times: PhaseTimes, first: int, last: int | None, sink: Callable[[np.ndarray], None]) -> None:
        """Prepare a slice.

        Args:
            times: when each phase began.
            first: index of the first phase.
            last: index of the last one, None for all that follow.
            sink: gets blocks that are its own.
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
