"""A run of a pipeline as an HTML page: a picture of the steps, gates, figures, links to reports; and all runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import STEP_NAMES, StepResult
from epkit.reporters.parts import charts, page, xml
from epkit.reporters.parts.charts import Series
from epkit.reporters.pipeline import words
from epkit.reporters.train.words import interval, number

COLOURS: Final[Mapping[str, int]] = {"ok": 4, "reused": 1, "skipped": 5, "stopped": 2, "failed": 3}
"""Colours of the page, by the state of a step."""

SHOWN_RUNS: Final = 200
BOX, GAP, TALL, PER_ROW = 120, 24, 56, 4
"""Sizes of the picture: width of a step, gap, height, and number of steps in a row."""


def render(run: PipelineRun, above: str = "") -> str:
    """Render a run as an HTML page.

    Args:
        above: relative path from the page's directory to that of the run; `""` if they are the same.
    """
    return page.render(sheet(run, above))


def sheet(run: PipelineRun, above: str | None) -> page.Sheet:
    """Return the contents of the page of a run.

    Args:
        above: as for `render`; with None there are no links.
    """
    title = run.pipeline if run.run is None else f"{run.pipeline} run {run.run}"
    sure = [(name, number(each.value), interval(each, dash="–") or "–") for name, each in words.figures(run).items()]
    gates = [page.section("Gates", _gates(run), wide=True)] if words.gates(run) else []
    missed = any(gate["state"] != "passed" for gate in words.gates(run))
    return page.Sheet(
        title=f"epkit pipeline: {title}",
        first=[
            f"<h1>{page.said(title)}</h1>",
            page.note(_subtitle(run)),
            page.verdict([words.verdict(run)], _why(run)),
            *(gates if missed else []),
            page.section("Steps", _picture(run), "" if above is None else _links(run, above)),
            _steps(run),
            *([] if missed else gates),
            *([page.section("Figures", page.table(["", "value", "95 % interval"], sure), wide=True)] if sure else []),
        ],
        rest=[page.section("Parameters", page.table(["", ""], words.parameters(run.parameters), words=True))],
    )


def render_history(name: str, runs: Sequence[PipelineRun], champion: int | None) -> str:
    """Render the runs of a pipeline as an HTML page: metric and p99 over runs, and a table.

    Args:
        champion: number of the run whose model is the champion, None if there is none.
    """
    return page.render(history_sheet(name, runs, champion))


def history_sheet(name: str, runs: Sequence[PipelineRun], champion: int | None) -> page.Sheet:
    """Return the contents of the page of a pipeline's runs; see `render_history`."""
    shown = runs[-SHOWN_RUNS:]
    rows = [
        (
            str(run.run),
            run.started_at,
            run.state,
            "–" if (quality := words.quality(run)) is None else f"{words.metric(run)} {number(quality)}",
            "–" if (p99_ms := words.p99_ms(run)) is None else f"{p99_ms:.1f} ms",
            run.user,
            "champion" if run.run == champion else run.why or run.reason or "",
        )
        for run in reversed(shown)
    ]
    heads = ["run", "started", "state", "metric", "p99", "by", ""]
    return page.Sheet(
        title=f"epkit pipeline: {name}",
        first=[
            f"<h1>{page.said(name)}</h1>",
            page.note(f"{len(runs)} runs; the champion is {f'run {champion}' if champion is not None else 'none yet'}"),
            page.grid(_over_runs(shown)),
            page.section("Runs", page.table(heads, rows, prose=(6,)), wide=True),
        ],
    )


def _subtitle(run: PipelineRun) -> str:
    return f"{run.started_at}, {run.seconds:.1f} s, by {run.user} ({run.by}); epkit {run.version}"


def _why(run: PipelineRun) -> Iterable[str]:
    if run.why:
        yield f"Why: {run.why}"
    if run.need is not None:
        yield f"{'A' if run.need.retrain else 'No'} new model is needed: {'; '.join(run.need.reasons)}"
    if run.champion is not None:
        yield f"The champion was run {run.champion}."
    for name, value in run.asked.items():
        yield f"--{name.replace('_', '-')}: {value}"


def _picture(run: PipelineRun) -> str:
    """Draw the sequence: a box for each step, in the colour of its result; a step that was not reached is empty."""
    left = {step.step: step for step in run.steps}
    wanted = [name for name in STEP_NAMES if name in left or "deploy" in run.parameters or name in STEP_NAMES[:3]]
    parts = []
    for place, name in enumerate(wanted):
        x, y = (place % PER_ROW) * (BOX + GAP), (place // PER_ROW) * (TALL + GAP)
        step = left.get(name)
        colour = f'stroke="var(--c{COLOURS[step.state]})" stroke-width="2"' if step else 'stroke="var(--line)"'
        said = _short(step)
        parts.append(
            f'<rect x="{x + 1}" y="{y + 1}" width="{BOX}" height="{TALL}" rx="8" fill="none" {colour}/>'
            f'<text x="{x + 12}" y="{y + 23}" style="font:600 14px system-ui;fill:var(--fg)">{name}</text>'
            f'<text class="t" x="{x + 12}" y="{y + 42}">{xml.text(said)}</text>'
        )
        if place + 1 < len(wanted) and (place + 1) % PER_ROW:
            middle, end = y + TALL // 2 + 1, x + BOX + GAP - 4
            parts.append(f'<path class="a" fill="none" d="M{x + BOX + 3} {middle}H{end}m-5 -4l5 4l-5 4"/>')
    width = PER_ROW * (BOX + GAP) - GAP + 2
    height = -(-len(wanted) // PER_ROW) * (TALL + GAP) - GAP + 2
    label = xml.attribute("The steps: " + ", ".join(f"{step.step} {step.state}" for step in run.steps))
    return f'<svg role="img" aria-label={label} viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'


def _short(step: StepResult | None) -> str:
    if step is None:
        return "–"
    return f"{step.state}, {step.seconds:.1f} s" if step.seconds else step.state


def _links(run: PipelineRun, above: str) -> str:
    """Return links to the files of the steps."""
    found = [
        f"<a href={xml.attribute(quote(f'{above}{path}', errors='replace'))}>{page.said(f'{step.step}: {name}')}</a>"
        for step in run.steps
        for name, path in step.files.items()
        if path.endswith((".html", ".json", ".txt"))
    ]
    return f"<p>{' · '.join(found)}</p>" if found else ""


def _steps(run: PipelineRun) -> str:
    rows = [(step.step, step.state, f"{step.seconds:.1f} s" if step.seconds else "", step.line) for step in run.steps]
    return page.section("What came of each step", page.table(["step", "", "time", ""], rows, prose=(3,)), wide=True)


def _gates(run: PipelineRun) -> str:
    rows = []
    for gate in words.gates(run):
        found = words.observed(gate)
        value = "–" if found is None else number(found.value)
        state = str(gate["state"])
        shown = state if state == "passed" else state.upper()
        counted = "–" if gate["rows"] is None else f"{gate['rows']:,}"
        reason = str(gate["reason"] or "")
        rows.append((str(gate["expression"]), value, interval(found, dash="–") or "–", counted, shown, reason))
    return page.table(["gate", "observed", "95 % interval", "rows", "", "reason"], rows, prose=(0, 5))


def _over_runs(runs: Sequence[PipelineRun]) -> Iterable[str]:
    """Draw the measured values over the numbers of the runs."""
    named = next((words.metric(run) for run in reversed(runs) if words.metric(run)), None)
    same = [run for run in runs if words.metric(run) == named]
    for title, unit, points in (
        (f"{named} over runs", named or "", [(run, words.quality(run)) for run in same]),
        ("p99 over runs", "ms", [(run, words.p99_ms(run)) for run in runs]),
    ):
        known = [(float(run.run), value) for run, value in points if run.run is not None and value is not None]
        if not known:
            continue
        series = Series(name=title, points=tuple(known), colour=1)
        x, y = charts.counted("run", [place for place, _ in known]), [value for _, value in known]
        yield page.section(title, charts.lines(title, [series], x, charts.around(unit, y, unit=unit)))
