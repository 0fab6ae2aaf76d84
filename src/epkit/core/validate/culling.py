"""Finds the rows that break a contract if only a check of many rows at once is fast."""

from collections.abc import Callable
from typing import Final

from epkit.core.validate.checked import in_words
from epkit.core.validate.violations import Findings, verdict

FEW: Final = 8
"""Up to this number, rows are checked one by one; more rows are halved."""


def cull(count: int, check: Callable[[int, int], Findings]) -> dict[int, str]:
    """Find the rows with errors.

    Args:
        check: checks the rows from the first place up to, but without, the second.

    Returns:
        The first error of each such row, by the place of the row.
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
