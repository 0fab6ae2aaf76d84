"""`epkit score`: rows in, predictions out."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options import load
from epkit.cli.options import table as t
from epkit.core.quantities import read_count, read_rate, read_seconds
from epkit.errors import UsageError

EPILOG = """\b
Examples:
  epkit score payload.json                       the embedded endpoint
  epkit score rows.csv --target bank -o predictions.csv
  epkit score rows.parquet --target bank -o out.parquet -c 32 --batch-rows 200
  cat rows.jsonl | epkit score - --target bank --method predict_proba
  epkit score customers.csv --carry id,Churn -o out.csv
\b
A job with -o keeps a journal next to OUT: after a crash, the same command
continues where it stopped. Failed rows go to OUT.failed.jsonl, with the reason.
\b
Exit codes: 0 every row has a prediction, 2 usage, 3 rows break the contract,
4 rows failed, or the endpoint ended the job, 130 interrupted (143 by SIGTERM)."""

ROWS = "Rows"
OUT = "Output"
PACE = "Pace"

File = Annotated[str | None, typer.Argument(metavar="FILE", hidden=True)]
Output = Annotated[
    str | None,
    o.option(
        OUT,
        "-o",
        "--output",
        metavar="OUT",
        help="Write the rows with their predictions there: .jsonl, .csv or .parquet. Default: JSON lines on stdout, "
        "a table for a few rows on a terminal.",
    ),
]
Overwrite = Annotated[bool, o.option(OUT, "--overwrite", help="Replace an OUT that has no journal.")]
Restart = Annotated[bool, o.option(OUT, "--restart", help="Start over and ignore the journal.")]
Predict = Annotated[
    str | None,
    o.option(ROWS, "--method", metavar="predict|predict_proba", help="Ask for predictions, or for probabilities."),
]
Parameter = Annotated[
    list[str] | None,
    o.option(ROWS, "--param", metavar="KEY=JSON", help="Send a parameter with the rows; repeatable."),
]
SkipInvalid = Annotated[
    bool, o.option(ROWS, "--skip-invalid", help="Send the rows that satisfy the contract; list the others as failed.")
]
NoValidate = Annotated[
    bool, o.option(ROWS, "--no-validate", help="Do not check rows; the contract still says how rows are written.")
]
BatchRows = Annotated[
    int, o.number(PACE, "--batch-rows", kind=read_count, metavar="N", help="Most rows in one request.")
]
BatchBytes = Annotated[
    int, o.number(PACE, "--batch-bytes", kind=read_count, metavar="N", help="Most bytes in a request's body.")
]
Rate = Annotated[
    float | None,
    o.number(PACE, "--rate", kind=read_rate, metavar="RATE", help="Most requests per second (100/m: per minute)."),
]
Retries = Annotated[
    int,
    o.number(
        PACE,
        "--retries",
        kind=int,
        metavar="N",
        help="How many times a request is retried after a broken connection, a timeout, 408, 429, 502, 503 or 504.",
    ),
]
Concurrency = Annotated[
    int,
    o.number(
        PACE,
        "-c",
        "--concurrency",
        kind=read_count,
        metavar="C",
        help="Most requests in flight; fewer if the endpoint refuses some.",
    ),
]
Timeout = Annotated[
    float | None,
    o.number(
        PACE, "-s", "--timeout", kind=read_seconds, metavar="TIME", help="Time limit of one request. [default: 60]"
    ),
]
Workers = Annotated[
    int | None,
    o.number(
        PACE,
        "--workers",
        kind=int,
        metavar="W",
        help="Number of processes that share the rows. -c and --rate apply to all together. The output is the same.",
    ),
]
DryRun = Annotated[bool, o.option(OUT, "--dry-run", help="Show the first request; send no row.")]
Quiet = Annotated[bool, o.option(OUT, "-q", "--quiet", help="Print no progress and no summary.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("score", epilog=EPILOG, cls=o.Sections)(score)


def score(
    file: File = None,
    wrap: o.Wrap = None,
    method: Predict = None,
    param: Parameter = None,
    skip_invalid: SkipInvalid = False,
    no_validate: NoValidate = False,
    carry: t.Carry = None,
    drop: t.Drop = None,
    encoding: t.Encoding = None,
    decimal: t.Decimal = None,
    no_header: t.NoHeader = False,
    out: Output = None,
    overwrite: Overwrite = False,
    restart: Restart = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    concurrency: Concurrency = 8,
    batch_rows: BatchRows = 100,
    batch_bytes: BatchBytes = 1_500_000,
    rate: Rate = None,
    retries: Retries = 5,
    timeout_s: Timeout = None,
    workers: Workers = None,
    cluster: load.Cluster = None,
    cluster_ca: load.ClusterCa = None,
    cluster_cert: load.ClusterCert = None,
    cluster_key: load.ClusterKey = None,
    insecure_cluster: load.InsecureCluster = False,
    target: o.TargetName = None,
    key_file: o.KeyFile = None,
    schema: o.Schema = None,
    predictions_at: o.PredictionsAt = None,
    path: o.Operation = None,
    header: o.Header = None,
    deployment: o.Deployment = None,
    proxy: o.Proxy = None,
    proxy_basic: o.ProxyAuth = None,
    cacert: o.CaCert = None,
    insecure: o.Insecure = False,
    client_cert: o.ClientCert = None,
    tls_version: o.TlsVersion = None,
    ciphers: o.Ciphers = None,
) -> int:
    """Send the rows of FILE to an endpoint, and give their predictions back.

    FILE is a request body or a list of rows (.json), a table (.csv, .tsv, .parquet, .jsonl, or .gz of one), or - for
    stdin. Without it the example in the contract is sent.
    """
    from epkit.cli.output import score as output
    from epkit.core.http.destination import Tls
    from epkit.core.load.cluster import ClusterAddress
    from epkit.endpoint.headers import parse_header
    from epkit.flows.score import score as flow
    from epkit.flows.score.options import ScoreOptions
    from epkit.flows.target.request_options import RequestOptions

    if method is not None:
        terminal.check_choice("--method", method, ("predict", "predict_proba"))
    options = ScoreOptions(
        file=file, target=target, key_file=key_file, out=out, wrap=wrap, concurrency=concurrency,
        batch_rows=batch_rows, batch_bytes=batch_bytes, rate=rate, retries=retries, timeout_s=timeout_s, method=method,
        params=_parameters(param or ()), skip_invalid=skip_invalid, restart=restart, overwrite=overwrite,
        workers=workers, table=t.table_options(carry, drop, encoding, decimal, no_header),
        cluster=ClusterAddress.given(
            cluster, ca=cluster_ca, cert=cluster_cert, key=cluster_key, insecure=insecure_cluster
        ),
        tls=Tls(
            verify=not insecure, cacert=cacert, client_cert=client_cert, version=tls_version, ciphers=ciphers,
        ),
        request=RequestOptions(
            headers=tuple(parse_header(text) for text in header or ()), deployment=deployment, schema=schema,
            operation=path, validate=not no_validate, proxy=proxy, proxy_basic=proxy_basic,
            predictions_at=predictions_at,
        ),
    )  # fmt: skip
    context, stdin = terminal.context(), terminal.stdin()
    if dry_run:
        return output.show_plan(*flow.dry_run(options, context, stdin))
    with output.Display(options, quiet=quiet) as display:
        try:
            result = flow.score(options, context, stdin, display.writer, progress=display.progress)
        except BrokenPipeError:
            return terminal.broken_pipe()
    return output.finish(result, display, options, quiet=quiet)


def _parameters(texts: Iterable[str]) -> Mapping[str, Any]:
    """Parse `KEY=JSON`; a value that is not JSON is refused."""
    from epkit.core.shortening import cut

    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--param {key}: must be KEY=JSON")
        try:
            found[key] = json.loads(value)
        except ValueError:
            raise UsageError(f"--param {key}: not JSON: {cut(value, 60)}; write a text as {key}='\"…\"'") from None
    return found
