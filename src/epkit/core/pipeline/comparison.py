"""Compares two runs of a pipeline: the parameters that differ, and the results; also as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.json.documents import DocumentFormat
from epkit.core.pipeline.run import PipelineRun, figure, gate_figures
from epkit.core.train.report import Figure

FORMAT: Final = "epkit.pipeline-comparison/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunValue:
    """A value in two runs.

    Args:
        one, other: plain JSON; None if the run has no such value.
    """

    name: str
    one: Any
    other: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FigurePair:
    """A metric of two runs, each computed on the rows of its own gate."""

    name: str
    one: Figure | None
    other: Figure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Two runs of a pipeline side by side.

    Args:
        one, other: numbers of the runs.
        parameters: the parameters that differ, by their dotted names.
        outcomes: `state`, `rows` and `table` of the data, `model`, `p99_ms`, `seconds`.
        figures: the metrics that at least one of them has.
    """

    pipeline: str
    one: int | None
    other: int | None
    parameters: tuple[RunValue, ...]
    outcomes: tuple[RunValue, ...]
    figures: tuple[FigurePair, ...]


def compare(one: PipelineRun, other: PipelineRun) -> RunComparison:
    """Put two runs of a pipeline side by side."""
    asked, otherwise = dict(flat(one.parameters)), dict(flat(other.parameters))
    came, else_came = dict(_outcomes(one)), dict(_outcomes(other))
    mine, theirs = gate_figures(one), gate_figures(other)
    return RunComparison(
        pipeline=one.pipeline,
        one=one.run,
        other=other.run,
        parameters=tuple(
            RunValue(name=name, one=asked.get(name), other=otherwise.get(name))
            for name in dict.fromkeys([*asked, *otherwise])
            if asked.get(name) != otherwise.get(name)
        ),
        outcomes=tuple(RunValue(name=name, one=value, other=else_came[name]) for name, value in came.items()),
        figures=tuple(
            FigurePair(name=name, one=mine.get(name), other=theirs.get(name))
            for name in dict.fromkeys([*mine, *theirs])
        ),
    )


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a run with their dotted names."""
    for key, value in values.items():
        name = f"{above}.{key}" if above else key
        if isinstance(value, Mapping):
            yield from flat(value, name)
        else:
            yield name, value


def _outcomes(run: PipelineRun) -> Iterator[tuple[str, Any]]:
    yield "state", run.state
    for name, step, key in (("rows", "data", "rows"), ("table", "data", "sha256"), ("model", "train", "model_sha256")):
        found = next((each for each in run.steps if each.step == step), None)
        yield name, None if found is None else found.result.get(key)
    yield "p99_ms", figure(run, "bench", "p99_ms")
    yield "seconds", run.seconds


COMPARISONS: Final = DocumentFormat(FORMAT, RunComparison)


def to_document(comparison: RunComparison) -> dict[str, Any]:
    """Turn a comparison into plain dicts, lists, strings and finite numbers.

    Raises:
        ValueError: a number is not finite.
    """
    return COMPARISONS.to_document(comparison)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    return COMPARISONS.schema()
