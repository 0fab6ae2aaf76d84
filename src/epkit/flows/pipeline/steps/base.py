"""What a step of a pipeline is; with what it knows of its run, which has a module of its own."""

from typing import Protocol

from epkit.core.pipeline.steps import StepName, StepResult
from epkit.flows.pipeline.world import Before, Champion, StepStopped, World

__all__ = ["Before", "Champion", "PipelineStep", "StepResult", "StepStopped", "World"]


class PipelineStep(Protocol):
    """A step: what went before in, a value out."""

    @property
    def name(self) -> StepName:
        """The name of the step."""

    def key(self, before: Before, world: World) -> str | None:
        """Return the content address of what the step depends on; None where it is never reused from the cache.

        Raises:
            EpkitError: something that it depends on cannot be read.
        """

    def run(self, before: Before, world: World) -> StepResult:
        """Do it.

        A step that is kept writes below `world.part`, and names its files relative to it; the sequence makes their
        paths relative to the directory of the run, which is what other steps name theirs relative to.

        Raises:
            EpkitError: it failed; one line, and the exit code of the class.
            StepStopped: the user stopped it.
        """

    def undo(self, world: World) -> None:
        """Take back what the step put up, after it or a later step up to `switch` failed; twice does no harm.

        It is called in reverse order, in a later process too: after a run that was killed, with the directory of that
        run. After a `switch` that was ok nothing is taken back.

        Raises:
            EpkitError: it cannot be taken back; what is left, and what to do.
        """
