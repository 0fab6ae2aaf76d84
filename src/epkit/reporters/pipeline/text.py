"""Runs of pipelines for a terminal: one, all, and two side by side."""

from collections.abc import Iterable, Sequence

from epkit.core.http.masking import clean
from epkit.core.pipeline.run import PipelineRun
from epkit.core.train.report import Figure
from epkit.reporters.parts.layout import labelled, wrap
from epkit.reporters.pipeline import words
from epkit.reporters.train.words import number, with_interval


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
    """Render the runs of a pipeline, a line each, the last one first."""
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


def render_compare(one: PipelineRun, other: PipelineRun) -> str:
    """Render two runs side by side: what was asked otherwise, and what came of it."""
    rows: list[tuple[str, str, str]] = [("", f"run {one.run}", f"run {other.run}")]
    rows += _otherwise(words.parameters(one.parameters), words.parameters(other.parameters))
    rows.append(("state", one.state, other.state))
    rows += _otherwise(_facts(one), _facts(other))
    mine, theirs = words.figures(one), words.figures(other)
    rows += [(name, _shown(mine.get(name)), _shown(theirs.get(name))) for name in dict.fromkeys([*mine, *theirs])]
    rows.append(("p99", _ms(words.p99_ms(one)), _ms(words.p99_ms(other))))
    rows.append(("took", f"{one.seconds:.1f} s", f"{other.seconds:.1f} s"))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    note = "Two intervals that overlap say nothing: the gate of a run compares it with the champion, row by row."
    return "\n".join([*lines, "", note]) + "\n"


def _shown(figure: Figure | None) -> str:
    return "–" if figure is None else with_interval(figure)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms"


def _facts(run: PipelineRun) -> Iterable[tuple[str, str]]:
    data, trained = run.step("data"), run.step("train")
    if data is not None:
        yield "rows", f"{data.result.get('rows', '–')}"
        yield "table", str(data.result.get("sha256", "–"))[:12]
    if trained is not None:
        yield "model", str(trained.result.get("model_sha256", "–"))[:12]


def _otherwise(one: Iterable[tuple[str, str]], other: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return what is not the same in both."""
    mine, theirs = dict(one), dict(other)
    names = dict.fromkeys([*mine, *theirs])
    return [
        (name, clean(mine.get(name, "–"), 60), clean(theirs.get(name, "–"), 60))
        for name in names
        if mine.get(name) != theirs.get(name)
    ]
