"""Difficult conditions: rows get through refusals, outages and a server that misbehaves on purpose.

`EPKIT_ROWS=100000` makes every storm a long one; by default only two are long.
"""

import json
import os

import pytest

from support.predict_server import Answer, PredictServer, crowded, plain, storm

NO = "--no-validate"
ROWS = int(os.environ.get("EPKIT_ROWS", "20000"))


@pytest.fixture
def server():
    with PredictServer() as running:
        running.keep = False
        yield running


STORMS = {
    "429, seconds": storm(100, 112, header="Retry-After:1"),
    "429, a date": storm(100, 112, header="date"),
    "429, milliseconds": storm(50, 250, header="retry-after-ms:20"),
    "429, no word of when": storm(100, 140),
    "429, half of all": storm(0, 10**9, every=2, header="retry-after-ms:1"),
    "503 bursts": lambda s, rows, body: storm(100 * (s.requests // 100), 100 * (s.requests // 100) + 6, status=503)(s, rows, body),
    "408, 502, 504": lambda s, rows, body: storm(100, 106, status=(408, 502, 504)[s.requests % 3])(s, rows, body),
    "connections break": storm(100, 110, close=True),
    "no more than four at once": crowded(4),
}  # fmt: skip


LONG = ("429, half of all", "503 bursts")


@pytest.mark.parametrize("name", STORMS)
def test_every_row_comes_through_a_storm_once(cli, server, name):
    rows = max(ROWS, 100_000) if name in LONG else ROWS
    server.behave = STORMS[name]
    server.delay_s = 0.002 if name.startswith("no more") else 0.0
    cli.write("rows.csv", "id,name\n" + "".join(f"{n},n{n}\n" for n in range(rows)))
    ran = cli("score", "rows.csv", "--target", server.url, NO, "-c", 16, "--batch-rows", rows // 400, "-o", "out.csv")

    assert 0 == ran.code, ran.err
    assert "id,name,prediction\n" + "".join(f"{n},n{n},p{n}\n" for n in range(rows)) == cli.read("out.csv")
    assert rows == len(server.scored)
    assert {1} == set(server.scored.values()), "no row is scored twice, as no reply was lost"


def test_an_endpoint_that_goes_away_ends_the_job_and_nothing_is_lost(cli):
    with PredictServer() as server:
        port = server.port
        cli.write("rows.csv", "id\n" + "".join(f"{n}\n" for n in range(5000)))
        command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv", "--retries", 1, "-c", 2]
        server.behave = lambda s, rows, body: plain(s, rows, body) if s.requests < 20 else Answer(close=True)
        server.stop_after = 25
        first = cli(*command)
    assert 4 == first.code
    assert "the same command goes on" in first.lines[-1]
    assert not (cli.directory / "out.csv.failed.jsonl").exists()
    with PredictServer(port=port):
        again = cli(*command)

    assert 0 == again.code, again.err
    assert [f"{n},p{n}" for n in range(5000)] == cli.read("out.csv").splitlines()[1:]


TWO = '{"id": 1}\n{"id": 2}\n'
HARMLESS = [
    *("ok", "ok-chunked", "ok-close-delimited", "ok-connection-close", "ok-split", "ok-split-chunked", "second-dies"),
    *("gzip", "deflate", "deflate-raw", "azure", "early-hints", "flaky", "closes-idle", "delay", "big-header"),
]


@pytest.mark.parametrize("name", HARMLESS)
def test_what_the_fault_server_does_harmlessly_costs_no_row(cli, fault_server, name):
    cli.write("rows.jsonl", TWO * 50)
    ran = cli("score", "rows.jsonl", "--target", fault_server.url(name), NO, "--batch-rows", 2, "-o", "out.jsonl")

    assert 0 == ran.code, ran.err
    assert ["yes", "no"] * 50 == [json.loads(line)["prediction"] for line in cli.read("out.jsonl").splitlines()]


HARMFUL = {
    "500": "status", "503": "status", "424": "status", "empty": "empty", "204": "empty", "gzip-broken": "transport",
    "gzip-bomb": "transport", "error-in-200": "application", "error-in-200-doubled": "application",
    "wrong-count": "mismatch", "not-json": "contract", "close-before": "transport", "close-in-header": "transport",
    "truncated": "transport", "reset": "transport", "chunk-garbage": "transport", "not-http": "transport",
    "huge-header": "transport", "endless-header": "transport", "never": "timeout",
}  # fmt: skip


@pytest.mark.parametrize(("name", "reason"), HARMFUL.items())
def test_what_it_does_to_harm_fails_the_rows_by_name(cli, fault_server, name, reason):
    cli.write("rows.jsonl", TWO)
    url = fault_server.url(name)
    timeout = 0.5 if reason == "timeout" else 20
    ran = cli("score", "rows.jsonl", "--target", url, NO, "--retries", 0, "--timeout", timeout, "-o", "out.jsonl")

    assert 4 == ran.code, ran.err
    assert [None, None] == [json.loads(line)["prediction"] for line in cli.read("out.jsonl").splitlines()]
    failed = [json.loads(line) for line in cli.read("out.jsonl.failed.jsonl").splitlines()]
    assert [(0, reason), (1, reason)] == [(entry["row"], entry["reason"]) for entry in failed]
    assert all(entry["detail"] for entry in failed)


def test_certificates_are_verified(cli, fault_server):
    cli.write("rows.jsonl", TWO)
    url = fault_server.url("ok", tls="valid")
    refused = cli("score", "rows.jsonl", "--target", url, NO, "-o", "out.csv")
    trusted = cli("score", "rows.jsonl", "--target", url, NO, "--cacert", fault_server.cacert)

    assert 4 == refused.code
    assert "the server's certificate is signed by an unknown authority" in refused.lines[-1]
    assert not (cli.directory / "out.csv.failed.jsonl").exists()
    assert ["yes", "no"] == [json.loads(line)["prediction"] for line in trusted.out.splitlines()]
