"""Real servers' replies, from the command line: predictions go to the right rows, or are refused with a reason."""

import json

import pytest

from support.cli_harness import Cli
from support.predict_server import Answer, PredictServer, plain


@pytest.fixture
def server():
    with PredictServer() as running:
        yield running


@pytest.fixture
def thousand(cli: Cli):
    cli.write("rows.csv", "id,name\n" + "".join(f"{n},n{n}\n" for n in range(1000)))


def answering(value, **given):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda server, rows, _: Answer(body=body, **given)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def failed(cli):
    return lines(cli.directory / "out.jsonl.failed.jsonl")


class TestAFailureThatAllRequestsShare:
    def test_ends_the_job_with_the_reply(self, cli, server, thousand):
        server.behave = answering({"status": "scored", "answer": {"count": 3}})
        ran = cli("score", "rows.csv", "--no-validate", "-o", "out.jsonl", "-c", 4, "--target", server.url)

        assert 4 == ran.code
        assert server.requests <= 15
        assert "all requests so far failed in the same way" in ran.err
        assert "--predictions-at POINTER" in ran.err
        assert '{"status": "scored", "answer": {"count": 3}}' in ran.err
        assert {"no list of predictions is recognised in the reply"} == {each["detail"] for each in failed(cli)}
        assert 500 <= len(failed(cli)) <= 1000
        kept = [each["reply"] for each in failed(cli) if "reply" in each]
        assert {'{"status": "scored", "answer": {"count": 3}}'} == set(kept)
        assert 5 <= len(kept) <= 30

    def test_goes_on_from_the_first_row_once_it_is_mended(self, cli, server, thousand):
        command = ("score", "rows.csv", "--no-validate", "-o", "out.jsonl", "--target", server.url)
        server.behave = answering(b"no such column", status=400)
        assert 4 == cli(*command).code
        server.behave = plain

        assert 0 == cli(*command).code
        assert [f"p{n}" for n in range(1000)] == [each["prediction"] for each in lines(cli.directory / "out.jsonl")]

    def test_ends_the_job_of_several_workers(self, cli, server, thousand):
        server.behave = answering({"status": "scored"})
        ran = cli("score", "rows.csv", "--no-validate", "--workers", 2, "-o", "out.jsonl", "--target", server.url)

        assert 4 == ran.code
        assert server.requests <= 40
        assert "all requests so far failed in the same way" in ran.err

    def test_is_no_end_where_only_some_rows_are_bad(self, cli, server, thousand):
        bad = {n for n in range(1000) if n % 50 == 7}

        def behave(server, rows, body):
            ids = {int(row["id"]) for row in rows}
            return Answer(status=400, body=b"bad row") if ids & bad else plain(server, rows, body)

        server.behave = behave
        ran = cli("score", "rows.csv", "--no-validate", "-o", "out.jsonl", "--target", server.url)

        assert 4 == ran.code
        assert bad == {each["row"] for each in failed(cli)}


def test_a_place_that_is_named_is_where_predictions_are_read(cli, server):
    cli.write("rows.csv", "id\n1\n2\n")
    server.behave = answering({"result": [0, 0], "answer": {"mine": ["a", "b"]}})
    ran = cli("score", "rows.csv", "--no-validate", "--predictions-at", "/answer/mine", "--target", server.url)

    assert ["a", "b"] == [json.loads(line)["prediction"] for line in ran.out.splitlines()]
    server.behave = answering({"result": [0, 0]})
    ran = cli(
        "score",
        "rows.csv",
        "--no-validate",
        "--predictions-at",
        "/answer/mine",
        "-o",
        "out.jsonl",
        "--target",
        server.url,
    )
    assert {'no list of predictions is at "/answer/mine" in the reply'} == {each["detail"] for each in failed(cli)}


def test_a_place_can_be_in_the_file_of_endpoints(cli, server):
    cli.write("rows.csv", "id\n1\n2\n")
    cli.write("epkit.toml", f'[endpoints.a]\nuri = "{server.url}"\npredictions_at = "/answer"\nauth = "none"\n')
    server.behave = answering({"result": [0, 0], "answer": ["a", "b"]})
    ran = cli("score", "rows.csv", "--no-validate", "--target", "a")

    assert ["a", "b"] == [json.loads(line)["prediction"] for line in ran.out.splitlines()], ran.err


def test_a_forecast_in_another_order_comes_out_right(cli, server):
    rows = [(f"2026-01-0{day}", store) for day in (1, 2, 3) for store in ("b", "a")]
    cli.write("rows.csv", "date,store\n" + "".join(f"{date},{store}\n" for date, store in rows))

    def behave(server, rows, body):
        rows = sorted(rows, key=lambda row: (row["store"], row["date"]))
        forecast = [f"{row['store']} {row['date']}" for row in rows]
        times = [1_767_225_600_000 + 86_400_000 * (int(row["date"][-1]) - 1) for row in rows]
        index = [{"date": time, "store": row["store"]} for time, row in zip(times, rows, strict=True)]
        return Answer(body=json.dumps({"Results": {"forecast": forecast, "index": json.dumps(index)}}).encode())

    server.behave = behave
    ran = cli("score", "rows.csv", "--no-validate", "--target", server.url)

    assert 0 == ran.code, ran.err
    found = [json.loads(line)["prediction"] for line in ran.out.splitlines()]
    assert [f"{store} {date}" for date, store in rows] == found


def test_a_prediction_that_is_none_fails_its_row_alone(cli, server):
    cli.write("rows.csv", "id\n1\n2\n3\n4\n")
    server.behave = answering(b'{"predictions": [0.5, NaN, "inf", null]}')
    cli("score", "rows.csv", "--no-validate", "-o", "out.jsonl", "--target", server.url)

    assert [1, 2, 3] == [each["row"] for each in failed(cli)]
    assert ["NaN is no prediction", "inf is no prediction", "null is no prediction"] == [
        each["detail"] for each in failed(cli)
    ]
    assert [0.5, None, None, None] == [each["prediction"] for each in lines(cli.directory / "out.jsonl")]


def test_a_424_says_why_the_model_failed(cli, server):
    cli.write("rows.csv", "id\n1\n")
    headers = {"ms-azureml-model-error-reason": "model_error", "ms-azureml-model-error-statuscode": "500"}
    server.behave = answering({"message": "see the log"}, status=424, headers=headers)
    cli("score", "rows.csv", "--no-validate", "-o", "out.jsonl", "--target", server.url)
    bench = cli("bench", "-p", "rows.csv", "--no-validate", server.url)

    assert "the model's own status 500; its reason model_error; see the log" == failed(cli)[0]["detail"]
    assert "model_error" in bench.out


def test_a_page_and_a_promise_are_named_alike_in_score_and_bench(cli, server):
    cli.write("rows.csv", "id\n1\n")
    page = b"<html><head><title>Sign in</title></head></html>"
    for given, words in (
        ({"value": page, "headers": {"Content-Type": "text/html"}}, 'the reply is a page of HTML, "Sign in", not JSON'),
        ({"value": b"", "status": 202, "headers": {"Location": "/jobs/7"}}, "202, accepted for later"),
    ):
        value = given.pop("value")
        server.behave = answering(value, **given)
        cli("score", "rows.csv", "--no-validate", "-o", "out.jsonl", "--overwrite", "--restart", "--target", server.url)
        bench = cli("bench", "-p", "rows.csv", "--no-validate", server.url, "--format", "json")

        assert words in failed(cli)[0]["detail"]
        assert words in bench.report["failures"][0]["detail"]


class TestInBench:
    def test_a_number_that_does_not_fit_is_a_warning_without_a_contract(self, cli, server):
        cli.write("rows.json", '{"data": [{"id": 1}, {"id": 2}]}')
        server.behave = answering({"result": [1]})
        ran = cli("bench", "-n", 2, "-p", "rows.json", "--format", "json", server.url)

        assert 0 == ran.code, ran.err
        assert "unchecked" in ran.report["warning_kinds"]
        assert any("1 predictions for 2 rows" in text and "--check status" in text for text in ran.report["warnings"])
        workers = cli("bench", "-n", 2, "-c", 2, "--workers", 2, "-p", "rows.json", "--format", "json", server.url)
        assert "unchecked" in workers.report["warning_kinds"]

    def test_a_number_that_does_not_fit_is_a_failure_with_one(self, cli, server):
        cli.write("rows.json", '{"data": [{"id": 1}, {"id": 2}]}')
        row = {"type": "object", "properties": {"id": {"type": "integer"}}}
        body = {"type": "object", "properties": {"data": {"type": "array", "items": row}}}
        parameters = [{"in": "body", "name": "b", "schema": body}]
        contract = {"swagger": "2.0", "paths": {"/score": {"post": {"parameters": parameters}}}}
        cli.write("swagger.json", json.dumps(contract))
        server.behave = answering({"result": [1]})
        ran = cli("bench", "-n", 2, "-p", "rows.json", "--schema", "swagger.json", "--format", "json", server.url)

        assert {"mismatch": 2} == ran.failures

    def test_a_reply_without_predictions_is_a_failure(self, cli, server):
        cli.write("rows.json", '{"data": [{"id": 1}, {"id": 2}]}')
        server.behave = answering({"answer": "yes"})
        ran = cli("bench", "-p", "rows.json", "--format", "json", server.url)

        assert 4 == ran.code
        assert "no list of predictions is recognised in the reply" == ran.report["failures"][0]["detail"]
        assert 0 == cli("bench", "-p", "rows.json", "--check", "status", server.url).code

    def test_a_place_can_be_named(self, cli, server):
        cli.write("rows.json", '{"data": [{"id": 1}, {"id": 2}]}')
        server.behave = answering({"a": [1, 2], "b": {"c": [3, None]}})

        assert 0 == cli("bench", "-p", "rows.json", "--predictions-at", "/a", server.url).code
        assert 4 == cli("bench", "-p", "rows.json", "--predictions-at", "/b/c", server.url).code
        assert 2 == cli("bench", "-p", "rows.json", "--predictions-at", "b/c", server.url).code
