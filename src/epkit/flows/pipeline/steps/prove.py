"""The step `prove`: tests that the candidate is the trained model, with the right contract."""

from dataclasses import dataclass, field

from epkit.core.pipeline.steps import StepName, StepResult
from epkit.core.report.wording import plural
from epkit.flows.pipeline.steps.deploy import candidate_of, skipped
from epkit.flows.pipeline.world import Before, World
from epkit.flows.target.request_options import TargetOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveStep:
    """Tests the candidate.

    Args:
        reach: how the candidate is reached.
    """

    reach: TargetOptions = field(default_factory=TargetOptions)

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "prove"

    def key(self, before: Before, world: World) -> str | None:  # noqa: ARG002
        """Return None: a candidate is tested in every run."""
        return None

    def run(self, before: Before, world: World) -> StepResult:
        """Send requests only to the candidate: contract, sample, golden rows, payloads; at most 50 requests.

        Raises:
            ContractError: it is not the trained model, or its contract is wrong.
            EndpointError: it does not answer.
            UsageError: the table or the model cannot be read.
            StepStopped: the user stopped it.
        """
        found = candidate_of(before, world)
        if found is None:
            return skipped("prove")
        from epkit.flows.pipeline.golden import golden_rows, load_model  # late: a step that is skipped needs neither
        from epkit.flows.pipeline.proving import prover_of
        from epkit.flows.pipeline.sides import open_side

        settings = world.config.prove
        assert settings is not None  # without it the pipeline has no such step
        model = load_model(found[0].model)
        prover = prover_of(open_side(world, self.reach), found[0], golden_rows(before, world, model), world)
        prover.contract(model.card["columns"])
        prover.sample()
        chances = prover.rows()
        sent = prover.payloads(settings.payloads)
        rows = plural(len(prover.golden.rows), "golden row")
        alone = not chances and model.task != "regression"
        what = " (answers alone: the contract has no word for probabilities)" if alone else ""
        exponent = f"{settings.tolerance:g}".replace("e-0", "e-")
        return StepResult(
            step="prove",
            state="ok",
            line=f"contract found, {rows} equal to {exponent}{what}, "
            f"{plural(sent, 'payload')} judged as the server does",
            result={
                "requests": prover.requests,
                "golden_rows": len(prover.golden.rows),
                "probabilities": chances,
                "tolerance": settings.tolerance,
                "payloads": sent,
            },
        )

    def undo(self, world: World) -> None:
        """Do nothing: this step deploys nothing."""
