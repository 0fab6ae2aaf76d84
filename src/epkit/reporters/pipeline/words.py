"""The sentences of pipeline reports: steps, verdicts, figures."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from epkit.core.http.masking import clean
from epkit.core.pipeline.comparison import flat
from epkit.core.pipeline.run import PipelineRun, figure, gate_figures
from epkit.core.pipeline.steps import StepResult
from epkit.core.train.report import Figure
from epkit.reporters.parts.verdict import VerdictLine

LINE: Final = 300
"""Greatest number of characters that are shown of a step's text."""


def step(result: StepResult) -> str:
    """Write the result of a step as a line for a terminal."""
    time = f"{result.seconds:.1f} s" if result.state != "reused" and result.seconds else ""
    return f"{result.step:<8} {result.state:<7} {time:>7}  {clean(result.line, LINE)}".rstrip()


def verdict(run: PipelineRun) -> VerdictLine:
    """Return the result of a run in one line."""
    return VerdictLine(text=clean(_verdict(run), LINE), bad=run.exit_code != 0)


def _verdict(run: PipelineRun) -> str:
    name = f"{run.pipeline} run {run.run}" if run.run is not None else run.pipeline
    if run.state == "not needed":
        why = ", ".join(run.need.reasons) if run.need is not None else ""
        return f"{name}: nothing to do: {why}"
    if run.state == "ok":
        served = f": {run.pipeline} has the model of this run now" if run.switched else ""
        return f"{name}: ok, {run.seconds:.1f} s{served}"
    kept = ""
    if run.switched:
        kept = f"; {run.pipeline} has the model of this run"
    elif run.champion is not None and run.state != "unfinished":
        kept = f"; the model of run {run.champion} stays"
    return f"{name}: {run.state}: {run.reason or ''}{kept}"


def metric(run: PipelineRun) -> str | None:
    """Return the metric that chose the model, None if the run did not get that far."""
    trained = run.step("train")
    found = None if trained is None else trained.result.get("metric")
    return found if isinstance(found, str) else None


def quality(run: PipelineRun) -> float | None:
    """Return that metric on the rows of the gate, otherwise out of fold."""
    name = metric(run)
    if name is None:
        return None
    judged = figure(run, "gate", "figures", name, "value")
    return judged if judged is not None else figure(run, "train", "validation", name, "value")


def p99_ms(run: PipelineRun) -> float | None:
    """Return the 99th percentile that the step `bench` measured."""
    return figure(run, "bench", "p99_ms")


def gates(run: PipelineRun) -> list[Mapping[str, Any]]:
    """Return the gates of a run with their verdicts."""
    found = run.step("gate")
    given = found.result.get("gates", ()) if found is not None else ()
    return [each for each in given if isinstance(each, Mapping)]


def figures(run: PipelineRun) -> Mapping[str, Figure]:
    """Return the metrics of the model on the rows of the gate."""
    return {clean(name, 60): each for name, each in gate_figures(run).items()}


def observed(gate: Mapping[str, Any]) -> Figure | None:
    """Return the figure that decided a gate."""
    value = gate.get("observed")
    ci95 = gate.get("ci95")
    return None if value is None else Figure(value=value, ci95=None if ci95 is None else (ci95[0], ci95[1]))


def parameters(values: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield the parameters of a run by their dotted names."""
    return ((clean(name, 100), value_text(value)) for name, value in flat(values))


def value_text(value: Any) -> str:
    """Format a value of a parameter."""
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
