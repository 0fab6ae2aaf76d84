"""A run of a pipeline: its parameters, the results of its steps, and its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from epkit.core.display import Displayed
from epkit.core.pipeline.steps import StepName, StepResult
from epkit.core.train.report import Figure

FORMAT: Final = "epkit.pipeline/1"

RunState = Literal["ok", "not needed", "stopped", "failed", "interrupted", "unfinished"]
"""`stopped`: a gate was missed, or the user stopped it. `unfinished`: it is still running, or was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Whether a new model is needed, and the reasons.

    Args:
        retrain: whether a new model is needed.
        reasons: one sentence each.
    """

    retrain: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun(Displayed):
    """A run of a pipeline.

    Args:
        run: its number, from 1; None if the data were the champion's and no run was started.
        by: who started it: `user`, and through which interface (`cli`, `python`, `http`).
        why: the user's reason; None if there is none.
        started_at: ISO 8601, UTC.
        seconds: of wall clock.
        parameters: parameters of the pipeline, with the changes of `--set`.
        asked: options of the run that differ from their defaults, by name.
        need: for a run with `--if-needed`, otherwise None.
        steps: in order; a step that was not reached is missing.
        champion: number of the run whose model was in use before; None if there was none.
        switched: whether the model of this run is now the champion, the model in use.
        reason: one line: why the run stopped or failed.
    """

    pipeline: str
    run: int | None
    version: str
    user: str
    by: str
    why: str | None
    started_at: str
    seconds: float
    parameters: Mapping[str, Any]
    asked: Mapping[str, Any]
    need: Need | None
    steps: tuple[StepResult, ...]
    champion: int | None
    switched: bool
    state: RunState
    exit_code: int
    reason: str | None

    def step(self, name: StepName) -> StepResult | None:
        """Return the result of a step; None if it was not reached."""
        return next((step for step in self.steps if step.step == name), None)


def figure(run: PipelineRun, step: StepName, *keys: str) -> float | None:
    """Return a number from the result of a step; None if it is missing.

    Args:
        keys: the path to it in `StepResult.result`.
    """
    found = run.step(step)
    value: Any = None if found is None else found.result
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def gate_figures(run: PipelineRun) -> Mapping[str, Figure]:
    """Return the model's metrics on the rows of the gate; empty if the run did not reach the gate."""
    found = run.step("gate")
    given = found.result.get("figures", {}) if found is not None else {}
    return {
        name: Figure(value=each["value"], ci95=None if each["ci95"] is None else tuple(each["ci95"]))
        for name, each in given.items()
    }
