"""The step `switch`: makes the candidate's model live, and removes what is left of the old one."""

from dataclasses import asdict, dataclass, field
from typing import Any

from epkit.core.pipeline.steps import StepName, StepResult
from epkit.errors import EpkitError
from epkit.flows.pipeline.records import saving
from epkit.flows.pipeline.steps.deploy import candidate_of, skipped, take_away
from epkit.flows.pipeline.world import Before, World
from epkit.flows.target.request_options import TargetOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchStep:
    """Switches to the candidate.

    Args:
        reach: how the endpoint is reached.
    """

    reach: TargetOptions = field(default_factory=TargetOptions)

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "switch"

    def key(self, before: Before, world: World) -> str | None:  # noqa: ARG002
        """Return None: the live model is checked in every run."""
        return None

    def run(self, before: Before, world: World) -> StepResult:
        """Make the model live. The old model serves until then, and stays if this fails.

        Raises:
            BackendError: the backend refused.
            ContractError, EndpointError: a check at a part of the traffic failed; all traffic went back.
        """
        found = candidate_of(before, world)
        if found is None:
            return skipped("switch")
        from epkit.flows.pipeline.sides import open_side  # late: a step that is skipped does not need it

        record, directory = found
        side = open_side(world, self.reach)
        looks: list[dict[str, Any]] = []

        def look(part: int) -> None:
            """Send the golden rows to the candidate once more."""
            from epkit.flows.pipeline.canary import watch_part
            from epkit.flows.pipeline.golden import golden_rows, load_model  # late: only parts of the traffic need them
            from epkit.flows.pipeline.proving import prover_of

            model = load_model(record.model)
            prover = prover_of(side, record, golden_rows(before, world, model), world)
            prover.contract(model.card["columns"])
            prover.rows()
            world.show(f"{part} % of the traffic: {prover.requests} requests are answered correctly")
            watched = None
            if part < 100 and (wait_s := world.config.canary_wait_s):
                watched = watch_part(prover, wait_s)
                world.show(f"{part} % of the traffic: {watched.failed} of {watched.requests} requests failed")
            looks.append(
                {
                    "percent": part,
                    "requests": prover.requests,
                    "watched": None if watched is None else asdict(watched),
                }
            )

        side.switch(record, world.config.canary or (100,), look, saving(directory))
        try:
            take_away(directory, world, self.reach)
        except EpkitError as error:
            world.show(f"the model serves, but something is left, which the next run removes: {error}")
        return StepResult(
            step="switch",
            state="ok",
            line=f"{record.endpoint} now serves run {world.run}",
            result={
                "endpoint": record.endpoint,
                "model_sha256": record.sha256,
                "before": dict(record.before),
                "parts": looks,
            },
        )

    def undo(self, world: World) -> None:
        """Do nothing: `deploy` removes the candidate and takes back its traffic."""
