"""Workers that share a scoring job: the output equals that of one process, whatever happens to them."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.destination import Tls
from epkit.core.http.secret import Secret
from epkit.core.score.batching import Chunk
from epkit.core.score.conveyor import Policy
from epkit.core.score.ledger import Ledger
from epkit.core.score.retrying import Backoff, RetryWait
from epkit.engines.workers.crew import JoinedMessage, LocalCrew, LocalMember, LostMessage
from epkit.errors import EndpointError, UsageError
from epkit.files.predicted import StreamWriter
from epkit.flows.context import Context
from epkit.flows.score import score as flow
from epkit.flows.score.options import ScoreOptions, exit_code
from epkit.flows.score.workers import crew as score_crew
from epkit.flows.score.workers.hired import HiredJobWorkers
from epkit.flows.score.workers.main import SCORE_WORKERS
from epkit.flows.score.workers.work import ScoreAskMessage, ScoreCountsMessage, ScoreSettledMessage, ScoreWaitMessage
from epkit.flows.target.request_options import RequestOptions
from support.predict_server import PredictServer, plain, poisoned, storm

CONTRACT = {"type": "object", "properties": {"data": {"type": "array", "items": {"type": "object", "properties": {
    "id": {"type": "integer"}, "name": {"type": "string"}}}}}}  # fmt: skip
DOCUMENT = {"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [{"in": "body", "schema": CONTRACT}]}}}}


class Lent:
    """Some workers of a crew for one job; they may count as remote, and more may join."""

    def __init__(self, crew, members, *, is_elsewhere=False):
        self.inbox, self.lead_ns, self.is_elsewhere = crew.inbox, crew.lead_ns, is_elsewhere
        self.shares_loopback = True
        self._members = list(members)

    @property
    def members(self):
        return tuple(self._members)

    def lose(self, member):
        self._members.remove(member)

    def add(self, member):
        self._members.append(member)
        self.inbox.put((member, JoinedMessage()))

    def close(self):
        """Do nothing: they are used again."""


@pytest.fixture(scope="module")
def staff():
    """Three workers for all tests that do not damage them."""
    crew = LocalCrew(3, SCORE_WORKERS.module, SCORE_WORKERS.messages)
    yield crew
    crew.close()


@pytest.fixture
def mortal():
    """Make workers that may be killed."""
    with contextlib.ExitStack() as stack:

        def make(workers):
            crew = LocalCrew(workers, SCORE_WORKERS.module, SCORE_WORKERS.messages)
            stack.callback(crew.close)
            return crew

        yield make


def kill(member):
    member._process.kill()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with PredictServer() as running:
        yield running


class Ran:
    """A job and its messages."""

    def __init__(self, result, notes):
        self.result, self.notes = result, notes


@pytest.fixture
def score(server, tmp_path, monkeypatch):
    """Run a job, with or without a crew."""

    def run(crew, out, *, rows="rows.csv", take=None, progress=None, policy=None, **more):
        notes = []
        context = Context(environ={}, cwd=tmp_path, note=notes.append)
        workers = None if crew is None else HiredJobWorkers(crew, context)
        monkeypatch.setattr(flow, "hire", lambda *_: contextlib.nullcontext(workers))
        more = {"target": server.url, "request": RequestOptions(validate=False), "wrap": "data", **more}
        options = ScoreOptions(file=rows, out=out, **more)
        writer = None if take is None else StreamWriter(take)
        result = flow.score(options, context, io.BytesIO(), writer, progress=progress, policy=policy)
        return Ran(result, notes)

    return run


def table(count):
    return "id,name\n" + "".join(f"{n},n{n}\n" for n in range(count))


def expected(count):
    return "id,name,prediction\n" + "".join(f"{n},n{n},p{n}\n" for n in range(count))


def written(tmp_path, out):
    failed = tmp_path / f"{out}.failed.jsonl"
    return (tmp_path / out).read_bytes(), failed.read_bytes() if failed.exists() else b""


def workers_seen(server):
    """Return the workers whose requests arrived: each marks its own."""
    return set(requests_by_worker(server))


def requests_by_worker(server):
    return Counter(headers["x-ms-client-request-id"].partition("-")[0] for headers in server.headers)


def after(server, requests, call, *, delay_s=0.01):
    """Call a function in a thread after that number of requests; wait for its end when the block ends."""
    server.delay_s = delay_s
    start = server.requests

    def wait():
        until(lambda: server.requests >= start + requests)
        call()

    thread = threading.Thread(target=wait)
    thread.start()
    return contextlib.closing(_Joined(thread))


def until(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)


def catches(pid, number):
    """Tell whether a process has a handler for a signal (on Linux; otherwise True)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
    (mask,) = re.findall(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


class _Joined:
    def __init__(self, thread):
        self.close = thread.join


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_the_output_is_that_of_one_process_to_the_byte(score, server, staff, tmp_path, form):
    server.behave = poisoned(17, 4000, 8999)
    (tmp_path / "rows.csv").write_text(table(9000))
    alone = score(None, f"alone.{form}")
    for workers in (1, 2, 3):
        ran = score(Lent(staff, staff.members[:workers]), f"{workers}.{form}")

        assert written(tmp_path, f"alone.{form}") == written(tmp_path, f"{workers}.{form}")
        assert replace(alone.result, seconds=0, service=None, requests=0) == replace(
            ran.result, seconds=0, service=None, requests=0
        )
        assert ran.result.service.count > 90
        assert [] == ran.notes


def test_invalid_rows_are_not_sent_and_stand_where_they_stood(score, server, staff, tmp_path):
    bad = {0, 7, 399, 400, 401, 799, 2500, *range(1200, 1400), 2999}
    (tmp_path / "rows.csv").write_text("id,name\n" + "".join(f"{'old' if n in bad else n},n{n}\n" for n in range(3000)))
    (tmp_path / "swagger.json").write_text(json.dumps(DOCUMENT))
    more = {"request": RequestOptions(schema="swagger.json"), "skip_invalid": True, "wrap": None}
    score(None, "alone.csv", **more)
    requests = server.requests
    ran = score(Lent(staff, staff.members[:2]), "shared.csv", **more)

    assert written(tmp_path, "alone.csv") == written(tmp_path, "shared.csv")
    assert len(bad) == ran.result.failed_rows
    assert server.requests - requests <= requests + 3
    assert not any("old" in body.decode() for body in server.bodies)


def test_rows_that_are_too_long_and_replies_of_every_kind_survive_the_way(score, server, staff, tmp_path):
    def odd(server, rows, body):
        values = [None, 1.5, -0.0, 1e300, True, "ü\u2028", [1, {"a": [None]}], {"b": 1, "a": 2}, 2**70]
        answer = plain(server, rows, body)
        answer.body = json.dumps({"result": [values[row["id"] % len(values)] for row in rows]}).encode()
        return answer

    server.behave = odd
    lines = [json.dumps({"id": n, "name": "x" * (2000 if n % 50 == 49 else 5)}) for n in range(900)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    score(None, "alone.jsonl", rows="rows.jsonl", batch_bytes=1500)
    score(Lent(staff, staff.members), "shared.jsonl", rows="rows.jsonl", batch_bytes=1500)

    assert written(tmp_path, "alone.jsonl") == written(tmp_path, "shared.jsonl")
    assert b'"size"' in written(tmp_path, "shared.jsonl")[1]


def test_a_job_without_rows_to_send_ends(score, server, staff, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"id": 0, "name": "%s"}\n' % ("x" * 3000))
    ran = score(Lent(staff, staff.members[:2]), "out.jsonl", rows="rows.jsonl", batch_bytes=1000)

    assert (1, 1, 0, True) == (ran.result.rows, ran.result.failed_rows, server.requests, ran.result.complete)


@pytest.mark.parametrize("workers", [2, 3])
def test_no_more_requests_are_under_way_than_were_asked_for_and_no_fewer(score, server, staff, tmp_path, workers):
    server.delay_s = 0.1
    (tmp_path / "rows.csv").write_text(table(6000))
    found = []
    ran = score(Lent(staff, staff.members[:workers]), "out.csv", concurrency=5, progress=found.append)

    assert 5 == server.most_flying
    assert workers == len(workers_seen(server))
    assert (60, 0) == (ran.result.requests, ran.result.retries)
    assert expected(6000) == (tmp_path / "out.csv").read_text()
    assert {6000} == {progress.total for progress in found}
    assert max(progress.in_flight for progress in found) <= 5
    assert sorted(progress.rows for progress in found) == [progress.rows for progress in found]


def test_a_few_rows_are_spread_as_well(score, server, staff, tmp_path):
    server.delay_s = 0.2
    (tmp_path / "rows.csv").write_text(table(800))
    score(Lent(staff, staff.members[:2]), "out.csv", concurrency=8)

    assert (8, 8) == (server.requests, server.most_flying)


def test_a_rate_is_that_of_all_together(score, server, staff, tmp_path):
    (tmp_path / "rows.csv").write_text(table(60))
    score(Lent(staff, staff.members), "out.csv", concurrency=7, rate=50, batch_rows=1)
    times = server.times

    assert 60 == len(times)
    for first in range(len(times)):
        for last in range(first + 1, len(times)):
            most = 50 * (times[last] - times[first]) + 1
            assert last - first + 1 <= most + 4, "more than timers and a way of their own for each may make of it"


def test_those_that_there_is_no_place_for_are_spare_until_one_is_lost(score, server, mortal, tmp_path):
    crew = mortal(3)
    (tmp_path / "rows.csv").write_text(table(8000))
    with after(server, 20, lambda: kill(crew.members[0])):
        ran = score(crew, "out.csv", concurrency=2)

    assert expected(8000) == (tmp_path / "out.csv").read_text()
    assert 3 == len(workers_seen(server))
    assert 2 >= server.most_flying - 1, "what the killed one had asked may still be under way"
    assert ["worker 1 is lost: it was killed by signal 9; its rows go to the others"] == ran.notes


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_worker_that_is_killed_loses_and_doubles_nothing(score, server, mortal, tmp_path, form):
    server.behave = poisoned(17, 7000)
    (tmp_path / "rows.csv").write_text(table(9000))
    score(None, f"alone.{form}")
    server.scored.clear()
    crew = mortal(2)
    with after(server, 30, lambda: kill(crew.members[1])):
        ran = score(crew, f"shared.{form}")

    assert written(tmp_path, f"alone.{form}") == written(tmp_path, f"shared.{form}")
    assert ["worker 2 is lost: it was killed by signal 9; its rows go to the others"] == ran.notes
    assert ran.result.complete
    again = sum(times - 1 for times in server.scored.values())
    assert again <= 2 * 4 * 100 + 800, "what it had reported is not sent again"


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (ScoreSettledMessage(10**6, 0, ["x"], {}), "predictions of rows that it does not have"),
        (ScoreSettledMessage(-1, 0, ["x"], {}), "predictions of rows that it does not have"),
        (ScoreAskMessage(-1), "a wish for -1 rows"),
        (ScoreAskMessage(10**30), "a wish for 1e+30 rows"),
        (ScoreCountsMessage(requests=-5), "counts out of range"),
        (ScoreCountsMessage(times=b"1234567"), "counts out of range"),
        (ScoreWaitMessage(RetryWait(10**18, 10**18)), "a wait that none is granted"),
    ],
)
def test_a_worker_that_says_what_cannot_be_is_lost_and_its_rows_go_to_the_others(
    score, server, mortal, tmp_path, lie, why
):
    crew = mortal(2)
    (tmp_path / "rows.csv").write_text(table(5000))
    with after(server, 10, lambda: crew.inbox.put((crew.members[0], lie))):
        ran = score(crew, "out.csv")

    assert expected(5000) == (tmp_path / "out.csv").read_text()
    assert [f"worker 1 is lost: it sent an invalid message: {why}; its rows go to the others"] == ran.notes


@given(st.integers(-2, 12), st.integers(0, 12), st.lists(st.integers(-2, 12), max_size=3))
def test_predictions_fit_only_what_is_open_of_a_span(place, predictions, reasons):
    chunk = Chunk(0, [b"%d" % number for number in range(10)])
    ledger = Ledger(iter([chunk, None]).__next__, lambda *_: None, room_rows=100)
    ledger.read()
    span = ledger.take(8)
    inside = 0 <= place and place + predictions <= 8
    fit = inside and all(place <= reason < place + predictions for reason in reasons)

    assert fit == ledger.fits(span.number, place, predictions, reasons)
    assert not ledger.fits(span.number + 1, place, predictions, reasons)


def test_a_worker_that_is_told_to_end_is_lost_too(score, server, mortal, tmp_path):
    (tmp_path / "rows.csv").write_text(table(20_000))
    crew = mortal(2)
    pid = crew.members[0]._process._process.pid

    def end():
        until(lambda: catches(pid, signal.SIGTERM))  # a worker that has not started yet would just end
        os.kill(pid, signal.SIGTERM)

    with after(server, 10, end):
        ran = score(crew, "out.csv")

    assert expected(20_000) == (tmp_path / "out.csv").read_text()
    assert ["worker 1 is lost: it was ended by SIGTERM; its rows go to the others"] == ran.notes
    assert set(server.scored.values()) == {1}, "what it had in flight was waited for"


def test_if_all_are_killed_the_job_goes_on_another_time(score, server, mortal, tmp_path):
    (tmp_path / "rows.csv").write_text(table(20_000))
    crew = mortal(2)

    def end():
        until(lambda: min(requests_by_worker(server).values()) >= 10 and len(workers_seen(server)) == 2)
        for member in crew.members:
            kill(member)

    with after(server, 40, end, delay_s=0.03):
        ran = score(crew, "out.csv")

    last = 3 - int(ran.notes[0].removeprefix("worker ")[0])
    assert f"no worker is left: worker {last}, the last one, was killed by signal 9" == ran.result.hopeless
    assert (4, False) == (exit_code(ran.result), ran.result.complete)
    assert 0 < ran.result.rows < 20_000
    assert expected(ran.result.rows) == (tmp_path / "out.csv").read_text()
    server.delay_s = 0
    again = score(mortal(2), "out.csv")
    assert (ran.result.rows, 20_000, True) == (again.result.before, again.result.rows, again.result.complete)
    assert expected(20_000) == (tmp_path / "out.csv").read_text()


def test_a_worker_that_comes_later_takes_part_and_no_more_are_under_way(score, server, staff, tmp_path):
    (tmp_path / "rows.csv").write_text(table(20_000))
    crew = Lent(staff, staff.members[:1])
    with after(server, 20, lambda: crew.add(staff.members[2])):
        ran = score(crew, "out.csv", concurrency=4)

    assert 2 == len(workers_seen(server))
    assert ["worker 3 joined"] == ran.notes
    assert 4 == server.most_flying
    assert expected(20_000) == (tmp_path / "out.csv").read_text()


def test_a_status_that_all_would_get_ends_the_job_for_all(score, server, staff, tmp_path):
    (tmp_path / "rows.csv").write_text(table(9000))
    server.behave = storm(30, 10**9, status=401)
    alone = score(None, "alone.csv")
    server.requests = 0
    ran = score(Lent(staff, staff.members[:2]), "shared.csv")

    assert alone.result.hopeless == ran.result.hopeless
    assert (4, False, 0) == (exit_code(ran.result), ran.result.complete, ran.result.failed_rows)
    # Chance decides which ones were refused; if it was the first row, there is no output yet.
    out = tmp_path / "shared.csv"
    assert (expected(ran.result.rows) if ran.result.rows else None) == (out.read_text() if out.exists() else None)
    server.behave = plain
    score(Lent(staff, staff.members), "shared.csv")
    assert expected(9000) == (tmp_path / "shared.csv").read_text()


def test_where_nobody_answers_the_job_ends_as_that_of_one_process(score, server, staff, tmp_path):
    (tmp_path / "rows.csv").write_text(table(900))
    policy = Policy(retries=2, backoff=Backoff(base_ns=1_000_000))
    more = {"target": "http://127.0.0.1:1/score", "policy": policy}
    alone = score(None, "alone.csv", **more)
    ran = score(Lent(staff, staff.members[:2]), "shared.csv", **more)

    assert alone.result.hopeless == ran.result.hopeless
    assert 4 == exit_code(ran.result)


def test_a_machine_that_has_no_way_to_the_endpoint_is_done_without(score, server, staff, tmp_path, monkeypatch):
    (tmp_path / "rows.csv").write_text(table(5000))
    server.delay_s = 0.01
    crew = Lent(staff, staff.members[:2], is_elsewhere=True)
    real = LocalMember.send

    def send(member, message):
        if member is staff.members[1] and isinstance(message, score_crew.ScoreWork):
            message = replace(message, destination=replace(message.destination, port=1))
        real(member, message)

    monkeypatch.setattr(LocalMember, "send", send)
    ran = score(crew, "out.csv", policy=Policy(retries=1, backoff=Backoff(base_ns=1_000_000)))

    assert expected(5000) == (tmp_path / "out.csv").read_text()
    note = "worker 2 is lost: it cannot reach the endpoint: connection refused; its rows go to the others"
    assert [note] == ran.notes


def test_a_host_without_an_address_is_told_as_by_one_process(score, server, staff, tmp_path):
    (tmp_path / "rows.csv").write_text(table(9))
    with pytest.raises(EndpointError) as alone:
        score(None, "alone.csv", target="http://nowhere.invalid/score")
    crew = LocalCrew(1, SCORE_WORKERS.module, SCORE_WORKERS.messages)
    with pytest.raises(EndpointError) as shared:
        score(crew, "shared.csv", target="http://nowhere.invalid/score")
    crew.close()

    assert str(alone.value) == str(shared.value)


def test_storms_are_weathered(score, server, staff, tmp_path):
    (tmp_path / "rows.csv").write_text(table(6000))
    server.behave = storm(10, 30, status=503, header="retry-after-ms: 50")
    ran = score(Lent(staff, staff.members[:2]), "out.csv")

    assert expected(6000) == (tmp_path / "out.csv").read_text()
    assert 20 == ran.result.retries
    assert 80 == ran.result.requests


def test_another_token_reaches_every_worker_in_mid_run(score, server, staff, tmp_path, monkeypatch, canary):
    (tmp_path / "rows.csv").write_text(table(9000))

    @contextlib.contextmanager
    def renewing(target, _world, use):
        def renew():
            target.secrets.append(Secret(canary))
            use(Secret(f"Bearer {canary}"))

        with after(server, 20, renew):
            yield

    def echo(server, rows, body):
        return poisoned(8000, body=f"no row for {canary}".encode())(server, rows, body)

    monkeypatch.setattr(flow, "renewing", renewing)
    server.behave = echo
    headers = (("Authorization", "Bearer first"),)
    ran = score(
        Lent(staff, staff.members[:2]), "out.csv", request=RequestOptions(headers=headers, validate=False), retries=0
    )
    by_worker = {}
    for sent in server.headers:
        by_worker.setdefault(sent["x-ms-client-request-id"].partition("-")[0], []).append(sent["authorization"])

    assert 2 == len(by_worker)
    for values in by_worker.values():
        assert ["Bearer first", f"Bearer {canary}"] == sorted(set(values), reverse=True)
        assert sorted(values, reverse=True) == values, "once it has the new one, it sends no other"
    assert 1 == ran.result.failed_rows
    assert canary.encode() not in written(tmp_path, "out.csv")[1]


def test_certificates_travel_to_workers_that_have_other_files(score, fault_server, mortal, tmp_path):
    with contextlib.chdir("/"):  # there they have none of this test's files
        crew = mortal(2)
    shutil.copy(fault_server.cacert, tmp_path / "ca.pem")
    (tmp_path / "rows.csv").write_text(table(40))
    more = {"target": fault_server.url("ok", tls="valid"), "batch_rows": 2, "tls": Tls(cacert="ca.pem")}
    ran = score(Lent(crew, crew.members, is_elsewhere=True), "out.csv", **more)
    with pytest.raises(UsageError, match=r"ca\.pem"):
        score(crew, "here.csv", **more)

    assert (40, True) == (ran.result.rows, ran.result.complete)
    assert 0 == ran.result.failed_rows


def test_what_workers_are_sent_shows_no_credential(canary):
    from epkit.core.http.destination import Destination, Proxy
    from epkit.core.http.request import Template
    from epkit.core.score.batching import Packer
    from epkit.flows.score.workers.work import ScoreRenewMessage, ScoreShareMessage, ScoreWork

    work = ScoreWork(
        destination=Destination(
            scheme="http", host="h", port=1, proxy=Proxy(scheme="http", host="p", port=1, authorization=canary)
        ),
        engine="wire",
        timeout_ns=1,
        slots=1,
        policy=Policy(),
        share=ScoreShareMessage(1),
        asked=1,
        packer=Packer(b"", b"", most_bytes=1),
        template=Template("POST", "/", "h", [("Authorization", canary)], marked="x"),
        secrets=(canary,),
        files={"key.pem": canary.encode()},
    )

    assert canary not in repr(work)
    assert canary not in repr(ScoreRenewMessage(canary, (canary,)))


def test_a_reader_who_takes_his_time_is_no_reason_to_miss_a_worker(score, staff, tmp_path, monkeypatch):
    (tmp_path / "rows.csv").write_text(table(30_000))
    monkeypatch.setattr(score_crew, "SILENT_S", 1.5)
    pauses = [2.0]
    ran = score(Lent(staff, staff.members[:2]), None, take=lambda _: pauses and time.sleep(pauses.pop()))

    assert [] == ran.notes
    assert (30_000, True) == (ran.result.rows, ran.result.complete)


def test_the_last_words_of_a_worker_show_no_key(score, server, mortal, tmp_path, canary):
    (tmp_path / "rows.csv").write_text(table(9000))
    crew = mortal(2)
    lost = LostMessage(f"ended with code 1: ValueError: Bearer {canary}\nat \x1b[1mline")
    request = RequestOptions(headers=(("Authorization", f"Bearer {canary}"),), validate=False)
    with after(server, 20, lambda: [crew.inbox.put((member, lost)) for member in crew.members]):
        ran = score(crew, "out.csv", request=request)

    said = "\n".join([*ran.notes, ran.result.hopeless])
    assert "ended with code 1" in said
    assert canary not in said
    assert "\x1b" not in said
    assert 1 == len(ran.result.hopeless.splitlines())
