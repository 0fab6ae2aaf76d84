"""The output about pipelines that are published at Azure, their jobs, and schedules."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from epkit.cli import terminal
from epkit.flows.pipeline.publishing import azure, schedules
from epkit.flows.train.azure.following import Waiting

if TYPE_CHECKING:
    from epkit.core.hosting.azure_pipelines import Schedule
    from epkit.flows.context import Context

STAYS = "the data, the components and the jobs with their files stay: az ml data list, az ml job list show them"


def publish(name: str, context: "Context", *, compute: str | None, schedule: "Schedule | None", format_: str) -> None:
    """Publish a pipeline at Azure, and print its address."""
    found = terminal.masked(azure.publish_at_azure(name, context, Waiting(), compute=compute, schedule=schedule))
    if format_ == "json":
        terminal.write(_json(asdict(found)))
        return
    by_itself = "" if schedule is None else f"by itself: {_words(schedule)}, in UTC\n"
    terminal.write(
        f"{name}: published in {found.workspace} as {found.endpoint}, {found.deployment}\n{found.url}\n{by_itself}"
        f"next: epkit pipeline trigger {name} --wait\n"
    )


def unpublish(name: str, context: "Context") -> None:
    """Remove a pipeline from Azure, and print what is left there."""
    there = azure.unpublish_at_azure(name, context, Waiting())
    terminal.write(
        f"{name} is no longer published at Azure; {STAYS}\n" if there else f"{name} was not published there\n"
    )


def backend_of(name: str, context: "Context") -> str:
    """Return the backend where a pipeline is published, according to epkit.toml; `local` if it names none."""
    return azure.backend_of(name, context)


def show_schedule(name: str, schedule: "Schedule", context: "Context", *, format_: str) -> None:
    """Print the lines for cron and systemd; nothing is installed."""
    found = schedules.local_schedule(name, schedule, context)
    terminal.write(_json(asdict(found)) if format_ == "json" else schedules.written(found))


def show_jobs(name: str, context: "Context", *, format_: str) -> None:
    """Print the last jobs of a pipeline that is published at Azure."""
    found = terminal.masked(azure.AzureJobs(context, Waiting()).listed(name))
    if format_ == "json":
        terminal.write(_json([asdict(each) for each in found]))
        return
    terminal.write("".join(f"{each.name}  {each.status}  {each.page or ''}\n" for each in found) or "no job\n")


def show_log(name: str, job: str | None, context: "Context") -> None:
    """Print the output of a job; without *job*, of the newest one."""
    jobs = azure.AzureJobs(context, Waiting())
    lines = jobs.log(job or azure.newest(jobs, name))
    terminal.write("".join(f"{line}\n" for line in terminal.masked(lines)))


def cancel(name: str, job: str | None, context: "Context") -> None:
    """Cancel a job; without *job*, the newest one."""
    jobs = azure.AzureJobs(context, Waiting())
    found = jobs.cancel(job or azure.newest(jobs, name))
    terminal.write(f"{found.name}: {found.status}\n")


def promote(
    name: str,
    job: str,
    context: "Context",
    *,
    format_: str,
    html: str | None = None,
    junit: str | None = None,
    summary: bool = False,
    quiet: bool = False,
) -> int:
    """Run the steps that follow a job; print one line for each.

    Returns:
        The exit code.
    """
    from epkit.cli.output import pipeline as output
    from epkit.cli.output import summary as job_summary
    from epkit.files import outputs
    from epkit.flows.pipeline.publishing.promoting import promote as promoted

    outputs.check_reports(html=html, junit=junit)
    if summary:
        job_summary.check()
    display = output.RunDisplay(quiet=quiet, steps=format_ == "text")
    try:
        ran = promoted(name, job, context, Waiting(), show=display.step, say=display.say)
    finally:
        display.clear()
    return output.finish(ran, context, format_=format_, html=html, junit=junit, summary=summary)


def _words(schedule: "Schedule") -> str:
    from epkit.core.hosting.azure_pipelines import Crontab

    if isinstance(schedule, Crontab):
        return f"by the clock, {schedule.expression}"
    return f"every {schedule.interval} {schedule.frequency}{'s' if schedule.interval > 1 else ''}"


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
