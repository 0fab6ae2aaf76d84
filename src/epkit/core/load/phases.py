"""Which rows belong to which phase: a row to the phase in which it was due."""

from collections.abc import Callable, Sequence

import numpy as np

from epkit.core.samples.rows import TIMES


class Slice:
    """A sink that hands on the rows of some consecutive phases, with times since the first of them began."""

    def __init__(self, begins: Sequence[int], first: int, last: int | None, sink: Callable[[np.ndarray], None]) -> None:
        """Prepare a slice.

        Args:
            begins: when each phase began, ns since the run did; may grow while the run goes on, but not below a time
                that a row was due at.
            first: index of the first phase.
            last: index of the last one, None for all that follow.
            sink: gets blocks that are its own.
        """
        self._begins, self._first, self._last, self._sink = begins, first, last, sink

    def __call__(self, block: np.ndarray) -> None:
        """Take a block."""
        begins, first = self._begins, self._first
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
