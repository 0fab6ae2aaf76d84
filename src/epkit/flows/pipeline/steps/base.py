"""The interface of a step of a pipeline. Its `World` has its own module."""

from typing import Protocol

from epkit.core.pipeline.steps import StepName, StepResult
from epkit.flows.pipeline.world import Before, Champion, StepStopped, World

__all__ = ["Before", "Champion", "PipelineStep", "StepResult", "StepStopped", "World"]


class PipelineStep(Protocol):
    """A step: it takes the results of earlier steps, and returns its own."""

    @property
    def name(self) -> StepName:
        """The name of the step."""

    def key(self, before: Before, world: World) -> str | None:
        """Return the hash of everything that the step depends on; None if its result is never reused.

        Raises:
            EpkitError: something that it depends on cannot be read.
        """

    def run(self, before: Before, world: World) -> StepResult:
        """Run the step.

        A step with a key writes below `world.part`, and its file names are relative to it. The caller makes them
        relative to the directory of the run; a step without a key does that itself.

        Raises:
            EpkitError: it failed; one line, and the exit code of its class.
            StepStopped: the user stopped it.
        """

    def undo(self, world: World) -> None:
        """Remove what the step has deployed, if it or a later step up to `switch` failed. A second call is harmless.

        It is called in reverse order. After a run that was killed it is called in a later process, with the directory
        of that run. After a successful `switch` it is not called.

        Raises:
            EpkitError: it cannot be removed; the message says what is left, and what to do.
        """
