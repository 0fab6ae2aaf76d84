"""`--otlp`: sends the panel's figures to an OpenTelemetry collector each second."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from epkit import __version__
from epkit.core.http import url as urls
from epkit.core.http.destination import Destination
from epkit.core.http.masking import KEY, is_distinct, is_sensitive, mask_text, mask_values
from epkit.core.http.secret import Secret
from epkit.core.report.outcomes import Outcomes, OutcomeSnapshot
from epkit.endpoint.headers import header_problem
from epkit.errors import UsageError
from epkit.flows.bench.driving import LoadGenerator, RunFacts
from epkit.flows.bench.measurement import Measurement
from epkit.flows.context import Context
from epkit.flows.target.target import Target

if TYPE_CHECKING:
    from epkit.exporters.otlp import OtlpExporter
    from epkit.exporters.points import ExportedRun, ExportFrame

EVERY_NS: Final = 1_000_000_000
FLUSH_S: Final = 2.0
"""How long the end of a run waits for the collector at most, in seconds."""

PATH: Final = "/v1/metrics"
HEADERS: Final = ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
"""Variables that hold a collector's headers; the first one that is set is used, as OpenTelemetry specifies."""


def check_otlp(text: str) -> None:
    """Refuse a collector that cannot receive anything, before anything is started.

    Raises:
        UsageError: the text is not a URL, the URL contains credentials, or the extra is not installed.
    """
    _endpoint(text)
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http") and find_spec("opentelemetry.sdk")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise UsageError("--otlp needs OpenTelemetry's SDK: pip install 'epkit[otlp]'")


@contextmanager
def exporting(text: str, context: Context) -> Iterator["Exporting"]:
    """Keep a collector open while the block lasts.

    Raises:
        UsageError: nothing can be sent to it.
    """
    endpoint, headers = _endpoint(text), _headers(context)
    from epkit.exporters.otlp import OtlpExporter  # the import takes 0.3 s: only with --otlp, here and below

    exporter = OtlpExporter(endpoint, headers, __version__)
    try:
        yield Exporting(exporter, endpoint.removesuffix(PATH), context)
    finally:
        exporter.close()


class Exporting:
    """A collector that gets the runs one after the other. It warns once about problems."""

    def __init__(self, exporter: "OtlpExporter", shown: str, context: Context) -> None:
        self.exporter = exporter
        self._shown, self._context = shown, context
        self._has_warned = False

    def run(self, target: Target, destination: Destination, method: str, measured: Measurement) -> "RunExport":
        """Add a counter of outcomes to the sinks of a run; call this before the load generator is made."""
        return RunExport(self, target, destination, method, measured)

    def look(self, otherwise: str) -> None:
        """Warn if the collector did not accept the last values, and there was no warning yet.

        Args:
            otherwise: the consequence, for the message.
        """
        problem = self.exporter.problem
        if problem is not None and not self._has_warned:
            self._has_warned = True
            warn = self._context.warn or self._context.note
            warn(mask_text(f"--otlp {self._shown}: {problem}; {otherwise}", self._context.secrets))


class RunExport:
    """Sends the figures of one run."""

    def __init__(
        self, to: Exporting, target: Target, destination: Destination, method: str, measured: Measurement
    ) -> None:
        self._to, self._target, self._destination, self._method = to, target, destination, method
        self._plan = measured.plan
        self._outcomes = Outcomes(measured.times)
        measured.sinks += (self._outcomes.add,)
        self._due = 0
        self._run: ExportedRun | None = None

    def watch(self, id_: str, generator: LoadGenerator) -> None:
        """Set the run's id and its load generator, before the run begins."""
        self._id, self._generator = id_, generator

    def tick(self) -> None:
        """Send if a second has passed; called several times a second."""
        self._to.look("the run goes on, and it is tried again")
        now = time.perf_counter_ns()
        if now < self._due:
            return
        facts = self._generator.facts()
        if not 0 < facts.began <= now:
            return
        self._due = max(self._due, now - EVERY_NS) + EVERY_NS
        self._generator.flush()
        self._to.exporter.offer(self._frame(facts, self._outcomes.snapshot(now - facts.began)))

    def finish(self, facts: RunFacts) -> None:
        """Send the last values after the run."""
        snapshot = self._outcomes.snapshot(time.perf_counter_ns() - facts.began)
        self._to.exporter.deliver(self._frame(facts, replace(snapshot, in_flight=0.0)), FLUSH_S)
        self._to.look("the last values of the run are missing there")

    def _frame(self, facts: RunFacts, snapshot: OutcomeSnapshot) -> "ExportFrame":
        from epkit.exporters.points import ExportFrame

        if self._run is None:
            self._run = self._named(int(facts.started_at.timestamp() * 1e9))
        return ExportFrame(run=self._run, snapshot=snapshot, now_ns=time.time_ns())

    def _named(self, started_ns: int) -> "ExportedRun":
        from epkit.exporters.points import ExportedRun

        target, destination = self._target, self._destination
        name = target.spec.name or target.uri.origin + target.uri.path
        address, port = destination.host, destination.port if destination.unix is None else None
        texts = (name, self._method, destination.unix or address)
        name, method, address = mask_values(texts, target.secrets)
        return ExportedRun(
            id=self._id,
            target=name,
            method=method,
            scheme=destination.scheme,
            address=address,
            port=port,
            phases=tuple(phase.name for phase in self._plan.phases),
            started_ns=started_ns,
        )


def _endpoint(text: str) -> str:
    """Return the URL for metrics, to which they are posted.

    Raises:
        UsageError: the text is not a URL, or the URL contains credentials.
    """
    try:
        url = urls.parse(text)
    except UsageError as error:
        raise UsageError(f"--otlp: {error}") from None
    if url.unix is not None:
        raise UsageError(f"--otlp {url.shown}: the URL of a collector must begin with http:// or https://")
    if url.userinfo is not None or url.query is not None:
        raise UsageError(
            f"--otlp {url.origin}{url.path}: the URL of a collector must not hold credentials or a query; they come "
            f"from "
            "OTEL_EXPORTER_OTLP_HEADERS"
        )
    path = url.path.rstrip("/")
    return url.origin + (path if path.endswith(PATH) else path + PATH)


def _headers(context: Context) -> Mapping[str, str]:
    """Return the headers for the collector. Values that may be credentials are masked from now on.

    Raises:
        UsageError: the headers cannot be read or sent; the message shows no value.

    Source: OpenTelemetry, Specifying headers via environment variables: `name=value` pairs between commas,
    percent-encoded. A value that contains a space is used unchanged, as in the SDK.
    """
    variable = next((name for name in HEADERS if context.environ.get(name)), HEADERS[-1])
    found = {}
    for pair in context.environ.get(variable, "").split(","):
        if not pair.strip():
            continue
        name, equals, raw = (part.strip() for part in pair.partition("="))
        value = raw if " " in raw else unquote(raw, errors="surrogateescape")
        if not equals:
            context.know([Secret(name)])
            raise UsageError(f"{variable}: headers are written NAME=VALUE,NAME=VALUE; one has no =")
        if is_sensitive(name) or is_distinct(value) or len(value) >= KEY:
            context.know([Secret(raw), Secret(value)])
        problem = header_problem(name, value)
        if problem is not None:
            raise UsageError(f"{variable}: {problem}")
        found[name] = value
    return found
