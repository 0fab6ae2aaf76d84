"""The step `watch`: turns on Application Insights; on this machine, the endpoint's own log of requests."""

from dataclasses import dataclass

from epkit.core.pipeline.steps import StepName, StepResult
from epkit.flows.pipeline.world import Before, World
from epkit.flows.target.request_options import TargetOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStep:
    """Turns Application Insights on."""

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "watch"

    def key(self, before: Before, world: World) -> str | None:  # noqa: ARG002
        """Return None: the state is checked in every run."""
        return None

    def run(self, before: Before, world: World) -> StepResult:  # noqa: ARG002
        """Turn it on, if it is off.

        Raises:
            BackendError: the backend refused.
        """
        from epkit.flows.pipeline.sides import open_side  # late: the backends

        changed = open_side(world, TargetOptions()).watch()
        return StepResult(
            step="watch",
            state="ok" if changed else "skipped",
            line="Application Insights is on" if changed else "Application Insights was on",
            result={"changed": changed},
        )

    def undo(self, world: World) -> None:
        """Do nothing: leaving it on does no harm."""
