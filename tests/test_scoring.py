"""`epkit score` from Python."""

import asyncio
import json
import time

import pandas as pd
import polars as pl
import pytest

import epkit
from support.cli_harness import Cli
from support.predict_server import Answer, PredictServer, poisoned, rows_of

ROWS = [{"id": n, "name": f"n{n}"} for n in range(250)]
EXPECTED = [f"p{n}" for n in range(250)]


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EPKIT_TARGET", raising=False)
    with PredictServer() as running:
        yield running


def frame_file(tmp_path):
    pl.DataFrame(ROWS).write_csv(tmp_path / "rows.csv")
    return tmp_path / "rows.csv"


KINDS = {
    "objects": lambda _: ROWS,
    "a generator": lambda _: (row for row in ROWS),
    "lists": lambda _: [list(row.values()) for row in ROWS],
    "polars": lambda _: pl.DataFrame(ROWS),
    "pandas": lambda _: pd.DataFrame(ROWS),
    "a path": frame_file,
    "a path as text": lambda tmp_path: str(frame_file(tmp_path)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_kind_are_scored(server, kind, tmp_path):
    predictions = epkit.run_score(server.url, KINDS[kind](tmp_path), validate=False)

    assert EXPECTED == predictions
    assert () == predictions.failures
    assert (250, 3) == (predictions.summary.rows, predictions.summary.requests)
    first = rows_of(server.bodies[0])[0]
    assert [0, "n0"] == (first if kind == "lists" else list(first.values()))


def test_predictions_come_one_after_the_other(server):
    async def main():
        job = epkit.score(server.url, ROWS, validate=False, batch_rows=10)
        return [prediction async for prediction in job], job

    found, job = asyncio.run(main())

    assert EXPECTED == found
    assert (250, ()) == (job.summary.rows, job.failures)


def test_two_jobs_run_beside_each_other(server):
    async def every(rows):
        return [prediction async for prediction in epkit.score(server.url, rows, validate=False)]

    async def main():
        return await asyncio.gather(every(ROWS), every(ROWS[:50]))

    assert [EXPECTED, EXPECTED[:50]] == asyncio.run(main())


def test_a_failed_row_is_none_and_says_why(server):
    server.behave = poisoned(7)
    predictions = epkit.run_score(server.url, ROWS, validate=False)

    assert [*EXPECTED[:7], None, *EXPECTED[8:]] == predictions
    assert (epkit.FailedRow(row=7, reason="status", status=500, detail="cannot score this"),) == predictions.failures


def test_who_leaves_the_iteration_ends_the_job(server):
    server.delay_s = 0.02

    async def main():
        job = epkit.score(server.url, ROWS * 100, validate=False, batch_rows=1, concurrency=2)
        async for prediction in job:
            return prediction
        return None

    assert "p0" == asyncio.run(asyncio.wait_for(main(), 15))
    assert server.requests < 2000


def test_workers_may_share_the_rows(server):
    server.behave = poisoned(7)
    alone = epkit.run_score(server.url, ROWS * 8, validate=False)
    server.headers.clear()
    shared = epkit.run_score(server.url, ROWS * 8, validate=False, workers=2, batch_rows=20)

    assert alone == shared
    assert alone.failures == shared.failures
    assert 2 == len({headers["x-ms-client-request-id"].partition("-")[0] for headers in server.headers})


def test_who_leaves_the_iteration_lets_the_workers_go(server):
    server.delay_s = 0.02

    async def main():
        job = epkit.score(server.url, ROWS * 100, validate=False, batch_rows=1, concurrency=2, workers=2)
        async for prediction in job:
            return prediction
        return None

    assert "p0" == asyncio.run(asyncio.wait_for(main(), 15))
    before = -1
    while before != (before := server.requests):  # requests in flight may still arrive
        assert before < 2000
        time.sleep(0.2)


def test_a_slow_reader_is_waited_for(server):
    async def main():
        job = epkit.score(server.url, ROWS * 20, validate=False, batch_rows=10)
        found = []
        async for prediction in job:
            if not len(found) % 1000:
                await asyncio.sleep(0.05)
            found.append(prediction)
        return found

    assert EXPECTED * 20 == asyncio.run(main())


def test_a_key_that_is_refused_is_raised(server):
    server.behave = lambda *_: Answer(status=401)

    with pytest.raises(epkit.EndpointError, match="401: the endpoint requires a key"):
        epkit.run_score(server.url, ROWS, validate=False)

    async def main():
        return [prediction async for prediction in epkit.score(server.url, ROWS, validate=False)]

    with pytest.raises(epkit.EndpointError, match="401: the endpoint requires a key"):
        asyncio.run(main())


def test_rows_that_break_the_contract_are_not_sent(server, tmp_path):
    column = {"type": "object", "properties": {"id": {"type": "integer"}}}
    body = {"type": "object", "properties": {"data": {"type": "array", "items": column}}}
    parameter = {"in": "body", "schema": body}
    document = {"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [parameter]}}}}
    (tmp_path / "swagger.json").write_text(json.dumps(document))

    for rows in ([{"id": 1}, {"id": "old"}], pl.DataFrame({"id": ["old"]})):
        with pytest.raises(epkit.ContractError, match='"old" is not an integer'):
            epkit.run_score(server.url, rows, schema="swagger.json")
    assert 0 == server.requests
    found = epkit.run_score(server.url, [{"id": 1}, {"id": "old"}], schema="swagger.json", skip_invalid=True)
    assert ["p1", None] == found
    assert "contract" == found.failures[0].reason


@pytest.mark.parametrize("rows", [[], "nowhere.csv"])
def test_what_holds_no_rows_is_refused(server, rows):
    with pytest.raises(epkit.UsageError):
        epkit.run_score(server.url, rows)


def test_what_pandas_has_of_its_own_arrives_as_json_has_it(server):
    frame = pd.DataFrame(
        {
            "id": [0, 1],
            "when": pd.to_datetime(["2020-01-31", None]),
            "name": ["a", None],
            "size": [0.5, float("nan")],
            "many": pd.array([1, None], dtype="Int64"),
            "kind": pd.Categorical(["x", "y"]),
        }
    )
    epkit.run_score(server.url, frame, validate=False)

    first, second = rows_of(server.bodies[0])
    assert [0, "2020-01-31T00:00:00", "a", 0.5, 1, "x"] == list(first.values())
    assert [1, None, None, None, "y"] == [value for value in second.values() if value == value]


def test_the_operation_of_a_contract_is_named(server, tmp_path):
    def takes(key):
        rows = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}}
        schema = {"type": "object", "properties": {key: rows}}
        return {"post": {"parameters": [{"in": "body", "schema": schema}], "responses": {}}}

    document = {"swagger": "2.0", "paths": {"/one": takes("rows"), "/two": takes("items")}}
    (tmp_path / "contract.json").write_text(json.dumps(document))
    schema = str(tmp_path / "contract.json")

    epkit.run_score(server.url, [{"id": 1}], schema=schema, operation="/two")
    epkit.run_bench(server.url, requests=1, payloads=["gen:rows=1"], schema=schema, operation="/one")

    assert [["items"], ["rows"]] == [list(json.loads(body)) for body in server.bodies]


def test_a_table_without_rows_makes_a_file_without_lines(server, tmp_path):
    (tmp_path / "rows.csv").write_text("id,name\n")
    cli = Cli(directory=tmp_path, environ={}, patience_s=45)
    ran = cli("score", "rows.csv", "--target", server.url, "--no-validate", "-o", "out.jsonl")

    assert (0, b"") == (ran.code, (tmp_path / "out.jsonl").read_bytes()), ran.err
