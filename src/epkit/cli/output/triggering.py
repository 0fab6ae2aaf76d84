"""The output of `epkit pipeline trigger` and of the commands that follow a run of a published pipeline."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from epkit.cli import terminal
from epkit.core.pipeline.triggered import TriggeredRun, to_document
from epkit.errors import UsageError
from epkit.flows.pipeline.triggering import listing
from epkit.flows.pipeline.triggering import trigger as flow
from epkit.flows.pipeline.triggering.logs import LogReader
from epkit.flows.pipeline.triggering.opening import open_published
from epkit.flows.pipeline.triggering.waiting import WaitOptions, follow, look
from epkit.reporters.pipeline import triggered as text

if TYPE_CHECKING:
    from epkit.flows.context import Context
    from epkit.flows.pipeline.triggering.asking import RemotePipeline
    from epkit.flows.target.request_options import TargetOptions


def trigger(
    target: str,
    options: flow.TriggerOptions,
    reach: "TargetOptions",
    context: "Context",
    *,
    wait: bool,
    with_log: bool,
    limit_s: float | None,
    format_: str,
) -> int:
    """Request a run, print its id, and follow it if requested.

    Returns:
        The exit code: that of the run, if this waited for its end.
    """
    flow.check(options)
    with open_published(target, reach, context) as published:
        begun = flow.trigger(published, options, context)
        about = {**_about(published), "idempotency_key": begun.idempotency_key}
        if not (wait or with_log):
            _show_begun(published, begun, about, format_)
            return 0
        _say(published, begun, format_, context)
        run = _followed(published, begun.run, context, with_log=with_log, limit_s=limit_s, format_=format_)
        at_azure = published.name if published.wire == "jobs" and _is_ours(published.name, context) else None
    if at_azure is not None and run.outcome == "done":
        from epkit.cli.output import azure_publishing

        return azure_publishing.promote(at_azure, run.run, context, format_=format_)
    return _finish(run, about, format_)


def show_status(
    target: str,
    run: str | None,
    reach: "TargetOptions",
    context: "Context",
    *,
    wait: bool,
    limit_s: float | None,
    format_: str,
) -> int:
    """Print a run, or all runs that the server lists.

    Returns:
        The exit code: that of the run, if this waited for its end.
    """
    if run is None and not wait and _is_ours(target, context):
        from epkit.cli.output import azure_publishing

        azure_publishing.show_jobs(target, context, format_=format_)
        return 0
    with open_published(target, reach, context) as published:
        if run is None and not wait:
            runs = terminal.masked(listing.runs(published))
            documents = [to_document(each, **_about(published)) for each in runs]
            terminal.write(_json(documents) if format_ == "json" else text.render_runs(runs))
            return 0
        run = _checked(run) or listing.newest(published).run
        if wait:
            found = _followed(published, run, context, with_log=False, limit_s=limit_s, format_=format_)
            return _finish(found, _about(published), format_)
        _show(look(published, run), _about(published), format_)
    return 0


def show_log(
    target: str,
    run: str | None,
    reach: "TargetOptions",
    context: "Context",
    *,
    with_end: bool,
) -> int:
    """Print the log of a run; *with_end*: follow it to its end, and return the run's exit code."""
    if not with_end and _is_ours(target, context):
        from epkit.cli.output import azure_publishing

        azure_publishing.show_log(target, _checked(run), context)
        return 0
    with open_published(target, reach, context) as published:
        _check_log(published)
        run = _checked(run) or listing.newest(published).run
        if not with_end:
            LogReader(published, run, _write_lines).all()
            return 0
        found = _followed(published, run, context, with_log=True, limit_s=None, format_="log")
    return _finish(found, {}, "text")


def cancel(target: str, run: str | None, reach: "TargetOptions", context: "Context") -> None:
    """Request the end of a run from the server, and report it."""
    if _is_ours(target, context):
        from epkit.cli.output import azure_publishing

        azure_publishing.cancel(target, _checked(run), context)
        return
    with open_published(target, reach, context) as published:
        run = _checked(run) or listing.newest(published).run
        listing.cancel(published, run)
    terminal.write(f"{run} was asked to end\n")


def show_pipelines(url: str, reach: "TargetOptions", context: "Context", *, format_: str) -> None:
    """Print the published pipelines (SDK v1) of the workspace that a URL belongs to."""
    with open_published(url, reach, context, workspace=True) as published:
        found = terminal.masked(listing.pipelines(published))
    documents = [asdict(each) for each in found]
    terminal.write(_json(documents) if format_ == "json" else text.render_pipelines(found))


def show_pipeline(url: str, reach: "TargetOptions", context: "Context", *, format_: str) -> None:
    """Print a published pipeline (SDK v1)."""
    with open_published(url, reach, context) as published:
        found = terminal.masked(listing.pipeline(published))
    terminal.write(_json(asdict(found)) if format_ == "json" else text.render_pipeline(found))


def _is_ours(name: str | None, context: "Context") -> bool:
    """Return whether a pipeline of this project is published at Azure: its control plane has more information."""
    from epkit.flows.pipeline.publishing.azure import backend_of

    return name is not None and backend_of(name, context) == "azureml"


def _followed(
    published: "RemotePipeline", run: str, context: "Context", *, with_log: bool, limit_s: float | None, format_: str
) -> TriggeredRun:
    log = None
    if with_log:
        if published.azure:
            context.note(f"{run}: its log is at Azure, in the studio: its status is followed here")
        else:
            log = LogReader(published, run, _write_lines)
    line = terminal.StatusLine(quiet=format_ == "json")

    def show(found: TriggeredRun) -> None:
        if format_ == "text" and found.outcome is None:
            terminal.write_verdict(text.render_run(terminal.masked(found)))
        else:
            line.show(f"{found.run} {found.status}")

    try:
        return follow(published, run, context, WaitOptions(limit_s=limit_s), show=show, log=log)
    finally:
        line.clear()


def _show_begun(published: "RemotePipeline", begun: flow.BegunRun, about: Mapping[str, Any], format_: str) -> None:
    if format_ == "json":
        terminal.write(_json(to_document(TriggeredRun(run=begun.run, status="Accepted"), **about)))
    else:
        terminal.write(f"{begun.run}\n")
        _say(published, begun, format_, terminal.context())


def _say(published: "RemotePipeline", begun: flow.BegunRun, format_: str, context: "Context") -> None:
    """Print the run that was started, and how to repeat the request without a second run."""
    if format_ == "json":
        return
    known = "which Azure does not look at" if published.azure else "with which the same command begins no second run"
    context.note(
        f"{published.shown}: run {begun.run} is begun; --idempotency-key {begun.idempotency_key}, {known}; "
        f"epkit pipeline status {published.shown} {begun.run} shows it"
    )


def _finish(run: TriggeredRun, about: Mapping[str, Any], format_: str) -> int:
    code = run.exit_code or 0
    _show(run, about, format_)
    if code and format_ == "json":
        terminal.complain(text.render_run(run).rstrip())
    return code


def _show(run: TriggeredRun, about: Mapping[str, Any], format_: str) -> None:
    run = terminal.masked(run)
    terminal.write_verdict(_json(to_document(run, **about)) if format_ == "json" else text.render_run(run))


def _about(published: "RemotePipeline") -> dict[str, Any]:
    return {"pipeline": published.name, "url": published.url.shown, "wire": published.wire}


def _checked(run: str | None) -> str | None:
    from epkit.core.pipeline.triggered import RUN
    from epkit.core.shortening import cut

    if run is not None and not RUN.fullmatch(run):
        raise UsageError(f"{cut(run, 60)} is not the id of a run: letters, digits, - _ . and :, at most 255")
    return run


def _check_log(published: "RemotePipeline") -> None:
    if published.azure:
        raise UsageError(f"{published.shown}: its runs' logs are at Azure: az ml job stream, or the studio, shows them")


def _write_lines(lines: list[str]) -> None:
    terminal.write("".join(f"{line}\n" for line in lines))


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
