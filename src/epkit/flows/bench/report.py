"""The report of a run: what the engine, the driver and the target know, put beside what the samples say."""

import platform
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from epkit import __version__
from epkit.core.http.destination import Destination
from epkit.core.http.headers import fields
from epkit.core.http.masking import mask_text, mask_url
from epkit.core.load.plan import Plan
from epkit.core.replies import judging
from epkit.core.report.report import FailureExample, Http, PayloadInfo, Report, Run, Search, Tool
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise, advise_failure, detail
from epkit.engines.driver import FirstFailure
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.plan import plan_info
from epkit.flows.target.requests import Requests
from epkit.flows.target.target import Target
from epkit.flows.target.verbose import show_reply


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSetup:
    """What was known before the run began."""

    target: Target
    load: Requests
    destination: Destination
    plan: Plan
    engine: str
    workers: int = 1
    warmup: str | None = None


def make_report(
    facts: RunSetup,
    measured: Measurement,
    ran: RunFacts,
    search: Search | None = None,
    *,
    summary: Summary | None = None,
    reasons: Iterable[str] = (),
) -> Report:
    """Make the report of a finished run.

    Args:
        search: what was looked for in it, and found.
        summary: an empty one, for what is known of a run in its middle without looking at a sample.
        reasons: further reasons why the run is not valid.
    """
    whole = summary is None
    summary = measured.summary if summary is None else summary
    unsolicited = ran.traffic.unsolicited
    return summary.report(
        tool=Tool(
            version=__version__,
            engine=facts.engine,
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.machine()}",
        ),
        run=Run(
            id=secrets.token_hex(8),
            started_at=ran.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_s=0.0,
            target=mask_text(facts.target.uri.shown, facts.target.secrets),
            method=facts.load.requests[0].method,
            partial=ran.stopped_by is not None,
            seed=facts.plan.seed,
            payloads=payload_infos(facts.load),
        ),
        plan=plan_info(facts.plan, facts.warmup, facts.workers),
        http=_http(facts, ran, summary),
        duration_ns=measured.duration_ns(ran),
        cpu_s=measured.cpu_s(ran),
        max_in_flight=measured.most(ran),
        drifts_ns=ran.drifts_ns,
        retried=ran.traffic.retried,
        deployments=ran.deployments,
        failures=tuple(_explain(example, facts.target) for example in _most_first(ran.examples.values())),
        warnings=[
            *(measured.warnings(ran) if whole else []),
            *([f"{unsolicited} replies were followed by bytes that nobody had asked for"] if unsolicited else []),
        ],
        phases=measured.phases(ran) if whole else (),
        search=search,
        varied=measured.varied,
        reasons=[*(measured.reasons(ran) if whole else []), *reasons],
    )


def payload_infos(load: Requests) -> tuple[PayloadInfo, ...]:
    """Name the payloads without their bytes."""
    return tuple(
        PayloadInfo(name=payload.name, sha256=payload.sha256, bytes=len(payload.body)) for payload in load.payloads
    )


def show_examples(examples: Iterable[FirstFailure], target: Target) -> dict[str, str]:
    """Write the first reply of each kind of failure, credentials masked.

    Returns:
        The texts by the names of files.
    """
    return {_file_name(example): _show_example(example, target) for example in _most_first(examples)}


def _file_name(example: FirstFailure) -> str:
    kind = example.failure.name.lower()
    return f"{kind}-{example.status}.txt" if example.status else f"{kind}.txt"


def _show_example(example: FirstFailure, target: Target) -> str:
    headers = fields(example.head)
    times = f"{example.count} time{'s' * (example.count != 1)}"
    reply = show_reply(example.head, _plain_body(example, headers), target.secrets) if example.head else ""
    why = mask_text(f"{times}: {example.detail}" if example.detail else times, target.secrets)
    return f"{why}\n\n{reply}\n" if reply else f"{why}\n"


def _http(facts: RunSetup, ran: RunFacts, summary: Summary) -> Http:
    """Fill in what only the engine and the target know; the counters come from the rows."""
    destination, requests = facts.destination, facts.load.requests
    sent = summary.counters.payloads
    server = fields(ran.first_reply.head).get("server", "") if ran.first_reply else ""
    return Http(
        server=server.partition(" ")[0],
        host=destination.host,
        port=destination.port,
        path=mask_text(mask_url(facts.target.uri.request_path), facts.target.secrets),
        tls=ran.traffic.tls,
        server_name=destination.tls.server_name if destination.scheme == "https" else None,
        bytes_out=sum((n - ran.unsent.get(i, 0)) * len(requests[i].wire) for i, n in sent.items()),
        kept_alive=max(0, summary.counters.counts().completed - ran.traffic.closed),
        connections=ran.traffic.connections,
        document_bytes=0,
        length_differs=0,
        bytes_in=0,
        body_bytes_in=0,
        non_2xx=0,
        connect_failed=0,
        receive_failed=0,
    )


def _most_first(examples: Iterable[FirstFailure]) -> list[FirstFailure]:
    return sorted(examples, key=lambda example: -example.count)


def _explain(example: FirstFailure, target: Target) -> FailureExample:
    """Say what a kind of failure was and what to do about it, credentials masked."""
    headers = fields(example.head)
    text = _plain_body(example, headers)
    if example.failure is Failure.STATUS:
        words = detail(text, target.secrets)
        keyed = target.key.authorization is not None
        advice = advise(example.status, headers, text, key_sent=keyed, secrets=target.secrets, quote=False)
    else:
        words = mask_text(example.detail, target.secrets)
        advice = advise_failure(example.failure, example.detail, target.secrets, quote=False)
    return FailureExample(
        kind=example.failure.name.lower(), count=example.count, status=example.status, detail=words, advice=advice
    )


def _plain_body(example: FirstFailure, headers: Mapping[str, str]) -> str:
    try:
        body = judging.unpack(headers.get("content-encoding", ""), example.body)
    except ValueError:
        body = example.body
    return body.decode("utf-8", "replace")
