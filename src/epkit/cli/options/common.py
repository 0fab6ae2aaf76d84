"""Option types that more than one command uses, and those of `bench`: ab's letters with a long name each."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from epkit.cli.terminal import show_version
from epkit.core.quantities import read_count, read_seconds
from epkit.errors import UsageError

Number = TypeVar("Number", int, float)

LOAD = "How much"
SENT = "What is sent"
ENDPOINT = "Target, key and contract"
WAY = "Connection"
TLS = "TLS"
CLUSTER = "Workers of a Dask cluster"
VERDICT = "Verdict"
OUT = "Output"
MORE = "More"


REQUEST_IDS: Final = "--request-ids"
"""The option whose value may be left out."""


class Group(TyperGroup):
    """Commands under one name, which says of a command that is none of them which was probably meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first word names.

        Raises:
            UsageError: there is none.
        """
        name = args[0]
        if name[:1] != "-" and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            raise self.unknown(ctx, name)
        return super().resolve_command(ctx, args)

    def unknown(self, ctx: Any, name: str) -> UsageError:
        """Make the error for a command that there is none of."""
        from epkit.core.near import suggestion

        near = suggestion(name, self.list_commands(ctx))
        return UsageError(f"no such command: {name}{near} (see {ctx.command_path} --help)")


class Sections(TyperCommand):
    """A command whose help groups its options, in the order in which the groups first come up.

    Its options are texts, lists of texts, flags, or made by `number`.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, a section a group."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "rich_help_panel", None) or MORE, []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an option whose value may be left out gets an empty one, and never the next argument."""
        end = args.index("--") if "--" in args else len(args)
        given = [f"{arg}=" if arg == REQUEST_IDS else arg for arg in args[:end]]
        convert_nothing(self, ctx)
        return list(super().parse_args(ctx, given + args[end:]))


def convert_nothing(command: Any, ctx: Any) -> None:
    """Have a command take its parameters as the command line has them: all are texts, lists of texts, or flags.

    Typer converts by pydantic, which takes a fifth of the CPU of a short load; numbers are read by `number`.
    """
    for param in command.get_params(ctx):
        param.process_value = partial(_unconverted, param)


def _unconverted(param: Any, ctx: Any, value: Any) -> Any:
    """Take the value of a parameter as it is."""
    if value is None and (param.multiple or param.nargs == -1):
        value = ()
    if param.required and value in (None, ()):
        return type(param).process_value(param, ctx, value)  # Typer refuses it in its words
    return value if param.callback is None else param.callback(ctx, param, value)


def option(panel: str, *names: str, help: str, metavar: str | None = None, **more: Any) -> Any:  # noqa: A002
    """Make an option that stands in a section of the help."""
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, **more)


def number(
    panel: str, letter: str, *names: str, kind: Callable[[str], Number], metavar: str, help: str,  # noqa: A002
    least: int | None = None, **more: Any,
) -> Any:  # fmt: skip
    """Make an option that is a number or a quantity, with a message of its own for what is none.

    Args:
        kind: reads it: `int`, `float`, or a reader of `epkit.core.quantities`, whose error says how one is written.
        least: what is below is refused.
    """
    forms: dict[object, str] = {int: "not a whole number", float: "not a number"}

    def parse(value: Any) -> Any:
        if not isinstance(value, str):  # the default
            return value
        try:
            number = kind(value)
        except ValueError as error:
            raise UsageError(f"{letter} {value}: {forms.get(kind, str(error))}") from None
        if least is not None and number < least:
            raise UsageError(f"{letter} {value}: less than {least}")
        return number

    return option(panel, letter, *names, help=help, metavar=metavar, callback=parse, **more)


# Hidden, as the command's own text speaks of it.
Target = Annotated[str | None, typer.Argument(metavar="TARGET", hidden=True)]

Requests = Annotated[
    int | None, number(LOAD, "-n", "--requests", kind=read_count, metavar="N", help="Number of requests. [default: 1]")
]
Concurrency = Annotated[
    int | None,
    number(
        LOAD,
        "-c",
        "--concurrency",
        kind=read_count,
        metavar="C",
        help="Requests in flight; with a rate, the most of them. [default: 1; with a rate 1000, with httpx 100]",
    ),
]
TimeLimit = Annotated[
    float | None,
    number(
        LOAD,
        "-t",
        "--time-limit",
        kind=read_seconds,
        metavar="TIME",
        help="Send for a time (30s, 1m30s), then wait for what is in flight; with -n, whichever comes first, in any "
        "order (ab: -t means -n 50000).",
    ),
]
Timeout = Annotated[
    float | None,
    number(
        LOAD,
        "-s",
        "--timeout",
        kind=read_seconds,
        metavar="TIME",
        help="Time for one request, after which it has failed and the run goes on (ab: the run ends). [default: 60]",
    ),
]

Patience = Annotated[
    float | None,
    number(
        WAY,
        "-s",
        "--timeout",
        kind=read_seconds,
        metavar="TIME",
        help="Time for one request. [default: 60; for a contract 10]",
    ),
]

Payloads = Annotated[
    list[str] | None,
    option(
        SENT,
        "-p",
        "--payload",
        metavar="FILE",
        help="Body to POST, checked against the contract first; - is stdin, .jsonl a body a line, .csv, .tsv "
        "and .parquet rows to wrap, gen:rows=K is made from the contract; repeatable, sent in turn. Default: the "
        "contract's example; without one, GET.",
    ),
]
Shuffle = Annotated[bool, option(SENT, "--shuffle", help="Send payloads in an order of --seed's.")]
BatchRows = Annotated[
    int, number(SENT, "--batch-rows", kind=read_count, metavar="K", help="Rows of a body made of a .csv or .parquet.")
]
Wrap = Annotated[
    str | None,
    option(
        SENT,
        "--wrap",
        metavar="KEYS[:SHAPE]|@NAME",
        help="Where the rows go in the body, such as Inputs.data or inputs:columns; or a shape by its name, such as "
        "@oip or @mlflow-split. docs/score.md lists both. Default: as the contract says.",
    ),
]
Put = Annotated[str | None, option(SENT, "-u", "--put", metavar="FILE", help="Body to PUT.")]
ContentType = Annotated[
    str | None,
    option(
        SENT,
        "-T",
        "--content-type",
        metavar="TYPE",
        help="Content-Type of the body. [default: application/json (ab: text/plain)]",
    ),
]
Header = Annotated[
    list[str] | None, option(SENT, "-H", "--header", metavar="'NAME: VALUE'", help="Send a header; repeatable.")
]
Cookies = Annotated[
    list[str] | None,
    option(SENT, "-C", "--cookie", metavar="NAME=VALUE", help="Send a cookie; repeatable (ab: the last)."),
]
BasicAuth = Annotated[
    str | None, option(SENT, "-A", "--basic-auth", metavar="USER:PASSWORD", help="Basic authorization.")
]
Method = Annotated[str | None, option(SENT, "-m", "--method", metavar="METHOD", help="Send this method.")]
Head = Annotated[bool, option(SENT, "-i", "--head", help="Send HEAD.")]
Deployment = Annotated[
    str | None,
    option(SENT, "--deployment", metavar="NAME", help="Pin a deployment (header azureml-model-deployment)."),
]

TargetFlag = Annotated[str | None, option(ENDPOINT, "--target", metavar="TARGET", help="The same as the argument.")]
TargetName = Annotated[
    str | None,
    option(
        ENDPOINT,
        "--target",
        metavar="TARGET",
        help="A URL, or a name in epkit.toml. Default: EPKIT_TARGET, the default in epkit.toml, the embedded endpoint.",
    ),
]
KeyFile = Annotated[
    str | None, option(ENDPOINT, "--key-file", metavar="FILE", help="Holds the key; else EPKIT_KEY or epkit.toml.")
]
Schema = Annotated[
    str | None, option(ENDPOINT, "--schema", metavar="FILE|URL", help="Contract to use, not the target's own.")
]
PredictionsAt = Annotated[
    str | None,
    option(
        ENDPOINT,
        "--predictions-at",
        metavar="POINTER",
        help="Where a reply has its predictions, a JSON pointer such as /answer/values. Default: where the contract "
        "has them, or under the usual keys.",
    ),
]
Operation = Annotated[
    str | None,
    option(
        ENDPOINT, "--path", metavar="PATH", help="The contract's scoring path; default: the target's, or the only POST."
    ),
]
NoValidate = Annotated[
    bool,
    option(
        ENDPOINT, "--no-validate", help="Check no payload; of a table, the contract still says how rows are written."
    ),
]
Check = Annotated[
    str,
    option(
        ENDPOINT,
        "--check",
        metavar="status|reply|contract|expect",
        help="How deep a reply is looked at. reply: 2xx, not empty, no error under status 200, a prediction a row; "
        "contract: of the declared type too; expect: with the predictions of --expect. The last two are made beside "
        "the run; replies that they had no time for are counted.",
    ),
]
Expect = Annotated[
    str | None,
    option(
        ENDPOINT,
        "--expect",
        metavar="FILE",
        help="Golden predictions: a reply, or .jsonl with a reply a payload or a row a line (epkit score's); implies "
        "--check expect.",
    ),
]

RequestIds = Annotated[
    str | None,
    option(
        SENT,
        REQUEST_IDS,
        metavar="[=HEADER]",
        help="Send an id with each request, run and number, to find it in the server's records by. HEADER may be "
        "traceparent. [default: x-ms-client-request-id]",
    ),
]

KeepAlive = Annotated[
    bool,
    option(
        WAY,
        "-k",
        "--keepalive/--no-keepalive",
        show_default=False,
        help="Reuse connections, which is the default (ab: only with -k).",
    ),
]
Proxy = Annotated[str | None, option(WAY, "-X", "--proxy", metavar="HOST:PORT", help="Go through a proxy.")]
ProxyAuth = Annotated[
    str | None, option(WAY, "-P", "--proxy-auth", metavar="USER:PASSWORD", help="Basic authorization for the proxy.")
]
ConnectTo = Annotated[
    str | None,
    option(
        WAY,
        "--connect-to",
        metavar="HOST:PORT|unix:PATH",
        help="Connect there; the request still names the target.",
    ),
]
Bind = Annotated[str | None, option(WAY, "-B", "--bind", metavar="ADDRESS", help="Local address to connect from.")]
BufferSize = Annotated[
    int | None,
    number(
        WAY, "-b", "--buffer-size", kind=int, metavar="BYTES", help="Size of the socket's send and receive buffers."
    ),
]
EngineName = Annotated[
    str | None, option(WAY, "--engine", metavar="wire|httpx", help="What sends. [default: wire, the fast one]")
]
Http2 = Annotated[bool, option(WAY, "--http2", help="Offer HTTP/2; selects --engine httpx.")]

CaCert = Annotated[str | None, option(TLS, "--cacert", metavar="FILE", help="Trust these authorities (PEM).")]
Insecure = Annotated[bool, option(TLS, "--insecure", help="Do not check the server's certificate (ab never does).")]
ClientCert = Annotated[
    str | None, option(TLS, "-E", "--client-cert", metavar="FILE", help="The client's certificate and key (PEM).")
]
NoSni = Annotated[bool, option(TLS, "-I", "--no-sni", help="Send no server name in the handshake.")]
TlsVersion = Annotated[
    str | None, option(TLS, "-f", "--tls-version", metavar="VERSION", help="ALL, TLS1, TLS1.1, TLS1.2 or TLS1.3.")
]
Ciphers = Annotated[
    str | None, option(TLS, "-Z", "--ciphers", metavar="LIST", help="OpenSSL cipher list (to TLS 1.2).")
]

Slos = Annotated[
    list[str] | None,
    option(
        VERDICT,
        "--slo",
        metavar="EXPR",
        help="An objective: 'p99<250ms', 'failed<0.1%', 'ok_per_s>50'; missed, exit 5. Repeatable. failed==0 applies "
        "unless one names failed.",
    ),
]

AbortOnSlo = Annotated[
    bool, option(VERDICT, "--abort-on-slo", help="End the run when an objective can no longer be met.")
]
FailuresAsInfinite = Annotated[
    bool,
    option(
        VERDICT,
        "--failures-as-infinite",
        help="Count a failure as an infinite response time: with 2% failures p99 is infinite.",
    ),
]

Save = Annotated[
    str | None,
    option(OUT, "--save", metavar="FILE.epkit", help="Save the run whole, for epkit report and epkit compare."),
]
Html = Annotated[
    str | None,
    option(OUT, "--html", metavar="FILE", help="Write a report to look at: one file, no network, dark and light."),
]
Samples = Annotated[
    str | None,
    option(
        OUT,
        "--samples",
        metavar="FILE.csv|.parquet",
        help="Write every request as a row: its times, its outcome, the payload it sent.",
    ),
]
Otlp = Annotated[
    str | None,
    option(
        OUT,
        "--otlp",
        metavar="URL",
        help="Send what the panel shows to this OpenTelemetry collector each second (OTLP over HTTP); its credentials "
        "are in OTEL_EXPORTER_OTLP_HEADERS.",
    ),
]
RunNumber = Annotated[
    int | None, number(MORE, "--run", kind=int, metavar="N", help="Of a file with several runs, the Nth, from 1.")
]
JsonSchema = Annotated[bool, option(MORE, "--json-schema", help="Print the schema of --format json.")]
FailIf = Annotated[
    list[str] | None,
    option(
        VERDICT,
        "--fail-if",
        metavar="GATE",
        help="Exit 5 when a metric changed past a limit and by more than noise: 'p99>+5%', 'throughput<-3%'. "
        "Repeatable.",
    ),
]
ThresholdPercent = Annotated[
    float,
    number(VERDICT, "--threshold", kind=float, metavar="PERCENT", help="A change of less is called none."),
]
Force = Annotated[
    bool, option(VERDICT, "--force", help="Compare runs that differ in more than the target, or were cut off.")
]
Summary = Annotated[
    bool,
    option(
        OUT,
        "--summary",
        help="Add the report as Markdown to the job's summary: GitHub Actions, Azure DevOps.",
    ),
]
CompareFormat = Annotated[str, option(OUT, "--format", metavar="text|json|markdown", help="What is printed.")]
Junit = Annotated[
    str | None, option(OUT, "--junit", metavar="FILE", help="Write the objectives as JUnit XML, a test case each.")
]
Format = Annotated[
    str,
    option(
        OUT,
        "--format",
        metavar="text|ab|json|markdown",
        help="text: ab's layout with true statistics, and more; ab: ab's arithmetic too.",
    ),
]
NoPercentiles = Annotated[bool, option(OUT, "-d", "--no-percentiles", help="No percentiles.")]
NoDeviations = Annotated[bool, option(OUT, "-S", "--no-deviations", help="No median and deviation.")]
VariableLength = Annotated[
    bool,
    option(OUT, "-l", "--variable-length", help="In --format ab, replies of another length do not count as failed."),
]
CsvFile = Annotated[
    str | None, option(OUT, "-e", "--percentiles-csv", metavar="FILE", help="Write ab's CSV of percentiles.")
]
GnuplotFile = Annotated[
    str | None, option(OUT, "-g", "--gnuplot", metavar="FILE", help="Write ab's TSV of all requests.")
]
KeepFailures = Annotated[
    str | None,
    option(
        OUT,
        "--keep-failures",
        metavar="DIR",
        help="Write the first reply of each kind of failure there, credentials masked.",
    ),
]
Verbosity = Annotated[
    int,
    number(
        OUT,
        "-v",
        "--verbosity",
        kind=int,
        metavar="LEVEL",
        show_default=False,
        help="Show traffic on stderr, credentials masked. 1: what failed; 2: headers and replies too; "
        "3 and more: every status.",
    ),
]
Quiet = Annotated[bool, option(OUT, "-q", "--quiet", help="No progress.")]
DryRun = Annotated[bool, option(OUT, "--dry-run", help="Show the first request and the plan; send no load.")]

Seed = Annotated[int, number(MORE, "--seed", kind=int, metavar="N", help="Seed of everything random.")]
GoOn = Annotated[
    bool,
    option(MORE, "-r", "--go-on", show_default=False, help="Accepted for ab's sake: a run always goes on."),
]
Version = Annotated[
    bool, option(MORE, "-V", "--version", is_eager=True, callback=show_version, help="Show the version and exit.")
]
