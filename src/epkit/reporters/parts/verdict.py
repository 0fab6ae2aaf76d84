"""The verdict line, in the form that all commands share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLine:
    """One line of a verdict.

    Args:
        bad: whether the line reports a problem.
    """

    text: str
    bad: bool
