"""Puts load on a candidate, and for comparison on the live model; judges objectives and gates, writes the reports."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from epkit.core.contract import documents
from epkit.core.contract.contract import parse
from epkit.core.http.masking import mask_values
from epkit.core.http.url import Url
from epkit.core.pipeline.config import BenchSettings
from epkit.core.pipeline.steps import StepResult
from epkit.core.report import slo
from epkit.core.report.compare import LEAST_RUNS
from epkit.core.report.report import Report, Threshold
from epkit.core.report.wording import plural
from epkit.core.validate.examples import sample_body
from epkit.endpoint.target import contract_url
from epkit.errors import unwritable
from epkit.files import outputs
from epkit.files.writing import replacing
from epkit.flows.bench.bench import bench
from epkit.flows.bench.options import BenchOptions, BenchResult
from epkit.flows.context import Context
from epkit.flows.pipeline.records import CandidateRecord
from epkit.flows.pipeline.sides import CandidateTarget, Side
from epkit.flows.pipeline.world import StepStopped, World
from epkit.flows.target.client import Client, wait_for
from epkit.flows.target.discovery import body_of
from epkit.flows.target.request_options import TargetOptions

REPORT, PAGE, SAVED, PAYLOAD, TARGETS = "bench.json", "bench.html", "bench.run", "payload.json", "targets.toml"

REPEATS: Final = 2
"""Runs of each side if the live model gets load too: A B A B."""

NOTHING_ANSWERED: Final = 4
"""Exit code if no request succeeded."""

KEYS: Final = ("EPKIT_PIPELINE_CANDIDATE_KEY", "EPKIT_PIPELINE_SERVING_KEY")
"""Environment variables of this process only, in which the bench finds the keys."""


def measure(
    world: World, settings: BenchSettings, side: Side, record: CandidateRecord, reach: TargetOptions
) -> StepResult:
    """Put load on a candidate. The live model gets load only with `against_live`, and no more than the rate.

    Raises:
        UsageError: an objective cannot be parsed, or the disk is full.
        EndpointError: no request could be sent.
        StepStopped: the user stopped it.
    """
    candidate = side.candidate(record)
    serving = side.serving(record) if settings.against_live else None
    if settings.against_live and serving is None:
        world.show("nothing serves yet: the candidate is measured alone")
    options = _options(settings, candidate, serving, reach)
    if serving is not None:
        path = world.directory / PAYLOAD
        _write(path, _body(side.client(record)))  # both get the same body, even if their contracts differ
        request = replace(options.request, payloads=(str(path),))
        options = replace(options, request=request, save=str(world.directory / SAVED))
    try:
        result = bench(options, _context(world, candidate, serving), io.BytesIO())
    finally:
        (world.directory / TARGETS).unlink(missing_ok=True)  # the candidate's address is useless later
    if result.stopped_by is not None:
        raise StepStopped(result.stopped_by)
    return _outcome(world, settings, result, with_live=serving is not None)


def _options(
    settings: BenchSettings, candidate: CandidateTarget, serving: CandidateTarget | None, reach: TargetOptions
) -> BenchOptions:
    alone = BenchOptions(
        target=candidate.name,
        requests=settings.requests,
        concurrency=settings.concurrency,
        slos=settings.slo,
        request=reach.request,
        tls=reach.tls,
        timeout_s=reach.timeout_s,
        histograms_wanted=True,
    )
    if serving is None:
        return alone
    return replace(
        alone,
        target=serving.name,
        against=candidate.name,
        repeat=LEAST_RUNS if settings.fail_if else REPEATS,
        rate=settings.rate,
    )


def _context(world: World, candidate: CandidateTarget, serving: CandidateTarget | None) -> Context:
    """Return a context with names for both sides. No file contains their keys.

    Raises:
        UsageError: the disk is full.
    """
    hidden = ("EPKIT_KEY", "EPKIT_TARGET")
    environ = {name: value for name, value in world.context.environ.items() if name not in hidden}
    lines = []
    for target, variable in zip((candidate, serving), KEYS, strict=True):
        if target is None:
            continue
        entry = {"uri": target.uri}
        if target.authorization is not None:
            entry["key_env"] = variable
            environ[variable] = target.authorization.reveal().removeprefix("Bearer ")
        if target.deployment is not None:
            entry["deployment"] = target.deployment
        lines += [
            f"[endpoints.{json.dumps(target.name)}]",
            *(f"{name} = {json.dumps(value)}" for name, value in entry.items()),
            "",
        ]
    path = world.directory / TARGETS
    _write(path, "\n".join(lines).encode())
    return replace(world.context, environ={**environ, "EPKIT_CONFIG": str(path)}, note=world.show)


def _outcome(world: World, settings: BenchSettings, result: BenchResult, *, with_live: bool) -> StepResult:
    """Judge the runs of the candidate, and write the reports."""
    reports = result.runs[1::2] if with_live else (result.report,)
    missed = _missed(reports)
    gates: list[dict[str, Any]] = []
    if with_live and settings.fail_if and missed is None:
        gates, missed = _compared(world.directory / SAVED, settings.fail_if)
    files = _written(world.directory, result, mask_values(reports[-1], world.context.secrets))
    code = 0 if any(report.counts.ok for report in reports) else NOTHING_ANSWERED
    return StepResult(
        step="bench",
        state="ok" if missed is None else "stopped",
        line=missed or _line(reports[-1]),
        reason=missed,
        result={
            "requests": sum(report.counts.sent for report in reports),
            "failed": sum(report.counts.failed for report in reports),
            "p99_ms": None if (service := reports[-1].latency_ms.service) is None else service.percentiles["99"],
            "against_live": with_live,
            "slo": [
                {"expression": one.expression, "observed": one.observed, "passed": one.passed}
                for one in reports[-1].thresholds
            ],
            "fail_if": gates,
            **({"exit_code": code} if code else {}),
        },
        files=files,
    )


def _missed(reports: Sequence[Report]) -> str | None:
    """Return which objective was missed; None if all were met."""
    for report in reports:
        if not report.counts.ok:
            return f"none of {plural(report.counts.sent, 'request')} succeeded"
        for one in report.thresholds:
            if not one.passed and one.expression == "failed==0":
                return f"{report.counts.failed} of {plural(report.counts.sent, 'request')} failed"
            if not one.passed:
                return f"missed {one.expression}: observed {one.observed:.6g}"
    return None


def _compared(saved: Path, fail_if: Sequence[str]) -> tuple[list[dict[str, Any]], str | None]:
    """Compare the candidate with the live model; return the results of the gates, and the first one that was missed."""
    from epkit.flows.bench.compare import compare_runs

    comparison = compare_runs(str(saved), None, fail_if=fail_if)
    gates = [{"expression": each.gate.expression, "passed": each.passed} for each in comparison.gates]
    missed = next((each["expression"] for each in gates if not each["passed"]), None)
    return gates, None if missed is None else f"missed {missed} against what serves"


def _line(report: Report) -> str:
    said = [met_line(one) for one in report.thresholds if one.expression != "failed==0"]
    if said:
        return ", ".join(said)
    service = report.latency_ms.service
    p99 = [] if service is None else [f"p99 {_number(service.percentiles['99'])} ms"]
    return ", ".join([*p99, f"{plural(report.counts.sent, 'request')}, none failed"])


def met_line(threshold: Threshold) -> str:
    """Format an objective with its observed value: `p99 9.1 ms < 250 ms`."""
    wanted = slo.parse(threshold.expression)
    figure = f"{wanted.part}.{wanted.metric}" if wanted.part not in ("", "response") else wanted.metric
    unit = " ms" if wanted.part else " %" if wanted.share else ""
    return f"{figure} {_number(threshold.observed)}{unit} {wanted.op} {_number(wanted.limit)}{unit}"


def _number(value: float) -> str:
    """Format a number with three digits, a whole number with all digits: 9.1, 0.123, 1,234."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _written(directory: Path, result: BenchResult, report: Report) -> dict[str, str]:
    """Write the candidate's report, its HTML page, and the saved run.

    Raises:
        UsageError: the disk is full.
    """
    from epkit.core.json.writing import document
    from epkit.core.report.document import to_document
    from epkit.reporters.run import html

    outputs.write(str(directory / REPORT), document(to_document(report)), "bench")
    outputs.write(str(directory / PAGE), html.render(report, result.histograms), "bench")
    return {REPORT: REPORT, PAGE: PAGE, **({SAVED: SAVED} if result.runs else {})}


def _body(client: Client) -> bytes:
    """Make a body from the candidate's contract."""
    source = client.target.contract or contract_url(client.target.uri)
    assert isinstance(source, Url)  # the candidate's own
    reply = body_of(wait_for(client.fetch(source)), source.shown, client.target.secrets)
    return sample_body(parse(documents.decode(reply, name="the contract")), rows=None, seed=0)


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise unwritable(str(path), error) from None
