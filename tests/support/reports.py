"""Hand-made reports: fixed clock, fixed version, fixed host."""

import math
from dataclasses import replace

from epkit.core.load.grid import GridState
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import (
    Counts,
    DeploymentInfo,
    FailureExample,
    Generator,
    Grid,
    GridPoint,
    Http,
    Latencies,
    PayloadInfo,
    PhaseInfo,
    PlanInfo,
    Report,
    Run,
    Search,
    Threshold,
    Throughput,
    Tool,
    Validity,
)
from epkit.core.stats.distribution import PERCENTILES, Distribution

KINDS = ("connect", "tls", "timeout", "transport", "status", "empty", "application", "contract", "mismatch")
FLOORS = {"50": 6, "66": 9, "75": 13, "80": 17, "90": 36, "95": 72, "98": 183, "99": 368, "99.9": 3688}
PAYLOAD = PayloadInfo(name="two-rows.json", sha256="ab" * 32, bytes=812)


def distribution(count, low, high, effective=None):
    """Make a distribution: values spread evenly from low to high."""
    effective = count if effective is None else effective
    step = (high - low) / max(count - 1, 1)
    values = [low + step * i for i in range(count)]
    at = {p: values[max(math.ceil(float(p) * count / 100 - 1e-9), 1) - 1] for p in PERCENTILES}
    mean = math.fsum(values) / count
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (count - 1)) if count > 1 else 0.0
    ci95 = {
        p: (max(low, at[p] - step * 2), min(high, at[p] + step * 3)) if effective >= FLOORS.get(p, 10**9) else None
        for p in PERCENTILES
    }
    ci95["mean"] = (mean - sd / 3, mean + sd / 3) if effective >= 6 else None
    return Distribution(
        count=count,
        min=low,
        mean=mean,
        sd=sd,
        median=at["50"],
        max=values[-1],
        percentiles=at,
        ci95=ci95,
        effective=effective,
    )


def latencies(count, connections=1, effective=None):
    service = distribution(count, 98.25, 176.5, effective)
    return Latencies(
        service=service,
        response=service,
        connect=distribution(connections, 21.125, 24.5),
        waiting=distribution(count, 92.0, 170.25, effective),
        processing=distribution(count, 95.0, 173.25, effective),
        transfer=distribution(count, 0.0625, 0.25, effective),
        server=distribution(count, 61.5, 139.0, effective),
        network=distribution(count, 36.75, 37.5, effective),
    )


def counts(sent, statuses=None, retried=0, **failures):
    failed = sum(failures.values())
    statuses = {"200": sent} if statuses is None else statuses
    return Counts(
        sent=sent,
        completed=sum(statuses.values()),
        ok=sent - failed,
        failed=failed,
        retried=retried,
        failures={kind: failures.get(kind, 0) for kind in KINDS},
        statuses=statuses,
    )


def report(count=10, concurrency=1, duration_s=1.59918, **parts):
    """Make a run of *count* successful requests; *parts* replace other values."""
    completed = count if "counts" not in parts else parts["counts"].completed
    ok = count if "counts" not in parts else parts["counts"].ok
    base = Report(
        tool=Tool(version="0.1.0", engine="wire", python="3.12.3", platform="Linux-6.1-x86_64"),
        run=Run(
            id="20261123T221200-5f3a",
            started_at="2026-11-23T22:12:00.123Z",
            duration_s=duration_s,
            target="http://127.0.0.1:5001/score",
            method="POST",
            partial=False,
            seed=0,
            payloads=(PAYLOAD,),
        ),
        plan=PlanInfo(model="closed", concurrency=concurrency, requests=count, duration_s=None),
        counts=counts(count),
        throughput=Throughput(
            requests_per_s=completed / duration_s,
            ok_per_s=ok / duration_s,
            bytes_in_per_s=260 * completed / duration_s,
            bytes_out_per_s=1056 * count / duration_s,
        ),
        latency_ms=latencies(count, concurrency),
        http=Http(
            server="nginx/1.10.3",
            host="127.0.0.1",
            port=5001,
            path="/score",
            document_bytes=33,
            length_differs=0,
            tls=None,
            server_name=None,
            bytes_in=260 * completed,
            bytes_out=1056 * count,
            body_bytes_in=33 * completed,
            kept_alive=completed,
            connections=concurrency,
            non_2xx=0,
            connect_failed=0,
            receive_failed=0,
        ),
        generator=Generator(
            cpu_us_per_request=48.2,
            cpu_utilisation=0.0125,
            lag_ms={"p50": 0.051, "p99": 0.183, "max": 0.412},
            limited=False,
            late_starts=0,
            max_in_flight=concurrency,
        ),
        validity=Validity(valid=True, reasons=()),
        thresholds=(Threshold(expression="failed==0", observed=0.0, passed=True),),
        deployments={},
        series=(),
    )
    return replace(base, **parts)


MALFORMED = 'Authorization header is malformed. Header should be in the form: "Authorization: Bearer <token>"'
KEY_ADVICE = "The endpoint did not get its key as it wants it: set EPKIT_KEY or give --key-file."


def all_ok():
    return report(10)


def single():
    base = report(1, duration_s=0.176)
    return replace(base, latency_ms=replace(base.latency_ms, transfer=None, server=None, network=None))


def thousand():
    return report(1000, concurrency=16, duration_s=8.75)


def correlated():
    return report(1000, concurrency=16, duration_s=8.75, latency_ms=latencies(1000, 16, effective=210))


def mixed():
    """Ten requests, four failures of three kinds; one missed SLO; two deployments."""
    base = report(10, counts=counts(10, {"200": 7, "503": 2}, retried=1, status=2, application=1, timeout=1))
    service = distribution(6, 98.25, 176.5)
    return replace(
        base,
        latency_ms=replace(latencies(6), failed=distribution(4, 3.5, 60_000.0)),
        http=replace(base.http, non_2xx=2, length_differs=3, receive_failed=1, kept_alive=8, connections=2),
        thresholds=(
            Threshold(expression="failed==0", observed=4.0, passed=False),
            Threshold(expression="p50<250ms", observed=129.55, passed=True),
        ),
        deployments={
            "blue": DeploymentInfo(ok=6, failed=1, service=service),
            "green": DeploymentInfo(ok=0, failed=2, service=None),
        },
        failures=(
            FailureExample(
                kind="status",
                count=2,
                status=503,
                detail="upstream connect error or disconnect/reset before headers",
                advice="The endpoint is overloaded or starting: lower -c, or give it more instances.",
            ),
            FailureExample(
                kind="application",
                count=1,
                status=200,
                detail='{"error": "\x1b[31mcould not convert string\n to float: \'old\'"}',
                advice="The scoring script failed on this body: run `epkit validate` on the payload.",
            ),
            FailureExample(
                kind="timeout",
                count=1,
                status=0,
                detail="no reply within 60 s",
                advice="Raise --timeout, or look at the endpoint's logs.",
            ),
        ),
        warnings=(Caveat(kind=CaveatKind.OTHER, text="The environment names a proxy; it is not used for load."),),
    )


def refused():
    """Ten requests, each answered `400 Authorization header is malformed`."""
    base = report(10, duration_s=0.065, counts=counts(10, {"400": 10}, status=10))
    return replace(
        base,
        latency_ms=Latencies(failed=distribution(10, 5.25, 7.125)),
        http=replace(base.http, server="", document_bytes=96, body_bytes_in=960, bytes_in=2220, non_2xx=10),
        thresholds=(Threshold(expression="failed==0", observed=10.0, passed=False),),
        failures=(FailureExample(kind="status", count=10, status=400, detail=MALFORMED, advice=KEY_ADVICE),),
    )


def unreachable():
    """No connection succeeded."""
    base = report(3, duration_s=0.004, counts=counts(3, {}, connect=3))
    return replace(
        base,
        latency_ms=Latencies(failed=distribution(3, 0.25, 0.5)),
        http=replace(
            base.http, server="", document_bytes=0, bytes_out=0, connections=0, connect_failed=3, kept_alive=0
        ),
        failures=(
            FailureExample(
                kind="connect",
                count=3,
                status=0,
                detail="connection refused",
                advice="Nothing listens there: check host and port.",
            ),
        ),
        thresholds=(Threshold(expression="failed==0", observed=3.0, passed=False),),
    )


def tls():
    base = report(10)
    return replace(
        base,
        run=replace(base.run, target="https://bank.example.com/score?sig=***"),
        latency_ms=replace(base.latency_ms, tls=distribution(1, 31.5, 31.5)),
        http=replace(
            base.http,
            host="bank.example.com",
            port=443,
            path="/score?sig=***",
            tls="TLSv1.3,TLS_AES_256_GCM_SHA384,2048,256",
            server_name="bank.example.com",
        ),
    )


def no_keepalive():
    base = report(10)
    return replace(
        base,
        plan=replace(base.plan, keepalive=False),
        latency_ms=latencies(10, 10),
        http=replace(base.http, kept_alive=0, connections=10),
    )


def partial():
    """Interrupted after seven of ninety requests."""
    base = report(7, duration_s=0.8)
    return replace(base, run=replace(base.run, partial=True), plan=replace(base.plan, requests=90))


def open_loop():
    """A rate that the generator could not keep: response times exceed service times; not valid."""
    base = report(500, concurrency=64, duration_s=10.25)
    return replace(
        base,
        plan=replace(
            base.plan,
            model="open",
            requests=None,
            duration_s=10.0,
            rate=200.0,
            arrivals="poisson",
            warmup="50",
        ),
        latency_ms=replace(base.latency_ms, response=distribution(500, 98.25, 1900.0)),
        generator=replace(base.generator, limited=True, late_starts=211, cpu_utilisation=0.98),
        validity=Validity(
            valid=False,
            reasons=(
                Caveat(kind=CaveatKind.RATE, text="48.8 of 200 planned requests/s were achieved"),
                Caveat(kind=CaveatKind.LATE_STARTS, text="211 of 500 requests started late"),
            ),
        ),
    )


def phase(name, load, sent, per_s, low, high, *, failed=0, measured=True, mark=None, begin_s=0.0):
    times = distribution(sent - failed, low, high) if sent > failed else None
    return PhaseInfo(
        name=name,
        load=load,
        measured=measured,
        begin_s=begin_s,
        duration_s=10.0,
        sent=sent,
        ok=sent - failed,
        failed=failed,
        requests_per_s=per_s,
        late_starts=0,
        max_in_flight=4,
        service=times,
        response=times,
        mark=mark,
    )


def sweep():
    """Three steps after a warm-up; the second is the knee, and requests of the last one fail."""
    base = report(1000, concurrency=4, duration_s=30.0)
    words = "the knee is at c=2: the step with the most successes per second for their mean time (Kleinrock's power)"
    return replace(
        base,
        plan=replace(base.plan, requests=None, duration_s=30.0, warmup="5s"),
        phases=(
            phase("warm-up", "c=1", 50, 5.0, 98.25, 300.0, measured=False),
            phase("c=1", "c=1", 100, 10.0, 98.25, 110.0, begin_s=5.0),
            phase("c=2", "c=2", 190, 19.0, 98.25, 120.0, mark="knee", begin_s=15.0),
            phase("c=4", "c=4", 210, 21.0, 98.25, 230.5, failed=10, begin_s=25.0),
        ),
        search=Search(kind="knee", expression="power", value=2.0, above=4.0, confirmed=True, words=words),
    )


def point(rows, concurrency, rows_per_s, p99, **parts):
    """Make a point of a grid; *parts* replace other values."""
    service = None if p99 is None else distribution(400, p99 / 3, p99)
    base = GridPoint(
        rows=rows,
        concurrency=concurrency,
        state=GridState.MEASURED,
        words="",
        rounds=5,
        sending_s=5.0,
        body_bytes=380 * rows,
        sent=400,
        ok=400,
        failed=0,
        rows_per_s=rows_per_s,
        rows_ci95=(rows_per_s * 0.93, rows_per_s * 1.07),
        service=service,
        p99_ci95=None if service is None else service.ci95["99"],
    )
    return replace(base, **parts)


def grid():
    """A sweep of batch sizes: one point is slower, one misses an objective, one fails, one was not tried."""
    base = report(400, concurrency=4, duration_s=5.0)
    refused = FailureExample(
        kind="status", count=3, status=413, detail="413 Request Entity Too Large", advice="send fewer rows a request"
    )
    points = (
        point(1, 1, 612.5, 4.875, is_front=True),
        point(1, 4, 605.25, 28.125, state=GridState.SLOWER, rounds=2,
              words="slower than rows=10 c=1 in rows/s and p99, after round 2"),
        point(10, 1, 5995.5, 5.125, is_front=True, doubts=("a reason",)),
        point(10, 4, 12786.25, 21.75, is_front=True),
        point(100, 1, 12920.125, 40.5, is_front=True, state=GridState.MISSED, rounds=3, rows_ci95=None,
              words="misses p99<30ms (observed 40.5), after round 3"),
        point(100, 4, 0.0, None, state=GridState.FAILED, rounds=1, sent=3, ok=0, failed=3, failure=refused,
              words="3 of 3 requests failed, after round 1"),
        point(1000, 1, 0.0, None, state=GridState.UNTRIED, rounds=0, sent=0, ok=0, rows_ci95=None,
              words="never tried: the time was up (-t)"),
    )  # fmt: skip
    words = (
        "use 10 rows a request and 4 in flight: 12,786 rows/s (95 % interval 11,891 to 13,681), p99 21.75 ms; the "
        "fastest of those that keep p99<30ms (7 points in 31 s)"
    )
    return replace(
        base,
        throughput=replace(base.throughput, rows_per_s=800.0),
        thresholds=(Threshold(expression="p99<30ms", observed=21.75, passed=True), *base.thresholds),
        search=Search(kind="batch-rows", expression="p99<30ms", value=10.0, above=None, confirmed=True, words=words),
        grid=Grid(
            points=points,
            chosen=3,
            command="epkit score 'my rows.csv' --target prod --batch-rows 10 -c 4",
            notes=("the line leaves out -A, which epkit score does not know or which is secret",),
        ),
    )


def found():
    """A search for the highest rate, confirmed."""
    base = report(500, concurrency=1000, duration_s=10.0)
    words = (
        "p99<250ms holds up to 182 requests/s (p99 231 ms, 95 % interval 222 to 243), and no more at 196.5 "
        "(14 probes in 118 s)"
    )
    return replace(
        base,
        plan=replace(base.plan, model="open", requests=None, duration_s=10.0, rate=182.0, arrivals="constant"),
        phases=(
            phase("probe 1", "c=1", 50, 5.0, 98.25, 300.0, measured=False, mark="met"),
            phase("probe 2", "1964.25/s", 9, 0.9, 0, 0, failed=9, measured=False, mark="saturated"),
            phase("confirmation", "182/s", 1820, 182.0, 98.25, 231.0, mark="met"),
        ),
        search=Search(kind="find-max", expression="p99<250ms", value=182.0, above=196.5, confirmed=True, words=words),
    )


def unanswered():
    """Interrupted before the first reply."""
    base = report(1, duration_s=0.5, counts=counts(0, {}))
    return replace(
        base,
        run=replace(base.run, partial=True),
        latency_ms=Latencies(),
        http=replace(base.http, server="", document_bytes=0, bytes_out=0, connections=1, kept_alive=0),
    )


ALL = {
    "all-ok": all_ok,
    "single": single,
    "thousand": thousand,
    "correlated": correlated,
    "mixed": mixed,
    "refused": refused,
    "unreachable": unreachable,
    "tls": tls,
    "no-keepalive": no_keepalive,
    "partial": partial,
    "open-loop": open_loop,
    "unanswered": unanswered,
    "sweep": sweep,
    "found": found,
    "grid": grid,
}
