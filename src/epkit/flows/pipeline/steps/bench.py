"""The step `bench`: measure the candidate against its objectives, and against the live model if asked."""

from dataclasses import dataclass, field

from epkit.core.pipeline.config import PipelineConfig
from epkit.core.pipeline.steps import StepName, StepResult
from epkit.errors import UsageError
from epkit.flows.pipeline.steps.deploy import candidate_of, skipped
from epkit.flows.pipeline.world import Before, World
from epkit.flows.target.request_options import TargetOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchStep:
    """Measures.

    Args:
        reach: how the endpoints are reached.
    """

    reach: TargetOptions = field(default_factory=TargetOptions)

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "bench"

    def key(self, before: Before, world: World) -> str | None:  # noqa: ARG002
        """Return None: a candidate is measured each time."""
        return None

    def run(self, before: Before, world: World) -> StepResult:
        """Put load on the candidate; on what serves only with `against_live`, and at most at the rate.

        Raises:
            UsageError: an objective cannot be read.
            EndpointError: nothing could be sent.
            StepStopped: the user stopped it.
        """
        found = candidate_of(before, world)
        if found is None:
            return skipped("bench")
        from epkit.flows.pipeline.measuring import measure  # late: a step that is skipped needs none of it
        from epkit.flows.pipeline.sides import open_side

        assert world.config.bench is not None  # a pipeline without it leaves the step out
        return measure(world, world.config.bench, open_side(world, self.reach), found[0], self.reach)

    def undo(self, world: World) -> None:
        """Nothing is put up."""


def check_objectives(config: PipelineConfig) -> None:
    """Refuse objectives and gates that cannot be read, before anything runs.

    Raises:
        UsageError: which one, and what is wrong with it.
    """
    if config.bench is None:
        return
    from epkit.core.report import gates, slo

    for key, texts, parse in (("slo", config.bench.slo, slo.parse), ("fail_if", config.bench.fail_if, gates.parse)):
        for text in texts:
            try:
                parse(text)
            except UsageError as error:
                raise UsageError(f"{config.place}.bench.{key}: {error}") from None
