"""Runs of published pipelines, and the pipelines themselves, as text."""

from collections.abc import Sequence

from epkit.core.pipeline.triggered import PublishedPipelineV1, TriggeredRun


def render_run(run: TriggeredRun) -> str:
    """Write a run in one line: its id, its number, its status, and the reason of its end."""
    number = "" if run.number is None else f"  run {run.number}"
    return f"{run.run}{number}  {run.status}" + (f": {run.reason}" if run.reason else "") + "\n"


def render_runs(runs: Sequence[TriggeredRun]) -> str:
    """Write runs, one per line."""
    return "".join(map(render_run, runs)) or "no runs\n"


def render_pipelines(pipelines: Sequence[PublishedPipelineV1]) -> str:
    """Write published pipelines: id, status, name, and the URL that starts a run."""
    if not pipelines:
        return "no published pipelines\n"
    rows = [(each.id, each.status, each.name, each.url) for each in pipelines]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    lines = (
        "  ".join((*(part.ljust(width) for part, width in zip(row, widths, strict=False)), row[3])) for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def render_pipeline(pipeline: PublishedPipelineV1) -> str:
    """Write a published pipeline, one fact per line."""
    facts = {
        "id": pipeline.id,
        "status": pipeline.status,
        "version": pipeline.version,
        "steps": None if pipeline.steps is None else str(pipeline.steps),
        "about": pipeline.description,
        "url": pipeline.url,
    }
    lines = [pipeline.name, *(f"  {word:<9}{fact}" for word, fact in facts.items() if fact)]
    lines += [f"  --set {name}={value}" for name, value in pipeline.parameters.items()]
    return "".join(f"{line}\n" for line in lines)
