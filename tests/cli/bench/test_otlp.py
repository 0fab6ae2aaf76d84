"""`bench --otlp`: the collector gets the report's numbers, and a failing collector does not affect the run."""

import math
import signal
import socket
import time
from collections import Counter
from fractions import Fraction
from urllib.parse import quote

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otlp")

from epkit.core.stats.percentiles import rank
from support import certificates
from support.canary import CANARY
from support.cli_harness import assert_no_canary, complaint
from support.otlp_collector import OtlpCollector, bounds
from support.predict_server import Answer, PredictServer, plain

DURATION = "http.client.request.duration"


@pytest.fixture
def collector():
    with OtlpCollector() as receiver:
        yield receiver


def bench(cli, rows, url, *flags, **more):
    return cli("bench", "-p", rows, "--no-validate", "--format", "json", *flags, url, **more)


def measured(points):
    return [point for point in points if point.attributes["epkit.phase"] != "warm-up"]


def mixed(server, rows, body):
    """Fail some of the requests: by status, by body, and without a reply."""
    match server.requests % 10:
        case 3 | 7:
            return Answer(status=503)
        case 5:
            return Answer(body=b'{"error": "no"}')
        case 9:
            return Answer(close=True)
    return plain(server, rows, body)


def test_counts_failures_and_percentiles_are_those_of_the_report(cli, rows, collector):
    with PredictServer(mixed) as server:
        ran = bench(cli, rows, server.url, "-n", 500, "-c", 4, "--warmup", 20, "--otlp", collector.url)
    report, last = ran.report, collector.last
    durations = measured(last.points(DURATION))
    ok = [point for point in durations if "error.type" not in point.attributes]
    failures = measured(last.points("epkit.request.failures"))

    assert not any("--otlp" in line for line in ran.lines)
    assert {"measure": 500, "warm-up": 20} == last.totals("epkit.request.count", "epkit.phase")
    assert report["counts"]["sent"] == sum(point.value.count for point in durations)
    assert {"503": 100, "application": 50, "transport": 50} == {
        point.attributes["error.type"]: point.value for point in failures
    }
    assert report["counts"]["failed"] == sum(point.value for point in failures)
    assert report["counts"]["statuses"] == by_status(durations)
    assert 1 == len(ok)
    assert report["counts"]["ok"] == ok[0].value.count
    service = report["latency_ms"]["service"]
    for name, ms in service["percentiles"].items():
        below, above = bounds(ok[0].value, rank(ok[0].value.count, Fraction(name)))
        assert below * 1000 < ms * (1 + 1e-9), name
        assert ms <= above * 1000 * (1 + 1e-9), name
    assert math.isclose(service["mean"] * service["count"], ok[0].value.sum * 1000, rel_tol=1e-9)
    assert service["max"] == pytest.approx(ok[0].value.max * 1000)


def by_status(durations) -> dict[str, int]:
    found: Counter[str] = Counter()
    for point in durations:
        if "http.response.status_code" in point.attributes:
            found[str(point.attributes["http.response.status_code"])] += point.value.count
    return dict(found)


def test_values_are_sent_each_second_and_only_grow(cli, rows, fault_server, collector):
    url = fault_server.url("ok")
    ran = bench(cli, rows, url, "--stages", "1500ms@c=2,1s@c=1", "--otlp", f"{collector.url}/v1/metrics/")
    report = ran.report
    counts = [sum(post.totals("epkit.request.count", "epkit.phase").values()) for post in collector.posted]
    sums = [sum(point.value.sum for point in post.points(DURATION)) for post in collector.posted]
    moments = [post.points("epkit.request.count")[0] for post in collector.posted]

    assert 3 <= len(counts) <= 5
    assert counts == sorted(counts)
    assert sums == sorted(sums)
    assert counts[0] < counts[-1] == report["counts"]["sent"]
    assert {point.start_ns for point in moments} == {moments[0].start_ns}
    assert [point.time_ns for point in moments] == sorted(point.time_ns for point in moments)
    assert abs(moments[0].start_ns / 1e9 - time.time()) < 60
    assert {"/v1/metrics"} == {post.path for post in collector.posted}
    assert {phase["name"]: phase["sent"] for phase in report["phases"]} == collector.last.totals(
        "epkit.request.count", "epkit.phase"
    )
    for post in collector.posted:
        assert 2 == post.data(DURATION).exponential_histogram.aggregation_temporality
        assert 2 == post.data("epkit.request.count").sum.aggregation_temporality
        assert post.data("epkit.request.count").sum.is_monotonic
        assert not post.data("http.client.active_requests").sum.is_monotonic
    flying = [point.value for post in collector.posted[1:-1] for point in post.points("http.client.active_requests")]
    assert 0 < max(flying) < 4
    assert {0.0} == {point.value for point in collector.last.points("http.client.active_requests")}


def test_the_run_the_target_and_the_server_are_named(cli, rows, fault_server, collector):
    cli.write("epkit.toml", f'[endpoints.bank]\nuri = "{fault_server.url("ok")}?code={CANARY}"')
    report = bench(cli, rows, "bank", "-n", 3, "--otlp", collector.url, "-m", "FOO").report
    (point,) = collector.last.points(DURATION)
    resource = collector.last.resource

    assert {
        "epkit.run.id": report["run"]["id"],
        "epkit.target": "bank",
        "epkit.phase": "measure",
        "http.request.method": "_OTHER",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": fault_server.port,
    } == point.attributes
    assert ("epkit", report["tool"]["version"]) == (resource["service.name"], resource["service.version"])
    assert "s" == collector.last.data(DURATION).unit


def test_a_url_is_sent_without_its_query_and_password(cli, rows, fault_server, collector):
    url = fault_server.url("ok").replace("://", f"://user:{CANARY}@") + f"?sig={CANARY}&a=b"
    assert 0 == bench(cli, rows, url, "-n", 1, "--otlp", collector.url, "-H", f"X-Api-Key: {CANARY}").code

    assert fault_server.url("ok") == collector.last.points(DURATION)[0].attributes["epkit.target"]
    for post in collector.posted:
        assert_no_canary(post.metrics.SerializeToString(), "the metrics")
        assert_no_canary(repr(post.headers).encode(), "the headers for the collector")


def test_two_workers_are_sent_as_one_run(cli, rows, fault_server, collector):
    ran = cli.spawn(
        "bench", "-p", rows, "--no-validate", "--format", "json", "-n", 120, "-c", 4, "--workers", 2, "--warmup", 10,
        "--otlp", collector.url, fault_server.url("ok"),
    )  # fmt: skip

    assert ran.report["counts"]["sent"] == 120
    assert {"measure": 120, "warm-up": 10} == collector.last.totals("epkit.request.count", "epkit.phase")
    assert 120 == sum(point.value.count for point in measured(collector.last.points(DURATION)))
    assert 1 == len({point.attributes["epkit.run.id"] for post in collector.posted for point in post.points(DURATION)})


def test_workers_that_count_by_themselves_send_all_rows_here(cli, rows, fault_server, collector, monkeypatch):
    monkeypatch.setattr("epkit.flows.bench.workers.fleet.EXACT", 10)
    flags = ["-n", 100, "-c", 2, "--workers", 2, "--otlp", collector.url]
    report = bench(cli, rows, fault_server.url("500"), *flags).report

    assert {"500": 100} == collector.last.totals("epkit.request.failures", "error.type")
    assert 100 == report["counts"]["failed"]


def test_each_run_of_a_repetition_has_its_own_id(cli, rows, fault_server, collector):
    url = fault_server.url("ok")
    report = bench(cli, rows, url, "-n", 5, "--repeat", 3, "--otlp", collector.url, "--save", "a.epkit")
    runs = {
        point.attributes["epkit.run.id"]: point.value
        for post in collector.posted
        for point in post.points("epkit.request.count")
    }

    assert 0 == report.code
    assert [5, 5, 5] == list(runs.values())


def test_what_is_sent_may_be_compressed(cli, rows, fault_server, collector):
    cli.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"
    bench(cli, rows, fault_server.url("ok"), "-n", 7, "--otlp", collector.url)

    assert "gzip" == collector.last.headers["content-encoding"]
    assert {"measure": 7} == collector.last.totals("epkit.request.count", "epkit.phase")


@pytest.mark.parametrize(
    "value",
    [f"api-key={CANARY}", f"authorization=Bearer%20{CANARY}", f"authorization=Bearer {CANARY}, x-scope-orgid=bank",
     f"x-honeycomb-team={CANARY}", "authorization=Basic%20" + quote("dXNlcjpwYXNz")],
)  # fmt: skip
def test_headers_go_to_the_collector_and_nowhere_else(cli, rows, collector, value):
    cli.environ["OTEL_EXPORTER_OTLP_HEADERS"] = value
    collector.status, collector.body = 401, f"no {CANARY}".encode()
    with PredictServer() as server:
        ran = bench(cli, rows, server.url, "-n", 2, "--otlp", collector.url, "-v", 4)
    name, _, sent = value.partition(",")[0].partition("=")

    assert collector.last.headers[name] == sent.replace("%20", " ").replace("%3D", "=")
    assert 1 == sum("OTEL_EXPORTER_OTLP_HEADERS" in line for line in ran.lines)
    assert 2 == len(server.headers)
    assert not any(name in headers for headers in server.headers)


def test_a_key_of_the_collector_that_the_target_says_is_masked(cli, rows, collector):
    cli.environ["OTEL_EXPORTER_OTLP_HEADERS"] = f"x-team={quote(CANARY + '/+ x')}"
    with PredictServer(lambda *_: Answer(status=500, body=(CANARY + "/+ x").encode())) as server:
        ran = bench(cli, rows, server.url, "-n", 2, "--otlp", collector.url, "--keep-failures", "kept")

    assert 4 == ran.code
    assert "***" in ran.out


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, (), "it answered 401: check OTEL_EXPORTER_OTLP_HEADERS"),
        (404, (), "it answered 404: no receiver of OTLP over HTTP is at this URL"),
        (500, (), "it answered 500"),
        (503, (("Retry-After", "60"),), "it answered 503"),
        (307, (("Location", "http://127.0.0.1:1/"),), "it answered 307: the redirect is not followed"),
    ],
)
def test_a_collector_that_refuses_is_one_warning(cli, rows, fault_server, collector, status, headers, said):
    collector.status, collector.headers = status, headers
    ran = bench(cli, rows, fault_server.url("ok"), "-t", "1500ms", "--otlp", collector.url)

    assert 0 == ran.code
    assert 1 == len(ran.lines), ran.err
    assert f"epkit: --otlp {collector.url}: {said}" in ran.err
    assert len(collector.posted) <= 3


def test_a_collector_that_is_away_is_one_warning(cli, rows, fault_server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ran = bench(cli, rows, fault_server.url("ok"), "-t", "1200ms", "--otlp", url)

    assert (0, [f"epkit: --otlp {url}: Connection refused; the run goes on, and it is tried again"]) == (
        ran.code,
        ran.lines,
    )


def test_a_collector_that_hangs_ends_the_run_two_seconds_later_at_most(cli, rows, fault_server, collector):
    collector.status = None
    begun = time.monotonic()
    ran = cli.spawn(
        "bench", "-p", rows, "--no-validate", "-n", 5, "--repeat", 3, "--otlp", collector.url, fault_server.url("ok")
    )

    assert 0 == ran.code
    assert [f"epkit: --otlp {collector.url}: it does not answer; the last values of the run are missing there"] == (
        ran.lines
    )
    assert time.monotonic() - begun < 20  # the exporter's own timeout is 10 s for each try
    assert 1 == len(collector.posted)


def test_what_a_collector_answers_is_read_to_a_limit(cli, rows, fault_server, collector):
    collector.body = b"x" * (1 << 20)
    ran = bench(cli, rows, fault_server.url("ok"), "-n", 3, "--otlp", collector.url)

    assert (0, []) == (ran.code, ran.lines)
    assert {"measure": 3} == collector.last.totals("epkit.request.count", "epkit.phase")


@pytest.mark.parametrize("trusted", [True, False])
def test_the_certificate_of_a_collector_is_verified(cli, rows, fault_server, trusted, tmp_path_factory):
    made = certificates.make(tmp_path_factory.mktemp("tls"))
    if trusted:
        cli.environ["OTEL_EXPORTER_OTLP_CERTIFICATE"] = made.cacert
    with OtlpCollector(tls=made.contexts["valid"]) as collector:
        ran = bench(cli, rows, fault_server.url("ok"), "-n", 3, "--otlp", collector.url)

    assert 0 == ran.code
    assert trusted == bool(collector.posted)
    assert ([] if trusted else [1]) == [1 for line in ran.lines if "certificate verify failed" in line]


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_an_interrupted_run_sends_its_last_values(cli, rows, fault_server, collector, engine):
    url = fault_server.url("ok")
    arguments = ["-t", 60, "--engine", engine, "-p", rows, "--no-validate", "--format", "json"]
    with cli.start("bench", *arguments, "--otlp", collector.url, url) as process:
        assert collector.arrived.wait(30)
        process.send_signal(signal.SIGINT)
        ran = cli.finished(process)

    assert 130 == ran.code
    assert {"measure": ran.report["counts"]["sent"]} == collector.last.totals("epkit.request.count", "epkit.phase")


def test_values_that_a_collector_drops_are_said(cli, rows, fault_server, collector):
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 4
    answer.partial_success.error_message = "too many series"
    collector.body = answer.SerializeToString()
    ran = bench(cli, rows, fault_server.url("ok"), "-n", 2, "--otlp", collector.url)

    assert ": it refused 4 of the values: too many series; " in ran.err


def test_proxies_and_netrc_of_the_machine_are_not_used(cli, rows, fault_server, collector):
    cli.write("netrc", f"machine 127.0.0.1 login me password {CANARY}")
    cli.environ |= {"http_proxy": "http://127.0.0.1:1", "NETRC": str(cli.directory / "netrc")}
    ran = bench(cli, rows, fault_server.url("ok"), "-n", 2, "--otlp", collector.url)

    assert 0 == ran.code
    assert 2 == collector.last.points(DURATION)[0].value.count
    assert "authorization" not in collector.last.headers


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:4318", "not a URL"),
        ("grpc://localhost:4317", "has a scheme that is not spoken here"),
        ("unix:/run/otel.sock", "must begin with http:// or https://"),
        (f"https://user:{CANARY}@host", "--otlp https://host/: the URL of a collector must not hold credentials"),
        (f"https://host/otlp?api-key={CANARY}", "--otlp https://host/otlp: the URL of a collector must not hold"),
    ],
)
def test_a_url_that_is_none_or_holds_credentials_is_refused(cli, url, said):
    assert said in complaint(cli("bench", "-n", 1, "--otlp", url), 2)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", CANARY, "OTEL_EXPORTER_OTLP_HEADERS: headers are written NAME=VALUE"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", f"a b={CANARY}", "the name of a header holds only"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={CANARY}%0d%0aX:1", "holds a line break"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "a variable OTEL_EXPORTER_OTLP_… cannot be read"),
    ],
)
def test_variables_that_cannot_be_read_are_refused(cli, rows, fault_server, variable, value, said):
    cli.environ[variable] = value
    ran = cli("bench", "-p", rows, "--otlp", "http://127.0.0.1:1", fault_server.url("ok"))
    if variable.endswith("TIMEOUT") and not ran.code:
        pytest.skip("later versions of the exporter take their default")

    assert said in complaint(ran, 2)


def test_without_the_extra_the_command_to_install_it_is_said(cli, monkeypatch):
    monkeypatch.setattr("epkit.flows.bench.exporting.find_spec", lambda name: None)

    said = complaint(cli("bench", "-n", 1, "--otlp", "http://127.0.0.1:4318"), 2)

    assert "--otlp needs OpenTelemetry's SDK: pip install 'epkit[otlp]'" == said


def test_python_sends_it_too(cli, rows, fault_server, collector):
    import epkit

    report = epkit.run_bench(
        fault_server.url("ok"), requests=4, payloads=[str(cli.directory / rows)], validate=False, otlp=collector.url
    )

    assert 4 == report.counts.ok == collector.last.points(DURATION)[0].value.count
