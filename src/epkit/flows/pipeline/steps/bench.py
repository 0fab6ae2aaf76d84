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
    """Runs the bench.

    Args:
        reach: how the endpoints are reached.
    """

    reach: TargetOptions = field(default_factory=TargetOptions)

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "bench"

    def key(self, before: Before, world: World) -> str | None:  # noqa: ARG002
        """Return None: a candidate is measured in every run."""
        return None

    def run(self, before: Before, world: World) -> StepResult:
        """Put load on the candidate. The live model gets load only with `against_live`, and no more than the rate.

        Raises:
            UsageError: an objective cannot be parsed.
            EndpointError: no request could be sent.
            StepStopped: the user stopped it.
        """
        found = candidate_of(before, world)
        if found is None:
            return skipped("bench")
        from epkit.flows.pipeline.measuring import measure  # late: a step that is skipped does not need it
        from epkit.flows.pipeline.sides import open_side

        assert world.config.bench is not None  # without it the pipeline has no such step
        return measure(world, world.config.bench, open_side(world, self.reach), found[0], self.reach)

    def undo(self, world: World) -> None:
        """Do nothing: this step deploys nothing."""


def check_objectives(config: PipelineConfig) -> None:
    """Refuse objectives and gates that cannot be parsed, before anything runs.

    Raises:
        UsageError: the message says which one, and what is wrong.
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
