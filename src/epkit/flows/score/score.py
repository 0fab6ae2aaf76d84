"""Rows in, predictions out, nothing lost: one job of `epkit score`, from options to a summary.

Input → contract → check → driver and engine → recorder. Nothing is printed here; the caller shows what it gets.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

from epkit.core.http.masking import mask_text, mask_url, mask_values
from epkit.core.http.request import Template, with_proxy_headers
from epkit.core.http.request_ids import REQUEST_ID
from epkit.core.http.url import is_url
from epkit.core.replies.predictions import Failed
from epkit.core.score.batching import Chunk, Packer
from epkit.core.score.conveyor import Policy
from epkit.core.score.scored import JobProgress, ScoreResult
from epkit.core.stats.histogram import Histogram
from epkit.endpoint.config import TargetSpec
from epkit.endpoint.target import resolve, to_destination
from epkit.errors import UsageError
from epkit.files.digests import digest_of
from epkit.files.jobs import Job
from epkit.files.predicted import Writer
from epkit.files.recording import OutputWriter, check_format, make_writer, refuse_names
from epkit.files.sources import rows_of
from epkit.flows.context import Context
from epkit.flows.rows.input import prepare
from epkit.flows.rows.opening import Given, spooled
from epkit.flows.score.drivers import check_workers, hire, make_driver
from epkit.flows.score.job import JobWorkers, ReadyJob
from epkit.flows.score.options import ScoreOptions, check
from epkit.flows.score.words import advise
from epkit.flows.target.opening import open_target
from epkit.flows.target.request_options import RequestOptions, compose_headers
from epkit.flows.target.requests import KnownContract, contract_finder, reply_place
from epkit.flows.target.tokens import renewing
from epkit.flows.target.transport import engine_class, proxy_of
from epkit.flows.target.unlocking import unlocked
from epkit.flows.target.verbose import show_request


def score(
    options: ScoreOptions,
    context: Context,
    stdin: BinaryIO,
    writer: Writer | None = None,
    *,
    kept: list[tuple[int, Failed]] | None = None,
    progress: Callable[[JobProgress], None] | None = None,
    policy: Policy | None = None,
) -> ScoreResult:
    """Run a job.

    Args:
        writer: takes the rows if there is no `options.out`.
        kept: failed rows are added to it.
        progress: called about five times a second with the progress.
        policy: overrides the options; tests shorten the waits with it.

    Raises:
        UsageError: the options or the files cannot be used.
        ContractError: a row breaks the contract; nothing was sent.
        EndpointError: the target cannot be reached at all.
    """
    check(options)
    check_workers(options)
    with ExitStack() as stack:
        given = options.given or stack.enter_context(spooled(options.file, stdin, context, options.table))
        job = None
        if options.out is not None:
            job = stack.enter_context(_claim(options, given, context))
            if job.point.complete:
                _check_complete(job, given)
                return _already(job, options, context)
        ready = stack.enter_context(_prepare(options, given, context))
        if job is not None:
            refuse_names(("prediction",), ready.input.source.kept)
            job.expect(ready.input.source.total)
        workers = stack.enter_context(hire(options, context))
        if workers is not None:
            workers.check_reach(ready.destination)
        if job is not None:
            job.begin()
            writer = make_writer(job, ready.input.source.kept)
        assert writer is not None
        probabilities = options.method == "predict_proba"
        taken = () if job is None else ready.input.source.kept
        secrets = ready.target.secrets
        recorder = OutputWriter(
            writer,
            probabilities=probabilities,
            job=job,
            kept=kept,
            taken=taken,
            mask=lambda text: mask_text(text, secrets),
        )
        stack.callback(recorder.close)
        return _run(ready, recorder, policy or _policy(options), progress, context, workers)


def dry_run(options: ScoreOptions, context: Context, stdin: BinaryIO) -> tuple[str, str]:
    """Return the first request, credentials masked, and its target; send no row.

    Raises:
        UsageError, ContractError, EndpointError: as `score`.
    """
    check(options)
    check_workers(options)
    with spooled(options.file, stdin, context, options.table) as given, _prepare(options, given, context) as ready:
        chunk = next(ready.input.chunks(0, options.batch_rows), None)
        if chunk is None:
            raise UsageError("there are no rows to send")
        start = max(0, chunk.settled.find(0))
        body, _ = ready.packer.pack(chunk, start, min(start + options.batch_rows, len(chunk.rows)))
        return show_request(
            ready.template.fill(body, "(one a request)"), ready.target.secrets, body=True
        ), ready.target.shown


def _run(
    ready: ReadyJob,
    recorder: OutputWriter,
    policy: Policy,
    progress: Callable[[JobProgress], None] | None,
    context: Context,
    workers: JobWorkers | None,
) -> ScoreResult:
    before, failed_before = recorder.rows, recorder.failed_rows
    policy = replace(policy, proved=before > failed_before)
    chunks = ready.input.chunks(before, policy.batch_rows)

    def supply() -> Chunk | None:
        return next(chunks, None)

    driver = make_driver(ready, supply, recorder.write, policy, workers, context.note)
    began = time.monotonic()

    def show(progress: Callable[[JobProgress], None]) -> None:
        progress(
            JobProgress(
                rows=before + driver.rows,
                total=ready.input.source.total,
                fresh=driver.rows,
                in_flight=driver.in_flight,
                retries=driver.retries,
                failed_rows=failed_before + driver.failed_rows,
                seconds=time.monotonic() - began,
                waiting_s=driver.waits.left_ns(time.perf_counter_ns()) / 1e9,
            )
        )

    with renewing(ready.target, context, driver.renew):
        stopped_by = driver.run(None if progress is None else partial(show, progress))
    driver.finish()
    complete = driver.is_over and driver.hopeless is None
    recorder.finish(complete=complete)
    result = ScoreResult(
        target=ready.target.shown,
        rows=recorder.rows,
        before=before,
        failed_rows=recorder.failed_rows,
        reasons=recorder.reasons,
        examples=tuple(recorder.examples),
        requests=driver.requests,
        retries=driver.retries,
        waits=driver.waits.times,
        waited_s=driver.waits.ns / 1e9,
        service=driver.service,
        seconds=time.monotonic() - began,
        complete=complete,
        hopeless=None if driver.hopeless is None else advise(driver.hopeless, ready.target),
        stopped_by=None if complete or stopped_by is None else int(stopped_by),
    )
    return mask_values(result, ready.target.secrets)


@contextmanager
def _prepare(options: ScoreOptions, given: Given | None, context: Context) -> Iterator[ReadyJob]:
    request = options.request
    make_engine = engine_class("wire")
    proxy = proxy_of(request, context, "rows")
    with open_target(options.target, request, context, key_file=options.key_file) as target:
        destination = to_destination(target.uri, tls=unlocked(options.tls, context), proxy=proxy)
        timeout_s = target.spec.timeout_s if options.timeout_s is None else options.timeout_s
        timeout_ns = round(timeout_s * 1e9)
        engine = make_engine(destination, timeout_ns=timeout_ns)
        find = contract_finder(request, target, destination, make_engine)
        known = KnownContract(request.schema, context.note, find)
        # Without validation, the contract still defines how rows are encoded.
        contract = known.contract("the rows are not checked", quiet=not request.validate)
        prepared = prepare(
            given,
            contract,
            wrap=options.wrap,
            parameters=options.parameters,
            skip_invalid=options.skip_invalid,
            path=target.uri.request_path.partition("?")[0],
            note=context.note,
            validate=request.validate,
        )
        before, after = prepared.envelope.around()
        content_type = request.content_type or prepared.envelope.content_type
        try:
            template = Template(
                "POST",
                destination.request_target(target.uri.request_path),
                destination.authority,
                with_proxy_headers(
                    destination,
                    compose_headers(request, target, content_type),
                ),
                marked=REQUEST_ID,
            )
        except ValueError as error:
            raise UsageError(f"the request cannot be built: {error}") from None
        packer = Packer(
            before,
            after,
            most_bytes=options.batch_bytes,
            most_rows=prepared.envelope.most_rows,
            writer=prepared.envelope.writer,
        )
        yield ReadyJob(
            target=target,
            destination=destination,
            input=prepared,
            template=template,
            packer=packer,
            engine=engine,
            timeout_ns=timeout_ns,
            place=reply_place(request, target, contract),
        )


@contextmanager
def _claim(options: ScoreOptions, given: Given | None, context: Context) -> Iterator[Job]:
    """Lock the output for this job. The identity of a job is known without a request to the endpoint."""
    assert options.out is not None
    check_format(options.out)
    if (
        given is not None
        and given.path is not None
        and given.path.resolve() == context.cwd.joinpath(options.out).resolve()
    ):
        raise UsageError(f"-o {options.out} is the input itself")
    with Job(options.out, restart=options.restart, overwrite=options.overwrite) as job:
        spec = resolve(options.target, environ=context.environ, cwd=context.cwd)
        job.claim(
            {
                "input": _digest(given),
                "target": spec.shown,
                "wrapping": json.dumps(_wrapping(options, spec), sort_keys=True),
                "deployment": options.request.deployment or spec.deployment or "",
                # The journal of a job without such options does not mention them.
                **({"reading of the table": options.table.identity} if options.table.identity else {}),
            }
        )
        yield job


def _check_complete(job: Job, given: Given | None) -> None:
    """Refuse a complete job if its output does not have the rows of the input.

    Raises:
        UsageError: the numbers of rows differ, or the input cannot be read.
    """
    if given is not None and given.path is not None:
        rows = rows_of(given.path, given.kind, given.name, given.options)
        job.expect(rows, least=rows or 0)


def _wrapping(options: ScoreOptions, spec: TargetSpec) -> list[Any]:
    """Return the part of a job's identity that concerns its rows: their wrapping, and the place of predictions."""
    named = [options.wrap, options.parameters, *_named(options.request)]
    place = options.request.predictions_at
    place = spec.predictions_at if place is None else place
    # Journals of versions without places have no such entry.
    return named if place is None else [*named, {"predictions at": place}]


def _named(request: RequestOptions) -> list[str | None]:
    """Return the contract and the operation that the user named; the journal must not contain a URL's signature."""
    schema = request.schema
    shown = mask_url(schema) if schema is not None and is_url(schema) else schema
    return [shown] if request.operation is None else [shown, request.operation]


def _digest(given: Given | None) -> str:
    if given is None:
        return "the contract's example"
    assert given.path is not None  # rows from Python have no output of their own
    return digest_of(given.path, given.name)


def _already(job: Job, options: ScoreOptions, context: Context) -> ScoreResult:
    point = job.point
    spec = resolve(options.target, environ=context.environ, cwd=context.cwd)
    return ScoreResult(
        target=spec.shown,
        rows=point.rows,
        before=point.rows,
        failed_rows=point.failed_rows,
        reasons=point.reasons or {},
        examples=(),
        requests=0,
        retries=0,
        service=Histogram(),
        seconds=0.0,
        complete=True,
        already=True,
    )


def _policy(options: ScoreOptions) -> Policy:
    return Policy(
        batch_rows=options.batch_rows,
        batch_bytes=options.batch_bytes,
        concurrency=options.concurrency,
        interval_ns=0 if options.rate is None else round(1e9 / options.rate),
        retries=options.retries,
    )
