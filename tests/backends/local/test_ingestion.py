"""The ingestion endpoint on loopback: it accepts its own telemetry, and turns it into requests."""

import json
import urllib.request
from pathlib import Path

import pytest

from epkit.backends.local import ingestion
from epkit.backends.local.ingestion import Ingestion, halve
from epkit.core.hosting.telemetry import read_requests

KEY = "00000000-0000-0000-0000-000000000001"
REQUEST = {
    "iKey": KEY,
    "data": {
        "baseType": "RequestData",
        "baseData": {
            # The exporter measures only its own span.
            "duration": "0.00:00:00.000", "responseCode": "0", "success": True,
            "properties": {
                "start_time": "2026-01-01T00:00:00Z", "duration": "00:00:01.023", "resultCode": "500",
                "success": "False", "name": "/score", "Request Id": "r", "Client Request Id": "c",
                "Response Value": "no",
            },
        },
    },
}  # fmt: skip
MESSAGE = {"iKey": KEY, "data": {"baseType": "MessageData", "baseData": {"message": "hello"}}}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


@pytest.fixture
def server(kept: Path) -> Ingestion:
    return Ingestion(kept, KEY)


def test_telemetry_that_is_posted_is_kept(server: Ingestion, kept: Path):
    posted = urllib.request.Request(f"{server.url}/v2.1/track", json.dumps([REQUEST, MESSAGE]).encode())
    with urllib.request.urlopen(posted, timeout=5) as reply:
        answer = json.load(reply)

    assert {"itemsReceived": 2, "itemsAccepted": 2, "errors": []} == answer
    (request,) = read_requests(kept.read_text().splitlines())
    assert (500, 1023.0, False, "/score", "no") == (
        request.status, request.duration_ms, request.success, request.name, request.reply,
    )  # fmt: skip


def test_telemetry_of_somebody_else_is_refused(server: Ingestion, kept: Path):
    foreign = {**MESSAGE, "iKey": "another"}
    status, answer = server.take("/v2.1/track", json.dumps([REQUEST, foreign, 7]).encode())

    assert (206, 1, [1, 2]) == (status, answer["itemsAccepted"], [error["index"] for error in answer["errors"]])
    assert 400 == server.take("/v2.1/track", json.dumps([foreign]).encode())[0]
    assert 1 == len(kept.read_text().splitlines())


@pytest.mark.parametrize(("path", "body"), [("/v2.1/track", b"{"), ("/v2.1/track", b"{}"), ("/elsewhere", b"[]")])
def test_what_is_no_telemetry_is_refused(server: Ingestion, kept: Path, path: str, body: bytes):
    assert 400 == server.take(path, body)[0]
    assert not kept.exists()


def test_the_file_does_not_grow_without_bounds(server: Ingestion, kept: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ingestion, "MOST_BYTES", 4000)
    for _ in range(40):
        server.take("/track", json.dumps([REQUEST]).encode())

    assert kept.stat().st_size <= 4000 + len(json.dumps(REQUEST))
    assert all(json.loads(line) == REQUEST for line in kept.read_text().splitlines())


def test_halving_keeps_whole_lines(tmp_path: Path):
    file = tmp_path / "log"
    file.write_text("".join(f"line {number}\n" for number in range(100)))
    halve(file)

    lines = file.read_text().splitlines()
    assert "line 99" == lines[-1]
    assert 40 <= len(lines) <= 50
    assert all(line.startswith("line ") for line in lines)
