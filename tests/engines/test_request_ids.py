"""Requests with ids, on every engine: each id has the number of its start, and judgements do not change."""

import pytest

from epkit.core.http.destination import Destination
from epkit.core.http.request_ids import RequestIds, numbered, unnumbered
from epkit.engines import stamps as stamping
from epkit.engines.stamps import Stamps
from epkit.engines.wire.connection import Connection
from epkit.engines.wire.numbered import NumberedConnection
from epkit.engines.wire.wire import WireEngine
from support.engine_harness import BODY, KINDS, execute, plain, requests

RUN = "4f0c9d1e2ab37788"
HEADER = "x-ms-client-request-id"


@pytest.fixture(params=list(KINDS))
def kind(request):
    return KINDS[request.param]


def send(kind, server, names, header=HEADER, *, method="POST", share=0, shares=1, **how):
    """Send requests with ids; return the run, and the ids in its outcomes."""
    to, ids = plain(server), RequestIds(header=header, run=RUN, share=share, shares=shares)
    stamps = Stamps(ids)
    sent = [numbered(each, ids) for each in requests(to, names, unnumbered(header), method=method)]
    run = execute(kind, to, sent, stamps=stamps, **how)
    return run, [stamps.text(outcome.start) for outcome in run.outcomes]


def seen(server, header=HEADER):
    """Return the ids that the server received, by the number of the request."""
    return [id_ for _, id_ in sorted((int(s.header("X-Arrival")), s.header(header)) for s in server.seen)]


@pytest.mark.parametrize("header", [HEADER, "traceparent"])
@pytest.mark.parametrize(("name", "method"), [("ok", "POST"), ("ok", "HEAD"), ("echo-id", "POST"), ("echo-id", "HEAD")])
@pytest.mark.parametrize("keepalive", [True, False])
def test_the_server_sees_the_id_that_the_sample_has(kind, fault_server, header, name, method, keepalive):
    path = f"{name}?name={header}" if name == "echo-id" else name
    run, ids = send(kind, fault_server, [path] * 12, header, method=method, slots=3, keepalive=keepalive)

    assert [200] * 12 == run.statuses
    assert ids == seen(fault_server, header)
    assert 12 == len(set(ids))
    assert 3 <= run.traffic.connections
    if method == "POST":
        assert [BODY] * 12 == [each.body for each in fault_server.seen]


@pytest.mark.parametrize("name", ["ok", "echo-id"])
@pytest.mark.parametrize("loop", ["wire", "wire on asyncio"])
def test_a_reply_that_echoes_the_id_is_parsed_as_seldom_as_one_that_does_not(fault_server, monkeypatch, name, loop):
    parsed = []
    parse = Connection._parse
    monkeypatch.setattr(Connection, "_parse", lambda self, data, now: parsed.append(data) or parse(self, data, now))
    run, ids = send(KINDS[loop], fault_server, [name] * 20)

    assert 1 == len(parsed)
    assert 1 == len(set(run.bodies))
    if name == "echo-id":
        assert all(outcome.head.count(id_.encode()) == 2 for outcome, id_ in zip(run.outcomes, ids, strict=True))


def test_a_reply_with_another_id_than_was_sent_is_looked_at_anew(fault_server, monkeypatch):
    parsed = []
    parse = Connection._parse
    monkeypatch.setattr(Connection, "_parse", lambda self, data, now: parsed.append(data) or parse(self, data, now))
    run, _ = send(KINDS["wire"], fault_server, ["echo-id", "echo-id?name=x-arrival", "echo-id", "ok", "echo-id"])

    assert 5 == len(parsed)
    assert [200] * 5 == run.statuses


class DeadTransport:
    """A transport that drops everything that is written."""

    def __init__(self):
        self.written = b""

    def set_write_buffer_limits(self, high):
        assert high == 0

    def write(self, data):
        self.written += data

    def get_write_buffer_size(self):
        return len(self.written)

    def abort(self):
        pass


def test_a_request_of_which_not_a_byte_was_written_is_sent_again(monkeypatch):
    to = Destination(scheme="http", host="127.0.0.1", port=9)
    ids = RequestIds(header=HEADER, run=RUN)
    (request,) = [numbered(each, ids) for each in requests(to, ["ok"], unnumbered(HEADER))]
    engine, again = WireEngine(to, timeout_ns=1), []
    engine.stamps = Stamps(ids)
    monkeypatch.setattr(engine, "open", again.append)
    connection, transport = NumberedConnection(engine), DeadTransport()
    connection.connection_made(transport)
    connection.start = connection.connected = engine.stamps.next()
    connection.send((5, 0, request))
    connection.connection_lost(None)

    assert len(request.wire) == len(transport.written)
    assert engine.stamps.text(connection.start).encode() in transport.written
    assert [(5, 0, request)] == again
    assert 1 == engine.traffic.retried


def test_workers_never_send_the_same_number(kind, fault_server):
    numbers = []
    for share in range(3):
        _, ids = send(kind, fault_server, ["ok"] * 8, slots=2, share=share, shares=3)
        assert {share} == {int(id_.rpartition("-")[2]) % 3 for id_ in ids}
        numbers += ids

    assert 24 == len(set(numbers))


@pytest.mark.parametrize("shares", [1, 3])
def test_a_clock_that_is_coarse_tells_requests_apart_all_the_same(monkeypatch, shares):
    monkeypatch.setattr(stamping, "FINE_S", 0.0)
    monkeypatch.setattr(stamping, "clock", lambda: 1_000_000)
    stamps = Stamps(RequestIds(header=HEADER, run=RUN, share=shares - 1, shares=shares))
    found = [stamps.next() for _ in range(5)]

    assert list(range(found[0], found[0] + 5 * shares, shares)) == found
    assert 0 <= 1_000_000 - found[0] < shares
