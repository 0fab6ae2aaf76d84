"""The flow as Python calls it: it takes options, returns a report, and prints nothing."""

import io
from pathlib import Path

import pytest

from epkit.errors import ContractError, EndpointError, EpkitError, UsageError
from epkit.flows.bench.bench import bench, dry_run, exit_code
from epkit.flows.bench.options import BenchOptions
from epkit.flows.context import Context
from epkit.flows.target.request_options import RequestOptions
from support.canary import CANARY
from support.cli_harness import TWO_ROWS


@pytest.fixture
def context(tmp_path):
    """A context without an environment; its notes are stored in `said`."""
    said = []
    made = Context(environ={}, cwd=tmp_path, note=said.append)
    return made, said


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(TWO_ROWS, encoding="utf-8")
    return str(path)


def options(target, *payloads, validate=False, **more):
    return BenchOptions(target=target, request=RequestOptions(payloads=payloads, validate=validate), **more)


def test_a_run_says_how_it_went_and_prints_nothing(fault_server, context, rows, capfd):
    result = bench(options(fault_server.url("flaky"), rows, requests=9), context[0], io.BytesIO())

    assert (9, 6, 3) == (result.report.counts.sent, result.report.counts.ok, result.report.counts.failed)
    assert 5 == exit_code(result)
    assert ("", "") == capfd.readouterr()
    assert [] == context[1]


def test_rows_are_kept_only_where_they_are_wanted(fault_server, context, rows):
    url = fault_server.url("ok")

    assert None is bench(options(url, rows, requests=3), context[0], io.BytesIO()).ab_times
    times = bench(options(url, rows, requests=3, rows_wanted=True), context[0], io.BytesIO()).ab_times
    assert 3 == len(times.start)


def test_examples_of_failures_are_kept_only_where_they_are_wanted(fault_server, context, rows):
    url = fault_server.url("404")

    assert {} == bench(options(url, rows), context[0], io.BytesIO()).kept
    assert {"status-404.txt"} == bench(options(url, rows, keep_failures="d"), context[0], io.BytesIO()).kept.keys()


def test_progress_is_told_while_the_run_goes_on(fault_server, context, rows):
    found = []

    bench(
        options(fault_server.url("delay?ms=5"), rows, time_limit_s=1.0),
        context[0],
        io.BytesIO(),
        progress=lambda done, failed: found.append((done, failed)),
    )

    assert found == sorted(found)
    assert found[-1][0] > 0


def test_a_dry_run_tells_the_plan(fault_server, context, rows):
    planned = dry_run(options(fault_server.url("ok"), rows, requests=7, concurrency=2), context[0], io.BytesIO())

    assert (7, 2, 60) == (planned.plan.requests, planned.plan.concurrency, planned.plan.timeout_s)
    assert planned.request.startswith("POST /fault/ok HTTP/1.1\n")
    assert planned.request.endswith(TWO_ROWS)
    assert 0 == fault_server.connections


def test_stdin_is_a_payload(fault_server, context):
    bench(options(fault_server.url("ok"), "-"), context[0], io.BytesIO(TWO_ROWS.encode()))

    assert TWO_ROWS.encode() == fault_server.seen[0].body


def test_the_world_learns_the_secrets(fault_server, tmp_path, rows):
    context = Context(environ={"EPKIT_KEY": CANARY}, cwd=tmp_path, note=print)

    bench(options(fault_server.url("ok"), rows), context, io.BytesIO())

    assert [CANARY, f"Bearer {CANARY}"] == [secret.reveal() for secret in context.secrets]
    assert CANARY not in repr(context)


def test_the_options_do_not_show_a_credential():
    request = RequestOptions(
        headers=(("X-Api-Key", CANARY),), cookies=(CANARY,), basic=CANARY, proxy=CANARY, proxy_basic=CANARY
    )

    assert CANARY not in repr(BenchOptions(request=request))


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"requests": 0}, UsageError),
        ({"requests": 1, "concurrency": 2}, UsageError),
        ({"engine": "none"}, UsageError),
        ({"bind": "192.0.2.1"}, UsageError),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_sent(fault_server, context, rows, more, error):
    with pytest.raises(error):
        bench(options(fault_server.url("ok"), rows, **more), context[0], io.BytesIO())

    assert 0 == fault_server.connections


def test_a_host_without_an_address_ends_a_run_before_it_begins(context, rows):
    with pytest.raises(EndpointError, match="the name has no address"):
        bench(options("http://nobody.invalid/score", rows), context[0], io.BytesIO())


def test_a_payload_that_breaks_the_contract_is_not_sent(fault_server, context, tmp_path):
    path = tmp_path / "old.json"
    path.write_text('{"data": [{"age": "old"}]}', encoding="utf-8")

    with pytest.raises(ContractError, match=r"old\.json:1:19: "):
        bench(options(fault_server.url("ok"), str(path), validate=True), context[0], io.BytesIO())

    assert ["/fault/swagger.json"] == [seen.target for seen in fault_server.seen]


def test_a_contract_that_is_named_has_to_be_there(fault_server, context, rows):
    request = RequestOptions(payloads=(rows,), schema=fault_server.url("404"))

    with pytest.raises(EndpointError, match="status 404 instead of a contract"):
        bench(BenchOptions(target=fault_server.url("ok"), request=request), context[0], io.BytesIO())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("401", "status 401: the contract needs a key, or the key sent is wrong"),
        ("redirect", "a contract is a JSON object"),  # it is followed inside its origin
        ("304", "status 304 instead of a contract"),
        ("truncated", "inside the reply's body"),
        ("gzip-broken", "Content-Encoding says gzip, the body is not"),
    ],
)
def test_a_contract_that_cannot_be_had_is_told_with_its_reason(fault_server, context, rows, name, said):
    request = RequestOptions(payloads=(rows,), schema=fault_server.url(name))

    with pytest.raises(EpkitError, match=said):
        bench(BenchOptions(target=fault_server.url("ok"), request=request), context[0], io.BytesIO())


def test_a_missing_contract_is_a_note_and_the_run_goes_on(fault_server, context, rows):
    url = fault_server.url("ok").replace("/fault/ok", "/elsewhere/ok")

    result = bench(options(url, rows, validate=True), context[0], io.BytesIO())

    (note,) = context[1]
    assert note.startswith("no contract is found: http://")
    assert 1 == result.report.counts.sent


def test_a_working_directory_that_is_gone_is_no_matter_where_the_target_is_a_url(fault_server, rows):
    context = Context(environ={}, cwd=Path("/gone/away"), note=print)

    assert 0 == exit_code(bench(options(fault_server.url("ok"), rows), context, io.BytesIO()))
