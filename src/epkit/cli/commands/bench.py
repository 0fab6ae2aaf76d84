"""`epkit bench`: options in, a report out."""

from typing import TYPE_CHECKING

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options import load as load
from epkit.cli.options import table as t
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.cli.output.bench import OutputOptions
    from epkit.flows.bench.options import BenchOptions

EPILOG = """\b
Examples:
  epkit bench -n 10                              the embedded endpoint
  epkit bench -n 1000 -c 16 https://host/score   the contract's example
  epkit bench -p data.json -H 'Authorization: Bearer KEY' http://host/score
  epkit bench -t 30 -c 8 -p rows.json --format json prod > report.json
  epkit bench --rate 200 -t 60 --warmup 5s prod  200 a second, due on time
  epkit bench --sweep c=1,2,4,8 -t 10 prod       where the knee is
  epkit bench --find-max 'p99<250ms' prod        how much it takes
  epkit bench --sweep 'rows=1,10,100;c=1,4' -t 5 the best batch size
  epkit bench -t 30 -c 256 --workers 4 prod      from four processes
\b
Unlike ab: connections are kept, HTTP/1.1 is spoken, certificates are
checked, redirects are not followed (3xx is a failure), failures count as
failures, and -v never shows a credential.
\b
Exit codes: 0 all went well, 2 usage, 4 none succeeded, 5 some failed or
an objective was missed (or --find-max found no rate, a sweep of rows= no
point that keeps the objectives, or --strict and the run is not valid),
130 interrupted (143 by SIGTERM), with a report of what was measured."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("bench", epilog=EPILOG, cls=o.Sections)(bench)


def bench(
    target: o.Target = None,
    requests: o.Requests = None,
    concurrency: o.Concurrency = None,
    time_limit_s: o.TimeLimit = None,
    timeout_s: o.Timeout = None,
    rate: load.Rate = None,
    arrivals: load.ArrivalsName = "constant",
    stages: load.Stages = None,
    sweep: load.Sweep = None,
    find_max: load.FindMax = None,
    warmup: load.Warmup = None,
    until: load.UntilTight = None,
    repeat: load.Repeat = None,
    against: load.Against = None,
    strict: load.Strict = False,
    workers: load.Workers = None,
    cluster: load.Cluster = None,
    cluster_ca: load.ClusterCa = None,
    cluster_cert: load.ClusterCert = None,
    cluster_key: load.ClusterKey = None,
    insecure_cluster: load.InsecureCluster = False,
    payloads: o.Payloads = None,
    shuffle: o.Shuffle = False,
    wrap: o.Wrap = None,
    batch_rows: o.BatchRows = 100,
    carry: t.Carry = None,
    drop: t.Drop = None,
    encoding: t.Encoding = None,
    decimal: t.Decimal = None,
    no_header: t.NoHeader = False,
    put: o.Put = None,
    content_type: o.ContentType = None,
    header: o.Header = None,
    cookies: o.Cookies = None,
    basic: o.BasicAuth = None,
    method: o.Method = None,
    head: o.Head = False,
    deployment: o.Deployment = None,
    target_flag: o.TargetFlag = None,
    key_file: o.KeyFile = None,
    schema: o.Schema = None,
    predictions_at: o.PredictionsAt = None,
    path: o.Operation = None,
    no_validate: o.NoValidate = False,
    check: o.Check = "reply",
    expect: o.Expect = None,
    request_ids: o.RequestIds = None,
    keepalive: o.KeepAlive = True,
    proxy: o.Proxy = None,
    proxy_basic: o.ProxyAuth = None,
    connect_to: o.ConnectTo = None,
    bind: o.Bind = None,
    buffer_bytes: o.BufferSize = None,
    engine: o.EngineName = None,
    http2: o.Http2 = False,
    cacert: o.CaCert = None,
    insecure: o.Insecure = False,
    client_cert: o.ClientCert = None,
    no_sni: o.NoSni = False,
    tls_version: o.TlsVersion = None,
    ciphers: o.Ciphers = None,
    slos: o.Slos = None,
    abort_on_slo: o.AbortOnSlo = False,
    failures_as_infinite: o.FailuresAsInfinite = False,
    save: o.Save = None,
    html: o.Html = None,
    junit: o.Junit = None,
    summary: o.Summary = False,
    samples: o.Samples = None,
    format_: o.Format = "text",
    no_percentiles: o.NoPercentiles = False,
    no_deviations: o.NoDeviations = False,
    variable_length: o.VariableLength = False,
    percentiles_csv: o.CsvFile = None,
    gnuplot: o.GnuplotFile = None,
    keep_failures: o.KeepFailures = None,
    verbosity: o.Verbosity = 0,
    quiet: o.Quiet = False,
    dry_run: o.DryRun = False,
    otlp: o.Otlp = None,
    seed: o.Seed = 0,
    go_on: o.GoOn = True,  # noqa: ARG001 - as ab has it: a run always goes on
    version: o.Version = False,  # noqa: ARG001 - its callback has ended the command
) -> int:
    """Load an endpoint, measure it, and give a verdict.

    TARGET is a URL, or the name of an endpoint in epkit.toml. Without it: EPKIT_TARGET, the default in epkit.toml, or
    the embedded endpoint. ab's flags mean what they mean in ab.
    """
    from epkit.cli.output.bench import OutputOptions
    from epkit.core.http.destination import Tls
    from epkit.core.http.request_ids import REQUEST_ID
    from epkit.core.load.cluster import ClusterAddress
    from epkit.endpoint.headers import parse_header
    from epkit.flows.bench.options import BenchOptions, depth_of
    from epkit.flows.target.request_options import RequestOptions

    if target is not None and target_flag is not None:
        raise UsageError("the target is given twice: as an argument and with --target")
    output = OutputOptions(
        format=format_, percentiles=not no_percentiles, deviations=not no_deviations, variable_length=variable_length,
        quiet=quiet, percentiles_csv=percentiles_csv, gnuplot=gnuplot, html=html, junit=junit,
        summary=summary,
    )  # fmt: skip
    request = RequestOptions(
        payloads=tuple(payloads or ()), put=put, head=head, method=method, content_type=content_type,
        headers=tuple(parse_header(text) for text in header or ()), cookies=tuple(cookies or ()), basic=basic,
        proxy=proxy, proxy_basic=proxy_basic, deployment=deployment, schema=schema, operation=path,
        validate=not no_validate, keepalive=keepalive, shuffle=shuffle, batch_rows=batch_rows, wrap=wrap,
        predictions_at=predictions_at, table=t.table_options(carry, drop, encoding, decimal, no_header),
    )  # fmt: skip
    tls = Tls(verify=not insecure, cacert=cacert, client_cert=client_cert, ciphers=ciphers, version=tls_version)
    scheduler = ClusterAddress.given(
        cluster, ca=cluster_ca, cert=cluster_cert, key=cluster_key, insecure=insecure_cluster
    )
    options = BenchOptions(
        target=target_flag if target is None else target, key_file=key_file, requests=requests,
        concurrency=concurrency, time_limit_s=time_limit_s, timeout_s=timeout_s, rate=rate, arrivals=arrivals,
        stages=stages, sweep=sweep, find_max=find_max, warmup=warmup, until=until, repeat=repeat, against=against,
        strict=strict, request=request, workers=workers, cluster=scheduler, engine=engine, http2=http2,
        depth=depth_of("--check", check, expect), expect=expect, connect_to=connect_to, bind=bind,
        buffer_bytes=buffer_bytes, tls=tls, sni=not no_sni, verbosity=verbosity, keep_failures=keep_failures,
        rows_wanted=output.rows_wanted, slos=tuple(slos or ()), abort_on_slo=abort_on_slo,
        failures_as_infinite=failures_as_infinite, save=save, samples=samples, histograms_wanted=html is not None,
        seed=seed, otlp=otlp, request_ids=REQUEST_ID if request_ids == "" else request_ids,
    )  # fmt: skip
    _refuse(options, output)
    return _run(options, output, dry=dry_run)


def _run(options: "BenchOptions", output: "OutputOptions", *, dry: bool) -> int:
    from epkit.cli import panel
    from epkit.cli.output import bench as shown
    from epkit.flows.bench import bench as flow

    context, stdin = terminal.context(), terminal.stdin()
    if dry:
        return shown.show_plan(flow.dry_run(options, context, stdin))
    with panel.display(*options.known_end, quiet=output.quiet or options.verbosity > 0) as display:
        result = flow.bench(options, context, stdin, progress=display.show, live=display.live, say=terminal.say)
    return shown.finish(result, options, output)


def _refuse(options: "BenchOptions", output: "OutputOptions") -> None:
    """Refuse contradictions, and files that could not be written after the run."""
    from epkit.files.outputs import check_directory, check_table, check_writable

    request = options.request
    if sum(map(bool, (request.payloads, request.put, request.head))) > 1:
        raise UsageError("-p, -u and -i choose POST, PUT and HEAD: give only one of them")
    output.check()
    if options.repeat is not None:
        if output.format == "ab":
            raise UsageError("--format ab contradicts --repeat: ab's layout shows one run")
        wanted = [flag for flag, _ in output.files] + ["--samples"] * (options.samples is not None)
        for flag in wanted:
            if flag in ("-e", "-g"):
                raise UsageError(f"{flag} contradicts --repeat: ab's layout shows one run")
            raise UsageError(f"{flag} contradicts --repeat: --save keeps every run for epkit report and compare")
    for flag, path in (*output.files, ("--save", options.save), ("--samples", options.samples)):
        check_writable(path, flag)
    if options.samples is not None:
        check_table(options.samples)
    if options.keep_failures is not None:
        check_directory(options.keep_failures, "--keep-failures")
