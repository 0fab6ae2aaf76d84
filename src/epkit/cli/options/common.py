"""Option types that several commands use, and those of `bench`, where ab's letters also have long names."""

from collections.abc import Callable, Sequence
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
"""The option that can be given without a value."""


class _Conversion:
    """Converts the value of a parameter; texts, flags, defaults and `number`s without typer.

    Since 0.29, typer converts with pydantic, whose import takes a fifth of the CPU of a short load.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Convert a value; the parameter names are typer's."""
        described = param.type_descriptor
        parse = described.parameter_info.parser
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if parse is not None and isinstance(value, str):
            return parse(value)
        if described.annotation in (str, list[str]) or not isinstance(value, Sequence):
            return value
        return type(param).get_runtime_param(param).coerce(value, param=param, ctx=ctx)


def _light(params: Sequence[Any]) -> list[Any]:
    """Make `_Conversion` convert the values of parameters."""
    for param in params:
        param.get_runtime_param = _Conversion
    return list(params)


class Group(TyperGroup):
    """Commands under one name. For an unknown command it suggests the nearest one."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters."""
        return _light(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first word names.

        Raises:
            UsageError: there is no such command.
        """
        name = args[0]
        if name[:1] != "-" and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            raise self.unknown(ctx, name)
        return super().resolve_command(ctx, args)

    def unknown(self, ctx: Any, name: str) -> UsageError:
        """Make the error for an unknown command."""
        from epkit.core.near import suggestion

        near = suggestion(name, self.list_commands(ctx))
        return UsageError(f"no such command: {name}{near} (see {ctx.command_path} --help)")


class Sections(TyperCommand):
    """A command whose help groups its options. The groups are in the order in which they are first used."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters."""
        return _light(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, one section for each group."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "rich_help_panel", None) or MORE, []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. An option with an optional value gets an empty one, and never the next argument."""
        end = args.index("--") if "--" in args else len(args)
        given = [f"{arg}=" if arg == REQUEST_IDS else arg for arg in args[:end]]
        return list(super().parse_args(ctx, given + args[end:]))


def option(panel: str, *names: str, help: str, metavar: str | None = None, **more: Any) -> Any:  # noqa: A002
    """Make an option in a section of the help."""
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, **more)


def number(
    panel: str,
    letter: str,
    *names: str,
    kind: Callable[[str], Number],
    metavar: str,
    help: str,  # noqa: A002
    least: int | None = None,
    most: int | None = None,
    **more: Any,
) -> Any:
    """Make an option that takes a number or a quantity, with epkit's own message for a wrong value.

    Args:
        kind: parses the value: `int`, `float`, or a reader of `epkit.core.quantities`, whose error has an example.
        least: smallest value; None if the command checks the value itself.
        most: greatest value; needs *least*.
    """
    parser = _parser(letter, kind, least, most)
    return option(panel, letter, *names, help=help, metavar=metavar, parser=parser, **more)


def whole_number(metavar: str, help: str) -> Any:  # noqa: A002
    """Make an argument that takes a whole number, with the same messages as the options."""
    return typer.Argument(metavar=metavar, help=help, parser=_parser(metavar, int, None, None))


def _parser(name: str, kind: Callable[[str], Number], least: int | None, most: int | None) -> Callable[[str], Number]:
    forms: dict[object, str] = {int: "not a whole number", float: "not a number"}

    def parse(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError as error:
            raise UsageError(f"{name} {_shown(text)}: {forms.get(kind, str(error))}") from None
        if least is not None and (value < least or (most is not None and value > most)):
            limits = f"must be {least} or more" if most is None else f"must be from {least} to {most:,}"
            raise UsageError(f"{name} {_shown(text)}: {limits}")
        return value

    return parse


def _shown(text: str) -> str:
    from epkit.core.shortening import cut

    return cut(text, 40) or '""'


# Hidden, because the command's own text explains the argument.
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
        help="Send for this time (30s, 1m30s), then wait for the requests in flight. With -n, the run ends at "
        "whichever comes first; their order does not matter (ab: -t means -n 50000).",
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
        help="Time limit of one request. A request that exceeds it fails, and the run goes on (ab: the run ends). "
        "[default: 60]",
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
        help="Time limit of one request. [default: 60; for a contract 10]",
    ),
]

Payloads = Annotated[
    list[str] | None,
    option(
        SENT,
        "-p",
        "--payload",
        metavar="FILE",
        help="Body to POST, checked against the contract first. - is stdin; .jsonl has one body a line; .csv, .tsv "
        "and .parquet have rows to wrap; gen:rows=K makes rows from the contract. Repeatable: bodies are sent in "
        "turn. Default: the "
        "contract's example; without one, GET.",
    ),
]
Shuffle = Annotated[bool, option(SENT, "--shuffle", help="Send payloads in a random order, set by --seed.")]
BatchRows = Annotated[
    int, number(SENT, "--batch-rows", kind=read_count, metavar="K", help="Rows in each body made from a table.")
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
Method = Annotated[str | None, option(SENT, "-m", "--method", metavar="METHOD", help="HTTP method to use.")]
Head = Annotated[bool, option(SENT, "-i", "--head", help="Send HEAD.")]
Deployment = Annotated[
    str | None,
    option(SENT, "--deployment", metavar="NAME", help="Pin a deployment (header azureml-model-deployment)."),
]

TargetFlag = Annotated[str | None, option(ENDPOINT, "--target", metavar="TARGET", help="Same as the argument TARGET.")]
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
    str | None,
    option(ENDPOINT, "--key-file", metavar="FILE", help="File that holds the key. Default: EPKIT_KEY, or epkit.toml."),
]
Schema = Annotated[
    str | None, option(ENDPOINT, "--schema", metavar="FILE|URL", help="Contract to use in place of the target's own.")
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
        ENDPOINT,
        "--path",
        metavar="PATH",
        help="Scoring path in the contract. Default: the target's, or the only POST.",
    ),
]
NoValidate = Annotated[
    bool,
    option(
        ENDPOINT,
        "--no-validate",
        help="Do not check payloads. For a table, the contract still says how rows are written.",
    ),
]
Check = Annotated[
    str,
    option(
        ENDPOINT,
        "--check",
        metavar="status|reply|contract|expect",
        help="How thoroughly each reply is checked. reply: 2xx, not empty, no error under status 200, one prediction "
        "a row; contract: of the declared type too; expect: with the predictions of --expect. The last two run in "
        "the background; replies that they had no time to check are counted.",
    ),
]
Expect = Annotated[
    str | None,
    option(
        ENDPOINT,
        "--expect",
        metavar="FILE",
        help="File with the expected predictions: one reply, or .jsonl with one reply a payload or one row a line "
        "(as epkit score writes). Implies --check expect.",
    ),
]

RequestIds = Annotated[
    str | None,
    option(
        SENT,
        REQUEST_IDS,
        metavar="[=HEADER]",
        help="Send an id with each request (run and number), to find the request in the server's records. HEADER may "
        "be "
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
        help="Connect to this address; the request still names the target.",
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
    str | None,
    option(
        WAY,
        "--engine",
        metavar="wire|httpx",
        help="Engine that sends the requests. EPKIT_ENGINE=python runs wire without its compiled module. "
        "[default: wire, the fast one]",
    ),
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
        help="An objective: 'p99<250ms', 'failed<0.1%', 'ok_per_s>50'. A missed one gives exit code 5. Repeatable. "
        "failed==0 applies unless one names failed.",
    ),
]

AbortOnSlo = Annotated[
    bool, option(VERDICT, "--abort-on-slo", help="End the run when it can no longer meet an objective.")
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
    option(OUT, "--save", metavar="FILE.epkit", help="Save the whole run, for epkit report and epkit compare."),
]
Html = Annotated[
    str | None,
    option(OUT, "--html", metavar="FILE", help="Write an HTML report: one file, no network, dark and light."),
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
        help="Send the panel's figures to this OpenTelemetry collector each second (OTLP over HTTP). Its credentials "
        "come from OTEL_EXPORTER_OTLP_HEADERS.",
    ),
]
RunNumber = Annotated[
    int | None,
    number(MORE, "--run", kind=int, metavar="N", help="Take the Nth run of a file that holds several; 1 is the first."),
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
    number(VERDICT, "--threshold", kind=float, metavar="PERCENT", help="A smaller change counts as no change."),
]
Force = Annotated[
    bool, option(VERDICT, "--force", help="Also compare runs that were cut off, or differ in more than the target.")
]
Summary = Annotated[
    bool,
    option(
        OUT,
        "--summary",
        help="Add the report as Markdown to the summary of the job (GitHub Actions, Azure DevOps).",
    ),
]
CompareFormat = Annotated[str, option(OUT, "--format", metavar="text|json|markdown", help="Format of the report.")]
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
NoDeviations = Annotated[bool, option(OUT, "-S", "--no-deviations", help="Print no median and no deviation.")]
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
        help="Write the first reply of each kind of failure to this directory, with credentials masked.",
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
        help="Show traffic on stderr, with credentials masked. 1: failures; 2: headers and replies too; 3 or more: "
        "every status.",
    ),
]
Quiet = Annotated[bool, option(OUT, "-q", "--quiet", help="No progress.")]
DryRun = Annotated[bool, option(OUT, "--dry-run", help="Show the first request and the plan; send no load.")]

Seed = Annotated[int, number(MORE, "--seed", kind=int, metavar="N", help="Seed of all random choices.")]
GoOn = Annotated[
    bool,
    option(MORE, "-r", "--go-on", show_default=False, help="Accepted for compatibility with ab: a run always goes on."),
]
Version = Annotated[
    bool, option(MORE, "-V", "--version", is_eager=True, callback=show_version, help="Show the version and exit.")
]
