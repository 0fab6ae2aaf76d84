"""epkit in Python and notebooks: the commands as functions, which return values and print nothing."""

import io
import logging
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any

from epkit.core import quantities
from epkit.core.display import Displayed
from epkit.core.http.destination import Tls
from epkit.core.http.request_ids import REQUEST_ID
from epkit.core.load.cluster import ClusterAddress
from epkit.core.near import not_one_of
from epkit.core.report.compare import THRESHOLD, Comparison
from epkit.core.report.live import Live
from epkit.core.report.report import Report
from epkit.core.report.wording import plural
from epkit.flows.bench.bench import bench as run
from epkit.flows.bench.options import BenchOptions, depth_of
from epkit.flows.target.request_options import RequestOptions
from epkit.notebook import CellProgress, Look, at_work, awaitable, look, masked

_log = logging.getLogger("epkit")


class Reports(Displayed, tuple[Report, ...]):
    """Several reports; a notebook shows them as one table."""

    __slots__ = ()


@look.register
def _(reports: Reports) -> Look:
    from epkit.reporters.notebook import sheets
    from epkit.reporters.run import repeats

    found = masked(reports)
    return Look(
        sheet=lambda: sheets.of_reports(found), text=lambda: repeats.text(found) if found else "there are no reports"
    )


def run_bench(
    target: str | None = None,
    *,
    requests: int | str | None = None,
    concurrency: int | str | None = None,
    seconds: float | str | None = None,
    rate: float | str | None = None,
    arrivals: str = "constant",
    stages: str | None = None,
    sweep: str | None = None,
    find_max: str | None = None,
    warmup: str | None = None,
    until: str | None = None,
    slos: Sequence[str] = (),
    timeout_s: float | str | None = None,
    payloads: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    key_file: str | None = None,
    deployment: str | None = None,
    schema: str | None = None,
    operation: str | None = None,
    predictions_at: str | None = None,
    validate: bool = True,
    check: str = "reply",
    expect: str | None = None,
    save: str | None = None,
    keepalive: bool = True,
    cacert: str | None = None,
    insecure: bool = False,
    client_cert: str | None = None,
    proxy: str | None = None,
    engine: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    cluster_ca: str | None = None,
    cluster_cert: str | None = None,
    cluster_key: str | None = None,
    insecure_cluster: bool = False,
    otlp: str | None = None,
    request_ids: bool | str = False,
) -> Report:
    """Load an endpoint and measure it; `epkit bench` in Python. Notes go to the logger `epkit`.

    During the run, this process collects no garbage. On the main thread, SIGINT and SIGTERM end the run early with a
    report that says `partial`. Both settings are restored afterwards. A notebook's cell shows the progress.

    Args:
        target: a URL or a name in `epkit.toml`; None for EPKIT_TARGET, the default, or the embedded endpoint.
        requests: how many; with *seconds*, whichever comes first; 1 with neither. Counts, times and rates may be
            texts: `10k`, `1m30s`, `100/m`.
        concurrency: most requests in flight; None means 1, or a number that suits a rate.
        rate, stages, sweep, find_max: the load, as on the command line; at most one of them. The result of a sweep of
            batch sizes (`rows=1,10,100;c=1,4`) is the report's `grid`.
        arrivals: `constant` or `poisson`, where there is a rate.
        warmup: requests, or a time such as `10s`, that are run first and reported apart.
        until: ends the run when an estimate is tight, such as `ci(p99)<5%`.
        slos: objectives such as `p99<250ms`; their results are the report's `thresholds`.
        timeout_s: of one request; None for the target's own.
        payloads: files, sent in turn; none for the contract's example.
        headers: sent along; an Authorization among them is the key.
        deployment: the deployment that gets the requests.
        schema: a contract to use instead of the target's own.
        operation: the contract's scoring path; None for the target's, or the only POST.
        predictions_at: a JSON pointer to the predictions in a reply; None means the place that the contract names, or
            the usual keys.
        validate: False sends payloads unchecked; the contract still defines how rows of a table are written.
        check: how thoroughly each reply is checked: `status`, `reply`, `contract`, or `expect`.
        expect: a file of golden predictions, for the most thorough check.
        save: the file that the run is saved to, for `load_reports` and `compare`.
        cacert: a file of authorities to trust (PEM); *insecure* trusts anybody.
        client_cert: a file with the client's certificate and its key (PEM).
        proxy: `HOST:PORT`, or a URL with credentials in it.
        engine: `wire` or `httpx`; None means the engine that the other options need.
        workers: the number of processes of this machine that share the load.
        cluster: address of a Dask scheduler (`tls://host:port`) whose workers share the load.
        cluster_ca, cluster_cert, cluster_key: files with its authority, and epkit's certificate and key (PEM); None
            means those of Dask's configuration.
        insecure_cluster: connect to a scheduler on another machine without encryption (`tcp://host:port`).
        otlp: URL of an OpenTelemetry collector that gets the figures of the run each second; its credentials come from
            the environment's `OTEL_EXPORTER_OTLP_HEADERS`.
        request_ids: True sends an id with each request in `x-ms-client-request-id`; a text is the name of another
            header. The ids are in the report's `slowest` and `failures`.

    Raises:
        UsageError, ContractError, EndpointError: nothing could be sent. A failed request is data in the report.
    """
    options = BenchOptions(
        target=target,
        key_file=key_file,
        requests=quantities.given("requests", requests, quantities.read_count),
        concurrency=quantities.given("concurrency", concurrency, quantities.read_count),
        time_limit_s=quantities.given("seconds", seconds, quantities.read_seconds),
        rate=quantities.given("rate", rate, quantities.read_rate),
        arrivals=arrivals,
        stages=stages,
        sweep=sweep,
        find_max=find_max,
        warmup=warmup,
        until=until,
        slos=tuple(slos),
        timeout_s=quantities.given("timeout_s", timeout_s, quantities.read_seconds),
        depth=depth_of("check", check.lower(), expect),
        expect=expect,
        save=save,
        tls=Tls(verify=not insecure, cacert=cacert, client_cert=client_cert),
        request=RequestOptions(
            payloads=tuple(payloads),
            headers=tuple((headers or {}).items()),
            deployment=deployment,
            schema=schema,
            operation=operation,
            predictions_at=predictions_at,
            validate=validate,
            keepalive=keepalive,
            proxy=proxy,
        ),
        engine=engine,
        workers=workers,
        cluster=ClusterAddress.given(
            cluster, ca=cluster_ca, cert=cluster_cert, key=cluster_key, insecure=insecure_cluster
        ),
        otlp=otlp,
        request_ids=REQUEST_ID if request_ids is True else request_ids or None,
    )
    return _bench(options)


def _bench(options: BenchOptions) -> Report:
    """Run a load, and show its progress in a notebook."""
    from epkit.reporters.run import panel

    live = Live()
    with at_work() as context, CellProgress(lambda: panel.over(live.view())) as progress:

        def show(done: int, failed: int) -> None:
            if done or failed:
                progress.show(lambda: panel.text(live.view(), *options.known_end))

        shown: Any = {"progress": show, "live": live} if progress.active else {}
        result = run(options, context, io.BytesIO(), **shown)
    report = result.report
    if result.stopped_by is not None:
        _log.warning("%s: interrupted after %s", report.run.target, plural(report.counts.sent, "request"))
    return report


bench = wraps(run_bench)(awaitable(run_bench))
bench.__name__ = bench.__qualname__ = "bench"
bench.__doc__ = f"""Do what `run_bench` does, from a notebook or another running event loop: `await epkit.bench(…)`.

    The load has a loop and a thread of its own, so that nothing else on this one disturbs what is measured.
    To cancel it, as a notebook's stop button does, ends the run early: it returns a report that says `partial`, once
    what is in flight has been waited for. A second time gives the run up. Before the first request there is nothing to
    return, and it is cancelled.

    {(run_bench.__doc__ or "").partition("`epkit bench` in Python. ")[2]}"""


def load_reports(path: str) -> Reports:
    """Read the reports of saved runs; `epkit report` in Python.

    Args:
        path: of a file that `save` (or `--save`) made, or of a directory of such; `FILE#ARM` is one arm of a file.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    from epkit.flows.bench.saved_runs import load, report_of

    return Reports(report_of(run) for run in load(path))


def compare(
    base: str, new: str | None = None, *, fail_if: Sequence[str] = (), threshold: float = THRESHOLD, force: bool = False
) -> Comparison:
    """Compare saved runs; `epkit compare` in Python.

    Args:
        base, new: a saved run, a directory of saved runs, or a file that holds several; `FILE#ARM` is one arm of it.
            Without *new*, *base* holds two arms.
        fail_if: gates such as `p99>+5%`; whether all held is the comparison's `passed`.
        threshold: the least change of interest, as a share.
        force: compare what differs in more than the target.

    Raises:
        UsageError: an arm cannot be read, the arms cannot be compared, a gate cannot be judged.
    """
    from epkit.flows.bench.compare import compare_runs

    return compare_runs(base, new, fail_if=fail_if, threshold=threshold, force=force)


def render(what: Report | Comparison, format: str = "text") -> str:  # noqa: A002 - as the flag is called
    """Write a report or a comparison as the command line does.

    Args:
        format: `text`, `markdown` or `json`.

    Raises:
        UsageError: it is none of these.
    """
    from epkit.core.json import writing
    from epkit.core.report import compare as compared
    from epkit.core.report.document import to_document
    from epkit.reporters.compare import text as comparison
    from epkit.reporters.run import markdown, text

    match what, format:
        case Report(), "text":
            return text.render(what)
        case Report(), "markdown":
            return markdown.render(what)
        case Report(), "json":
            return writing.document(to_document(what))
        case Comparison(), "text":
            return comparison.render_text(what)
        case Comparison(), "markdown":
            return comparison.render_markdown(what)
        case Comparison(), "json":
            return writing.document(compared.to_document(what))
    raise not_one_of("format", format, ("text", "markdown", "json"))
