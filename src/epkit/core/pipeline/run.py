"""A run of a pipeline: what was asked, what each step left, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from epkit.core.display import Displayed
from epkit.core.pipeline.steps import StepName, StepResult
from epkit.core.train.report import Figure

FORMAT: Final = "epkit.pipeline/1"

RunState = Literal["ok", "not needed", "stopped", "failed", "interrupted", "unfinished"]
"""`stopped`: a gate said no. `unfinished`: it goes on, or was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Whether a new model is needed, and why.

    Args:
        retrain: whether it is.
        reasons: a sentence each, for whatever it is.
    """

    retrain: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun(Displayed):
    """A run.

    Args:
        run: its number, from 1; None where the data were those of the champion and nothing was begun.
        by: who asked: `user`, and by which face (`cli`, `python`, `http`).
        why: what the user said of it, None for nothing.
        started_at: ISO 8601, UTC.
        seconds: of wall clock.
        parameters: of the pipeline, as `--set` changed them.
        asked: options of the run that were not their defaults, by name.
        need: of a run with `--if-needed`; else None.
        steps: in their order; a step that was not reached is not there.
        champion: number of the run whose model the pipeline had before, None for none.
        switched: whether the model of this run is now the champion.
        reason: in one line why the run stopped or failed.
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
        """Return what a step left, None where it was not reached."""
        return next((step for step in self.steps if step.step == name), None)


def figure(run: PipelineRun, step: StepName, *keys: str) -> float | None:
    """Return a number from what a step left, None where it is not there.

    Args:
        keys: the path to it in `StepResult.result`.
    """
    found = run.step(step)
    value: Any = None if found is None else found.result
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def gate_figures(run: PipelineRun) -> Mapping[str, Figure]:
    """Return the metrics of the model on the rows of the gate; none where the run did not come so far."""
    found = run.step("gate")
    given = found.result.get("figures", {}) if found is not None else {}
    return {
        name: Figure(value=each["value"], ci95=None if each["ci95"] is None else tuple(each["ci95"]))
        for name, each in given.items()
    }
