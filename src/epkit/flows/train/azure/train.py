"""`epkit train --backend azureml`: send, start, follow and finish a job, or only one of these steps."""

import contextlib
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from epkit.core.hosting.azure_jobs import DONE, AzureJob
from epkit.core.train.azure import TABLE_FILE, mltable
from epkit.core.train.job_record import JobRecord, record_of
from epkit.core.train.progress import Progress
from epkit.errors import EpkitError, UsageError
from epkit.files import model_directory, training_jobs
from epkit.flows.azure import open_jobs
from epkit.flows.context import Context
from epkit.flows.interrupts import noted
from epkit.flows.train.azure.finishing import ModelPlace, finish
from epkit.flows.train.azure.following import Waiting, check_complete, follow, progress_of
from epkit.flows.train.azure.options import AzureOptions, check_names, gates_of, order_at_azure
from epkit.flows.train.azure.sending import order_for, prepare_table, record_for, steps_of
from epkit.flows.train.options import TrainOptions, run_directory
from epkit.flows.train.train import TrainResult

if TYPE_CHECKING:
    from epkit.flows.azure import AutoMLJobs

DEFAULT_NODES: Final = 4
"""Nodes of a new cluster if `--workers` gives no number."""

NOWHERE: Final = "(not known before it is asked)"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNews:
    """The state of a job that is not waited for.

    Args:
        status: Azure's own word.
        follow: the command that follows the job; None if the job has ended.
        page: URL of the job in the studio.
    """

    job: str
    status: str
    follow: str | None
    page: str | None


def train_at_azure(
    options: TrainOptions,
    azure: AzureOptions,
    context: Context,
    stdin: BinaryIO,
    *,
    show: Callable[[Progress], None],
) -> TrainResult | JobNews:
    """Train at Azure: start a job or take an existing one, follow it, fetch its model, and judge it by its metrics.

    Args:
        options: for an existing job, only the output directory and the gates are used.
        show: called after each request for the job's state, and at the start of each other phase.

    Raises:
        UsageError: an option or the table cannot be used; then nothing was sent.
        BackendError: Azure refused, or the job failed or was cancelled.
        NotedInterrupt: Ctrl-C; the job goes on.
    """
    began, waiting = time.monotonic(), Waiting()
    out = context.cwd / options.out
    if azure.job is not None:
        check_names(azure)
        gates_of(options.gates)
        jobs = open_jobs(context, waiting)
        if azure.cancel:
            return _cancelled(azure.job, jobs, run_directory(out), context)
        model_directory.check(out, overwrite=options.overwrite)
        _refuse_unfinished(run_directory(out), options, but=azure.job)
        job, record = _taken_up(azure.job, jobs, run_directory(out))
    else:
        order_at_azure(options, azure)
        model_directory.check(out, overwrite=options.overwrite)
        _refuse_unfinished(run_directory(out), options)
        jobs = open_jobs(context, waiting)
        job, record = _begun(options, azure, jobs, context, stdin, show)
    command = _command(job.name, options)
    if not azure.wait:
        return JobNews(job=job.name, status=job.status, follow=command, page=job.page)
    with jobs.history() as history:
        try:
            with noted() as stopped:
                waiting.stopped = stopped
                ended, children = follow(job.name, jobs, history, context, waiting, show)
        except (KeyboardInterrupt, EpkitError):
            context.note(f"the job goes on at Azure: {command} follows it, {_cancel(job.name)} ends it")
            raise
        waiting.stopped = lambda: None
        if ended.status != DONE:
            training_jobs.write(run_directory(out), replace(record, finished=True))  # nothing is left to fetch
        check_complete(ended, children, history)
        try:
            result = finish(
                ended,
                children,
                record,
                jobs,
                history,
                context,
                place=ModelPlace(out=out, run=run_directory(out), shown=options.shown or options.out),
                overwrite=options.overwrite,
                gates=gates_of(options.gates or record.gates),
                elapsed_s=lambda: time.monotonic() - began,
                phase=_phases(show, progress_of(ended, children, time.monotonic() - began)),
            )
        except (KeyboardInterrupt, EpkitError):
            context.note(f"the job is complete: {command} fetches its model")
            raise
    training_jobs.write(run_directory(out), replace(record, finished=True))
    return result


def plan_at_azure(
    options: TrainOptions, azure: AzureOptions, context: Context, stdin: BinaryIO
) -> tuple[dict[str, Any], ...]:
    """Read the table, and return what would be sent. Nothing is sent.

    Raises:
        UsageError: as for `train_at_azure`.
    """
    if azure.job is not None:
        raise UsageError(f"--dry-run: the job {azure.job} was begun already")
    order = order_at_azure(options, azure)
    model_directory.check(context.cwd / options.out, overwrite=options.overwrite)
    sendable = prepare_table(options, azure, order, context, stdin)
    record = record_for(sendable, azure, NOWHERE)
    job = order_for(record, sendable, azure, Path("mltable"), options.workers or 1)
    return steps_of(job, sendable, azure)


def _begun(
    options: TrainOptions,
    azure: AzureOptions,
    jobs: "AutoMLJobs",
    context: Context,
    stdin: BinaryIO,
    show: Callable[[Progress], None],
) -> tuple[AzureJob, JobRecord]:
    """Send the table and start the job. A record is written first, so that the job can be found whatever happens."""
    nothing = Progress(
        done=0, total=options.runs, running=(), last=None, best=None, metric="", elapsed_s=0.0, left_s=None, failed=0
    )
    phases = _phases(show, nothing)
    phases("reading the table")
    sendable = prepare_table(options, azure, order_at_azure(options, azure), context, stdin)
    phases("looking for the compute")
    concurrent = _compute(options, azure, jobs, context)
    record = record_for(sendable, azure, jobs.workspace.id)
    run = run_directory(context.cwd / options.out)
    training_jobs.forget(run)
    training_jobs.write_test(run, sendable.test)
    training_jobs.write(run, record)
    with tempfile.TemporaryDirectory(prefix="epkit-") as folder:
        data = Path(folder) / "mltable"
        training_jobs.write_table(data, sendable.sent, TABLE_FILE, mltable(sendable.texts))
        order = order_for(record, sendable, azure, data, concurrent)
        phases("uploading the table, beginning the job")
        with _sure(record.job, jobs, run, options, context):
            job = jobs.submit(order, context.note)
    page = f" ({job.page})" if job.page else ""
    context.note(f"the job {job.name} is begun{page}: {_command(job.name, options)} follows it from anywhere")
    return job, record


@contextlib.contextmanager
def _sure(name: str, jobs: "AutoMLJobs", run: Path, options: TrainOptions, context: Context) -> Iterator[None]:
    """If the request for a job fails, find out whether the job has started; delete the record of one that has not."""
    maybe = f"the job {name} may have begun: {_command(name, options)} follows it, {_cancel(name)} ends it"
    try:
        yield
    except KeyboardInterrupt:
        context.note(maybe)
        raise
    except EpkitError:
        with contextlib.suppress(EpkitError):
            if not jobs.has(name):
                training_jobs.forget(run)
                maybe = ""
        if maybe:
            context.note(maybe)
        raise


def _compute(options: TrainOptions, azure: AzureOptions, jobs: "AutoMLJobs", context: Context) -> int:
    """Find or create the compute; return the number of trials that it runs at a time.

    Raises:
        UsageError: it does not exist, and must not be created.
    """
    name = azure.compute
    assert name is not None
    nodes = jobs.most_nodes(name)
    if nodes is None:
        if azure.create_compute is None:
            raise UsageError(
                f"--compute {name}: there is none in the workspace {jobs.workspace.name}: --create-compute "
                f"STANDARD_DS12_V2 makes it, as does az ml compute create --name {name} --type amlcompute "
                f"--size STANDARD_DS12_V2 --min-instances 0 --max-instances {DEFAULT_NODES}"
            )
        nodes = options.workers or DEFAULT_NODES
        jobs.create_compute(name, azure.create_compute, nodes, context.note)
    return options.workers or nodes


def _taken_up(name: str, jobs: "AutoMLJobs", run: Path) -> tuple[AzureJob, JobRecord]:
    """Find an existing job and its record: next to the model, or in the tags of the job.

    Raises:
        UsageError: epkit did not start it.
    """
    job = jobs.job(name)
    record = training_jobs.read(run)
    if record is None or record.job != name:
        record = record_of(job, jobs.workspace.id)
        training_jobs.forget(run)
    if record is None:
        raise UsageError(
            f"--job {name} was not begun by epkit train: az ml job download --name {name} has what it leaves"
        )
    training_jobs.write(run, record)
    return job, record


def _refuse_unfinished(run: Path, options: TrainOptions, but: str | None = None) -> None:
    """Refuse to overwrite the record of a job that may still run and cost money.

    Args:
        but: the job that the user named.
    """
    if options.restart:
        training_jobs.forget(run)
        return
    record = training_jobs.read(run)
    if record is not None and not record.finished and record.job != but:
        raise UsageError(
            f"{run}: the job {record.job} was begun for it: {_command(record.job, options)} follows it, --restart "
            "forgets it"
        )


def _cancelled(name: str, jobs: "AutoMLJobs", run: Path, context: Context) -> JobNews:
    """Cancel a job, unless it has ended."""
    job = jobs.job(name)
    if not job.is_over:
        jobs.cancel(name, context.note)
        job = jobs.job(name)
        record = training_jobs.read(run)
        if record is not None and record.job == name:
            training_jobs.write(run, replace(record, finished=True))
    return JobNews(job=name, status=job.status, follow=None, page=job.page)


def _phases(show: Callable[[Progress], None], last: Progress) -> Callable[[str], None]:
    """Return a function that shows a phase in which no trial runs."""
    return lambda text: show(replace(last, phase=text, running=()))


def _command(job: str, options: TrainOptions) -> str:
    return f"epkit train --job {job} -o {shlex.quote(options.out)}"


def _cancel(job: str) -> str:
    return f"epkit train --job {job} --cancel"
