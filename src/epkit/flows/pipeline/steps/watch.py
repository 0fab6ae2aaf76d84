"""The step `watch`: what serves tells Application Insights of its requests; on this machine, its own log of them."""

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
        """Return None: what is on is looked at each time."""
        return None

    def run(self, before: Before, world: World) -> StepResult:  # noqa: ARG002
        """Turn it on, where it is off.

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
        """Nothing is put up that harms."""
