"""The findings of `epkit check` about an endpoint, step by step."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of the check.

    Args:
        ok: None if it was not tried, because an earlier step failed.
        ms: its duration; None if it was not tried.
        detail: the finding, one line.
        advice: what to do, one line; if the step is ok, this is a warning.
    """

    name: str
    ok: bool | None
    ms: float | None
    detail: str
    advice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """All steps, in their order.

    Args:
        target: in a form that may be shown.
    """

    target: str
    steps: tuple[Step, ...]

    @property
    def failed(self) -> Step | None:
        """The first step that failed, which shows the cause; None if no step failed."""
        return next((step for step in self.steps if step.ok is False), None)
