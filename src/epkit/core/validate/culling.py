"""Finds the rows that break a contract if only a check of many rows at once is fast."""

from collections.abc import Callable
from typing import Final

from epkit.core.validate.checked import in_words
from epkit.core.validate.violations import Findings, verdict

FEW: Final = 8
"""Rows that are checked one by one rather than by halves."""


def cull(count: int, check: Callable[[int, int], Findings]) -> dict[int, str]:
    """Find the rows that are wrong.

    Args:
        check: looks at the rows from one place up to another.

    Returns:
        What is wrong, by the place of the row; the first error of each.
    """
    found: dict[int, str] = {}
    pending = [(0, count)]
    while pending:
        start, stop = pending.pop()
        findings = check(start, stop)
        if not findings.errors:
            continue
        if stop - start == 1:
            found[start] = in_words(verdict(findings, limit=1).violations[0])
        elif stop - start <= FEW:
            pending += [(place, place + 1) for place in range(start, stop)]
        else:
            middle = (start + stop) // 2
            pending += [(start, middle), (middle, stop)]
    return found
