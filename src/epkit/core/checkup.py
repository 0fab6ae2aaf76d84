"""The findings of `epkit check` about an endpoint, step by step."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was looked at.

    Args:
        ok: None where it was not tried, because an earlier step failed.
        ms: what it took, None where it was not tried.
        detail: what was found, a line.
        advice: what to do, a line; with an ok step it is a warning.
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
        target: as it may be shown.
    """

    target: str
    steps: tuple[Step, ...]

    @property
    def failed(self) -> Step | None:
        """The first step that failed, which tells the cause; None where all went well."""
        return next((step for step in self.steps if step.ok is False), None)
