"""Runs of pipelines as text: one run, all runs, and a comparison of two."""

from collections.abc import Sequence
from typing import Final

from epkit.core.http.masking import clean
from epkit.core.pipeline.comparison import RunComparison, RunValue
from epkit.core.pipeline.run import PipelineRun
from epkit.core.train.report import Figure
from epkit.reporters.parts.layout import labelled, wrap
from epkit.reporters.pipeline import words
from epkit.reporters.train.words import number, with_interval

HASH: Final = 12
"""Number of digits of a hash that are shown."""


def render(run: PipelineRun) -> str:
    """Render a run: who, when and why, its steps, its gates and figures, its files."""
    lines = [
        labelled("Pipeline", run.pipeline),
        labelled("Run", "none" if run.run is None else run.run),
        labelled("By", f"{clean(run.user, 60)}, {run.by}"),
        labelled("Started", run.started_at),
        labelled("Took", f"{run.seconds:.1f} s"),
        *([labelled("Why", clean(run.why, 200))] if run.why else []),
        *(labelled("Asked", f"{name} = {clean(str(value), 200)}") for name, value in run.asked.items()),
        *([] if run.champion is None else [labelled("Champion before", f"run {run.champion}")]),
        "",
        *(words.step(step) for step in run.steps),
    ]
    if run.need is not None:
        heading = "A new model was needed" if run.need.retrain else "No new model was needed"
        lines += ["", f"{heading}:", *(line for reason in run.need.reasons for line in wrap(clean(reason, 300), "  "))]
    if gates := words.gates(run):
        lines += ["", "Gates:"]
        for gate in gates:
            found = words.observed(gate)
            shown = "" if found is None else with_interval(found)
            lines.append(f"  {gate['state']:<10} {clean(str(gate['expression']), 60)}  {shown}".rstrip())
    if figures := words.figures(run):
        lines += ["", "Figures:", *(f"  {name:<28} {with_interval(each)}" for name, each in figures.items())]
    lines += [
        "",
        "Parameters:",
        *(f"  {name} = {clean(value, 200)}" for name, value in words.parameters(run.parameters)),
    ]
    files = [(step.step, name, path) for step in run.steps for name, path in step.files.items()]
    if files:
        lines += ["", "Files, from the directory of the run:"]
        lines += [f"  {step:<8} {clean(name, 60):<12} {clean(path, 200)}" for step, name, path in files]
    return "\n".join([*lines, "", words.verdict(run).text]) + "\n"


def render_list(name: str, runs: Sequence[PipelineRun], champion: int | None) -> str:
    """Render the runs of a pipeline, one per line, the last one first."""
    if not runs:
        return f"{name}: there are no runs yet\n"
    heads = ["run", "started", "took", "state", "metric", "p99", "by", ""]
    rows = [heads, *(_row(run, champion) for run in reversed(runs))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    return "".join(
        f"{'  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()}\n" for row in rows
    )


def _row(run: PipelineRun, champion: int | None) -> list[str]:
    quality, p99_ms = words.quality(run), words.p99_ms(run)
    return [
        str(run.run),
        run.started_at,
        f"{run.seconds:.1f} s",
        run.state,
        "–" if quality is None else f"{words.metric(run)} {number(quality)}",
        _ms(p99_ms),
        clean(run.user, 20),
        "champion" if run.run == champion else clean(run.why or run.reason or "", 60),
    ]


def render_compare(compared: RunComparison) -> str:
    """Render two runs side by side: how their requests differ, and their results."""
    rows: list[tuple[str, str, str]] = [("", f"run {compared.one}", f"run {compared.other}")]
    rows += [_otherwise(each) for each in compared.parameters]
    outcomes = {each.name: each for each in compared.outcomes}
    rows.append(_otherwise(outcomes["state"]))
    rows += [
        _otherwise(each, None if name == "rows" else HASH)
        for name in ("rows", "table", "model")
        if (each := outcomes[name]).one != each.other
    ]
    rows += [(clean(each.name, 60), _shown(each.one), _shown(each.other)) for each in compared.figures]
    p99, took = outcomes["p99_ms"], outcomes["seconds"]
    rows.append(("p99", _ms(p99.one), _ms(p99.other)))
    rows.append(("took", f"{took.one:.1f} s", f"{took.other:.1f} s"))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    note = "Two intervals that overlap say nothing: the gate of a run compares it with the champion, row by row."
    return "\n".join([*lines, "", note]) + "\n"


def _shown(figure: Figure | None) -> str:
    return "–" if figure is None else with_interval(figure)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms"


def _otherwise(value: RunValue, digits: int | None = None) -> tuple[str, str, str]:
    one, other = (clean(words.value_text(each)[:digits], 60) for each in (value.one, value.other))
    return clean(value.name, 60), one, other
