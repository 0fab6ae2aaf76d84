"""A run of a pipeline for the summary of a job, or a comment on a pull request."""

from collections.abc import Iterable

from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import StepResult
from epkit.reporters.parts.markdown import code, escape
from epkit.reporters.pipeline import words
from epkit.reporters.train.words import interval, number


def render(run: PipelineRun) -> str:
    """Render a run as GitHub-flavoured Markdown: verdict, steps, gates, figures."""
    lines = [f"### epkit pipeline: {escape(words.verdict(run).text)}", ""]
    if run.need is not None and run.need.retrain:
        lines += [*(f"- {escape(reason)}" for reason in run.need.reasons), ""]
    if run.steps:
        lines += ["| step | | time | |", "|---|---|---:|---|", *map(_step, run.steps), ""]
    lines += _gates(run)
    if figures := words.figures(run):
        lines += ["| figure | value | 95 % interval |", "|---|---:|---:|"]
        lines += [
            f"| {escape(name.replace('_', ' '))} | {number(each.value)} | {interval(each, dash='–') or '–'} |"
            for name, each in figures.items()
        ]
        lines.append("")
    lines.append(f"{escape(run.user)}, {run.started_at}, {run.seconds:.1f} s, epkit {run.version}")
    return "\n".join(lines) + "\n"


def _step(step: StepResult) -> str:
    state = step.state if step.passed else f"**{step.state}**"
    time = f"{step.seconds:.1f} s" if step.seconds else ""
    return f"| {step.step} | {state} | {time} | {escape(step.line)} |"


def _gates(run: PipelineRun) -> Iterable[str]:
    if not (gates := words.gates(run)):
        return
    yield "| gate | observed | 95 % interval | |"
    yield "|---|---:|---:|---|"
    for gate in gates:
        found = words.observed(gate)
        cells = "– | –" if found is None else f"{number(found.value)} | {interval(found, dash='–') or '–'}"
        said = "passed" if gate["state"] == "passed" else f"**{escape(str(gate['reason'] or gate['state']))}**"
        expression = code(str(gate["expression"])).replace("|", "\\|")
        yield f"| `{expression}` | {cells} | {said} |"
    yield ""
