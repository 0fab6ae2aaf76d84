"""Makes the report of a run from the data of the engine, the driver and the target, and from the samples."""

import platform
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from epkit import __version__
from epkit.core.http.destination import Destination
from epkit.core.http.headers import fields
from epkit.core.http.masking import mask_url, mask_values
from epkit.core.http.request_ids import RequestIds
from epkit.core.load.plan import Plan
from epkit.core.replies import judging
from epkit.core.report.assembly import EngineFacts, KnownRun, LoadOutcome, Peer, assemble
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.knee import mark_knee
from epkit.core.report.report import FailureExample, PayloadInfo, Report, Run, Search, SentIds, Tool
from epkit.core.report.slo import Slo
from epkit.core.report.wording import plural
from epkit.core.report.workers import WorkerRecord
from epkit.core.samples.rows import Failure
from epkit.core.shortening import ELLIPSIS
from epkit.endpoint.advice import advise_failure, detail, explain
from epkit.engines.driver import EXAMPLE_BYTES, FirstFailure
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.plan import plan_info
from epkit.flows.target.requests import Requests
from epkit.flows.target.target import Target
from epkit.flows.target.verbose import show_reply


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSetup:
    """What is known before the run begins.

    Args:
        sweep: whether the plan is a sweep of steps, so that a knee can be marked.
        id: the id of the run, the same in the report and in the saved run.
    """

    target: Target
    load: Requests
    destination: Destination
    plan: Plan
    id: str
    workers: int = 1
    warmup: str | None = None
    sweep: bool = False


def new_run_id() -> str:
    """Make the id of a run: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def make_report(
    setup: RunSetup,
    measured: Measurement,
    facts: RunFacts,
    *,
    search: Search | None = None,
    records: Sequence[WorkerRecord] = (),
    slos: Sequence[Slo] = (),
    reasons: Sequence[Caveat] = (),
    warnings: Sequence[Caveat] = (),
) -> Report:
    """Make the report of a finished run.

    Args:
        search: the goal of a search, and what it found.
        records: the records of the workers that made the load.
        slos: objectives that the report must meet.
        reasons: further reasons why the run is not valid.
        warnings: further warnings, such as the reason of an early end, or checks that were left out.
    """
    phases = measured.phases(facts)
    if setup.sweep:
        phases, search = mark_knee(phases, setup.plan.measured)
    early = any(record.lost is not None for record in records)
    early |= any(warning.kind is CaveatKind.OBJECTIVE_LOST for warning in warnings)
    report = assemble(
        known_run(setup, measured, facts, early=early),
        measured.summary,
        LoadOutcome(
            phases=phases,
            search=search,
            sending_ns=measured.sending_ns(facts),
            varied=measured.varied,
            reasons=[*measured.reasons(facts), *reasons],
            warnings=[*measured.warnings(facts), *warnings],
        ),
        records=records,
        slos=slos,
    )
    return mask_values(report, setup.target.secrets)


def known_run(setup: RunSetup, measured: Measurement, facts: RunFacts, *, early: bool = False) -> KnownRun:
    """Return what is known of a run without its samples, credentials masked.

    It is quick, because it is also called during the run.

    Args:
        early: whether the run ended before the end of its plan for another reason than a signal.
    """
    traffic, ids = facts.traffic, measured.ids
    known = KnownRun(
        tool=Tool(
            version=__version__,
            engine=facts.engine,
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.machine()}",
        ),
        run=Run(
            id=setup.id,
            started_at=facts.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_s=measured.duration_ns(facts) / 1e9,
            target=setup.target.uri.shown,
            method=setup.load.requests[0].method,
            partial=early or facts.stopped_by is not None,
            seed=setup.plan.seed,
            payloads=payload_infos(setup.load),
            request_ids=None if ids is None else SentIds(header=ids.header, begin_ns=measured.began_ns(facts)),
        ),
        plan=plan_info(setup.plan, setup.warmup, setup.workers),
        peer=_peer(setup, facts.first_head, traffic.tls),
        engine=EngineFacts(
            connections=traffic.connections,
            closed=traffic.closed,
            retried=traffic.retried,
            unsolicited=traffic.unsolicited,
            wire_bytes=tuple(len(request.wire) for request in setup.load.requests),
            unsent=facts.unsent,
        ),
        cpu_s=measured.cpu_s(facts),
        max_in_flight=measured.most(facts),
        drifts_ns=facts.drifts_ns,
        deployments=facts.deployments,
        failures=tuple(_explain(example, setup.target, ids) for example in _most_first(facts.examples.values())),
    )
    return mask_values(known, setup.target.secrets)


def payload_infos(load: Requests) -> tuple[PayloadInfo, ...]:
    """Describe the payloads without their bodies."""
    return tuple(
        PayloadInfo(name=payload.name, sha256=payload.sha256, bytes=len(payload.body)) for payload in load.payloads
    )


def show_examples(examples: Iterable[FirstFailure], target: Target, ids: RequestIds | None = None) -> dict[str, str]:
    """Return the first reply of each kind of failure as text, credentials masked.

    Args:
        ids: the ids of the requests, if they have some.

    Returns:
        The texts by file name.
    """
    shown = {_file_name(example): _show_example(example, target, ids) for example in _most_first(examples)}
    return mask_values(shown, target.secrets)


def _file_name(example: FirstFailure) -> str:
    kind = example.failure.name.lower()
    return f"{kind}-{example.status}.txt" if example.status else f"{kind}.txt"


def _show_example(example: FirstFailure, target: Target, ids: RequestIds | None) -> str:
    headers = fields(example.head)
    times = plural(example.count, "time")
    reply = show_reply(example.head, _plain_body(example, headers), target.secrets) if example.head else ""
    why = f"{times}: {example.detail}" if example.detail else times
    if ids is not None and (sent := _id(example, ids)) is not None:
        why += f"\n{ids.header} of this request: {sent}"
    return f"{why}\n\n{reply}\n" if reply else f"{why}\n"


def _id(example: FirstFailure, ids: RequestIds | None) -> str | None:
    """Return the id that a request was sent with; None if it had no id or was never sent."""
    return None if ids is None or example.start_ns is None else ids.text(example.start_ns)


def _peer(setup: RunSetup, first_head: bytes, tls: str | None) -> Peer:
    destination = setup.destination
    return Peer(
        server=fields(first_head).get("server", "").partition(" ")[0],
        host=destination.host,
        port=destination.port,
        path=mask_url(setup.target.uri.request_path),
        tls=tls,
        server_name=destination.tls.server_name if destination.scheme == "https" else None,
    )


def _most_first(examples: Iterable[FirstFailure]) -> list[FirstFailure]:
    return sorted(examples, key=lambda example: -example.count)


def _explain(example: FirstFailure, target: Target, ids: RequestIds | None) -> FailureExample:
    """Describe a kind of failure and the advice for it, credentials masked."""
    headers = fields(example.head)
    text = _plain_body(example, headers)
    if example.failure is Failure.STATUS:
        words = detail(text, target.secrets)
        keyed = target.key.authorization is not None
        advice = explain(example.status, headers, text, key_sent=keyed, secrets=target.secrets)
    else:
        words = example.detail
        advice = advise_failure(example.failure, example.detail, target.secrets, quote=False)
    return FailureExample(
        kind=example.failure.name.lower(),
        count=example.count,
        status=example.status,
        detail=words,
        advice=advice,
        id=_id(example, ids),
    )


def _plain_body(example: FirstFailure, headers: Mapping[str, str]) -> str:
    try:
        body = judging.unpack(headers.get("content-encoding", ""), example.body)
    except ValueError:
        body = example.body
    kept = body.decode("utf-8", "replace")
    return kept if len(example.body) < EXAMPLE_BYTES else kept.rstrip("\ufffd") + ELLIPSIS
