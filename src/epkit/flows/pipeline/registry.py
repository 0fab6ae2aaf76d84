"""The steps of a pipeline in order. No other module lists them all."""

from typing import Final

from epkit.core.near import not_one_of
from epkit.core.pipeline.config import PipelineConfig
from epkit.core.pipeline.steps import STEP_NAMES, StepName
from epkit.errors import UsageError
from epkit.flows.pipeline.steps.base import PipelineStep
from epkit.flows.pipeline.steps.bench import BenchStep
from epkit.flows.pipeline.steps.data import DataStep
from epkit.flows.pipeline.steps.deploy import DeployStep
from epkit.flows.pipeline.steps.gate import GateStep
from epkit.flows.pipeline.steps.prove import ProveStep
from epkit.flows.pipeline.steps.switch import SwitchStep
from epkit.flows.pipeline.steps.train import TrainStep
from epkit.flows.pipeline.steps.watch import WatchStep

STEPS: Final[tuple[PipelineStep, ...]] = (
    DataStep(),
    TrainStep(),
    GateStep(),
    DeployStep(),
    ProveStep(),
    BenchStep(),
    SwitchStep(),
    WatchStep(),
)


def active(config: PipelineConfig, steps: tuple[PipelineStep, ...] = STEPS) -> tuple[PipelineStep, ...]:
    """Return the steps that a configuration includes."""
    left_out: set[StepName] = set()
    if config.deploy is None:
        left_out |= {"deploy", "prove", "bench", "switch", "watch"}
    left_out |= {"prove"} if config.prove is None else set()
    left_out |= {"bench"} if config.bench is None else set()
    left_out |= set() if config.watch else {"watch"}
    return tuple(step for step in steps if step.name not in left_out)


def check_name(flag: str, name: str, steps: tuple[PipelineStep, ...]) -> StepName:
    """Check the name of a step, and return it.

    Raises:
        UsageError: there is no such step, or this pipeline leaves it out.
    """
    known = [step.name for step in steps]
    for each in known:
        if each == name:
            return each
    if name in STEP_NAMES:
        raise UsageError(f"{flag} {name}: this pipeline has no such step, it has {', '.join(known)}")
    raise not_one_of(flag, name, known)
