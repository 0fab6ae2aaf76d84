"""The JSON document: writing and reading, and its schema with valid and invalid documents."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

from epkit.core.load.plan import Phase
from epkit.core.report.assembly import LoadOutcome, assemble
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.document import from_document, schema, to_document
from epkit.core.report.report import DeploymentInfo, FailureExample, PayloadInfo, Report, Search, SentIds, Threshold
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import Failure
from epkit.core.stats.distribution import Distribution
from support.rows import MS, known, report, rows, timed

CHECK = jsonschema.Draft202012Validator(schema())


def full() -> Report:
    """Make a report with all parts."""
    times = (np.random.default_rng(1).lognormal(0, 0.5, 1000) * 10 * MS).astype(np.int64)
    block = timed(times, server=MS, deployment=np.arange(1000) % 2)
    block["failure"][::50] = Failure.STATUS
    block["tcp"][1], block["connected"][1] = block["start"][1] + MS, block["start"][1] + 2 * MS
    example = FailureExample(kind="status", count=20, status=500, detail="boom", advice="look at the log")
    capped = Caveat(kind=CaveatKind.CAPPED, text="a line")
    late = Caveat(kind=CaveatKind.LATE_STARTS, text="a reason")
    outcome = LoadOutcome(warnings=[capped], reasons=[late])
    made = report(block, outcome=outcome, deployments=("", "blue"), failures=(example,))
    phase = Phase(name="stage 1", model="open", rate=50.0, rate_to=60.0, duration_ns=MS)
    summary = Summary()
    summary.add(block)
    phases = (summary.phase(phase, begin_ns=0, duration_ns=MS, most=1, measured=True),)
    search = Search(kind="knee", expression="power", value=2.0, above=4.0, confirmed=True, words="at 2")
    payload = PayloadInfo(name="two-rows.json", sha256="0" * 64, bytes=812)
    return replace(
        made,
        run=replace(made.run, payloads=(payload,), request_ids=SentIds(header="traceparent", begin_ns=7)),
        phases=phases,
        search=search,
        thresholds=(Threshold(expression="p99<250ms", observed=31.5, passed=True),),
    )


def bare() -> Report:
    """Make a report without its optional parts."""
    return assemble(known(duration_ns=0), Summary())


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield every key of every object of a document."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield path, key
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node[:1]):
            yield from places(value, (*path, index))


def within(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


@pytest.mark.parametrize("make", [full, bare])
def test_a_report_comes_back_as_it_was(make):
    text = json.dumps(to_document(make()), allow_nan=False)

    assert make() == from_document(json.loads(text))


@pytest.mark.parametrize("make", [full, bare])
def test_real_documents_are_valid(make):
    assert list(CHECK.iter_errors(json.loads(json.dumps(to_document(make()))))) == []


def leaves(node: Any) -> Iterator[Any]:
    """Yield every value of a document that is neither an object nor an array."""
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from leaves(child)
    else:
        yield node


def test_documents_hold_plain_python_values_and_nothing_of_numpy():
    assert {type(leaf) for leaf in leaves(to_document(full()))} == {str, int, float, bool, type(None)}


def test_the_keys_stand_in_the_order_of_the_manual():
    document = to_document(full())

    assert list(document) == [
        "format", "tool", "run", "plan", "counts", "throughput", "latency_ms", "http", "generator",
        "validity", "thresholds", "deployments", "series", "failures", "phases", "search", "warnings", "workers",
        "slowest", "grid", "warning_kinds",
    ]  # fmt: skip
    assert list(document["run"]) == [
        "id", "started_at", "duration_s", "target", "method", "partial", "seed", "payloads", "request_ids",
    ]  # fmt: skip
    assert list(document["plan"]) == [
        "model", "concurrency", "requests", "duration_s", "rate", "arrivals", "warmup", "workers",
        "timeout_s", "keepalive",
    ]  # fmt: skip
    assert list(document["latency_ms"]["service"]) == [
        "count", "min", "mean", "sd", "median", "max", "percentiles", "ci95", "effective",
    ]  # fmt: skip
    assert document["format"] == "epkit.report/1"


def test_the_published_schema_is_the_one_of_the_classes():
    published = files("epkit.core.report").joinpath("report.schema.json").read_text(encoding="utf-8")

    assert json.dumps(schema(), indent=2, ensure_ascii=False) + "\n" == published
    jsonschema.Draft202012Validator.check_schema(schema())


OPEN = {("deployments",), ("counts", "statuses")}
DOCUMENT = to_document(full())


@pytest.mark.parametrize(
    ("path", "key"), list(places(DOCUMENT)), ids=lambda part: part if isinstance(part, str) else "."
)
def test_a_document_without_one_of_its_keys_is_invalid(path, key):
    broken = json.loads(json.dumps(DOCUMENT))
    del within(broken, path)[key]

    assert CHECK.is_valid(broken) == (path in OPEN)


@pytest.mark.parametrize("path", sorted({path for path, _ in places(DOCUMENT)}, key=str), ids=str)
def test_a_document_with_a_key_more_or_of_another_type_is_invalid(path):
    broken = json.loads(json.dumps(DOCUMENT))
    within(broken, path)["surplus"] = "x"

    assert not CHECK.is_valid(broken)


@pytest.mark.parametrize("bounds", [[1.0], [1.0, 2.0, 3.0], ["1", "2"], 1.0])
def test_an_interval_is_two_numbers_or_null(bounds):
    broken = json.loads(json.dumps(DOCUMENT))
    broken["latency_ms"]["service"]["ci95"]["50"] = bounds

    assert not CHECK.is_valid(broken)


def test_an_infinite_observation_is_null_and_comes_back():
    missed = Threshold(expression="p99<1ms", observed=math.inf, passed=False)
    document = to_document(replace(bare(), thresholds=(missed,)))

    assert document["thresholds"][0]["observed"] is None
    assert CHECK.is_valid(document)
    assert (missed,) == from_document(document).thresholds


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_json_does_not_have_is_refused(number):
    broken = replace(bare(), throughput=replace(bare().throughput, ok_per_s=number))

    with pytest.raises(ValueError, match="JSON has no number"):
        to_document(broken)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "epkit.report/2"}, "epkit.report/2"),
        ({"counts": {"sent": 1}}, "Counts wants the keys"),
        ({"counts": None}, "an object is expected, not a NoneType"),
        ({"deployments": []}, "an object is expected, not a list"),
        ({"tool": {**DOCUMENT["tool"], "version": 1}}, "string is expected, not a int"),
        ({"surplus": 1}, "Report wants the keys"),
        ({"warning_kinds": []}, "zip"),
        ({"warnings": [1], "warning_kinds": ["capped"]}, "string is expected, not a int"),
    ],
)
def test_what_is_no_report_is_refused_in_words(change, message):
    with pytest.raises(ValueError, match=message):
        from_document({**DOCUMENT, **change})


def test_whole_numbers_may_stand_for_floats():
    document = json.loads(json.dumps(DOCUMENT))
    document["latency_ms"]["service"]["min"] = 3
    found = from_document(document).latency_ms.service

    assert isinstance(found, Distribution)
    assert isinstance(found.min, float)


def test_a_deployment_without_a_success_has_no_distribution():
    made = report(rows(2, deployment=1, failure=5), deployments=("", "blue"))

    assert {"blue": DeploymentInfo(ok=0, failed=2, service=None)} == dict(from_document(to_document(made)).deployments)


def test_findings_are_texts_and_beside_them_their_kinds():
    document = to_document(full())

    assert ["capped", "a line"] == [document["warning_kinds"][-1], document["warnings"][-1]]
    assert (["late_starts"], ["a reason"]) == (document["validity"]["reason_kinds"], document["validity"]["reasons"])


def test_a_document_from_before_there_were_kinds_has_findings_of_the_kind_other():
    document = to_document(full())
    del document["warning_kinds"], document["validity"]["reason_kinds"]
    old = from_document(document)

    assert [(CaveatKind.OTHER, warning.text) for warning in full().warnings] == [
        (warning.kind, warning.text) for warning in old.warnings
    ]
    assert (Caveat(kind=CaveatKind.OTHER, text="a reason"),) == old.validity.reasons


def test_a_kind_of_a_later_epkit_is_read_as_other():
    document = {**to_document(full()), "warnings": ["a line"], "warning_kinds": ["not_yet_known"]}

    assert (Caveat(kind=CaveatKind.OTHER, text="a line"),) == from_document(document).warnings
