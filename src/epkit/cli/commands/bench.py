"""`epkit bench`: options in, a report out."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options import load as load
from epkit.errors import UsageError

if TYPE_CHECKING:
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
  epkit bench -t 30 -c 256 --workers 4 prod      from four processes
\b
Other than ab: connections are kept, HTTP/1.1 is spoken, certificates are
checked, redirects are not followed (3xx is a failure), failures count as
failures, and -v never shows a credential.
\b
Exit codes: 0 all went well, 2 usage, 4 none succeeded, 5 some failed or
an objective was missed (or --find-max found no rate, or --strict and the
run is not valid),
130 interrupted (143 by SIGTERM), with a report of what there was."""

FILES = (
    ("-e", "percentiles_csv"),
    ("-g", "gnuplot"),
    ("--save", "save"),
    ("--html", "html"),
    ("--junit", "junit"),
    ("--samples", "samples"),
)
FORMATS = ("text", "ab", "json", "markdown")
CHECKS = ("status", "reply", "contract", "expect")


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
    payloads: o.Payloads = None,
    shuffle: o.Shuffle = False,
    batch_rows: o.BatchRows = 100,
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
    no_validate: o.NoValidate = False,
    check: o.Check = "reply",
    expect: o.Expect = None,
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
    seed: o.Seed = 0,
    go_on: o.GoOn = True,
    version: o.Version = False,
) -> int:
    """Load an endpoint, measure it, and give a verdict.

    TARGET is a URL, or the name of an endpoint in epkit.toml. Without it: EPKIT_TARGET, the default in epkit.toml, or
    the embedded endpoint. ab's flags mean what they mean in ab.
    """
    given = dict(locals())
    _refuse(given)
    options = _options(given)
    from epkit.cli import panel
    from epkit.cli.output import bench as output
    from epkit.flows.bench import bench as flow

    context, stdin = terminal.context(), terminal.stdin()
    if dry_run:
        return output.show_plan(flow.dry_run(options, context, stdin))
    # Of a run of several parts neither is how far the whole is.
    single = not (warmup or sweep or repeat or stages or find_max)
    total, limit_s = (requests, time_limit_s) if single else (None, None)
    with panel.display(total, limit_s, quiet=quiet or verbosity > 0) as shown:
        result = flow.bench(options, context, stdin, progress=shown.show, live=shown.live, say=terminal.say)
    return output.finish(result, given)


def _refuse(given: Mapping[str, Any]) -> None:
    """Refuse what contradicts itself, and files that could not be written when the run is over."""
    from epkit.files.outputs import check_directory, check_table, check_writable

    if given["target"] is not None and given["target_flag"] is not None:
        raise UsageError("the target is given twice: as an argument and with --target")
    if sum(map(bool, (given["payloads"], given["put"], given["head"]))) > 1:
        raise UsageError("-p, -u and -i are a POST, a PUT and a HEAD: give one of them")
    for flag, value, known in (("--format", given["format_"], FORMATS), ("--check", given["check"], CHECKS)):
        if value not in known:
            raise UsageError(f"{flag} {value}: not one of {', '.join(known)}")
    if given["repeat"] is not None:
        for flag, asked in (
            ("--format ab", given["format_"] == "ab"),
            ("-e", given["percentiles_csv"]),
            ("-g", given["gnuplot"]),
        ):
            if asked:
                raise UsageError(f"{flag} contradicts --repeat: ab's layout is of one run")
        for flag, name in (("--html", "html"), ("--samples", "samples"), ("--junit", "junit")):
            if given[name] is not None:
                raise UsageError(f"{flag} contradicts --repeat: --save keeps every run for epkit report and compare")
    for flag, name in FILES:
        if given[name] is not None:
            check_writable(given[name], flag)
    if given["samples"] is not None:
        check_table(given["samples"])
    if given["keep_failures"] is not None:
        check_directory(given["keep_failures"], "--keep-failures")


def _options(given: dict[str, Any]) -> "BenchOptions":
    """Turn what was typed into options; those of the same name are handed on as they are."""
    from epkit.core.http.destination import Tls
    from epkit.core.replies.judging import Depth
    from epkit.endpoint.headers import parse_header
    from epkit.flows.bench.options import BenchOptions
    from epkit.flows.target.request_options import RequestOptions

    given |= {name: tuple(given[name] or ()) for name in ("payloads", "cookies", "slos")}
    given["target"] = given["target_flag"] if given["target"] is None else given["target"]
    given["headers"] = tuple(parse_header(text) for text in given["header"] or ())
    given |= {"validate": not given["no_validate"], "verify": not given["insecure"], "sni": not given["no_sni"]}
    given["depth"] = Depth["EXPECT" if given["expect"] is not None else given["check"].upper()]
    given["histograms_wanted"] = given["html"] is not None
    given["rows_wanted"] = bool(given["percentiles_csv"] or given["gnuplot"] or given["format_"] == "ab")
    tls = Tls(version=given["tls_version"], **_named(Tls, given, but="version"))
    request = RequestOptions(**_named(RequestOptions, given))
    return BenchOptions(tls=tls, request=request, **_named(BenchOptions, given))


def _named(options: type, given: Mapping[str, Any], but: str = "") -> dict[str, Any]:
    """Pick the values that a dataclass has fields for."""
    names = {field.name for field in fields(options)} - {but}
    return {name: value for name, value in given.items() if name in names}
