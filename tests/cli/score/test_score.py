"""`epkit score` from the command line: its inputs, its outputs, and its messages."""

import csv
import gzip
import io
import json
import signal
import time

import polars as pl
import pytest

from support.cli_harness import complaint
from support.predict_server import Answer, PredictServer, plain, poisoned, predicted, rows_of, throttling, too_large


@pytest.fixture
def server():
    with PredictServer() as running:
        yield running


CONTRACT = {
    "swagger": "2.0",
    "paths": {
        "/score": {
            "post": {
                "parameters": [
                    {
                        "in": "body",
                        "schema": {
                            "type": "object",
                            "properties": {
                                "data": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "properties": {
                                            "id": {"type": "integer", "format": "int64"},
                                            "size": {"type": "number", "format": "double"},
                                            "text": {"type": "string"},
                                            "yes": {"type": "boolean"},
                                        },
                                    },
                                }
                            },
                            "example": {"data": [{"id": 7, "size": 1.5, "text": "a", "yes": True}]},
                        },
                    }
                ]
            }
        }
    },
}


def table(count, start=0):
    return "id,name\n" + "".join(f"{n},n{n}\n" for n in range(start, start + count))


def lines(text):
    return [json.loads(line) for line in text.split("\n") if line]


def expected(count):
    return [{"row": n, "prediction": f"p{n}"} for n in range(count)]


NO = "--no-validate"


def test_json_lines_in_a_pipe_are_number_and_prediction_to_the_letter(cli, server):
    cli.write("rows.json", '[{"id": 0}, {"id": 1}]')
    ran = cli("score", "rows.json", "--target", server.url, NO)

    assert 0 == ran.code
    assert '{"row": 0, "prediction": "p0"}\n{"row": 1, "prediction": "p1"}\n'.replace('"p', '"p') == ran.out


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.json"])
@pytest.mark.parametrize("out", [".csv", ".jsonl", ".parquet"])
def test_every_form_goes_in_and_comes_out_with_every_row_once_and_in_order(cli, server, name, out):
    frame = pl.DataFrame({"id": range(1234), "name": [f"n{n}" for n in range(1234)]})
    path = cli.directory / name
    match name:
        case "rows.csv":
            frame.write_csv(path)
        case "rows.jsonl":
            frame.write_ndjson(path)
        case "rows.parquet":
            frame.write_parquet(path)
        case _:
            path.write_text(json.dumps({"data": frame.to_dicts()}))
    ran = cli("score", name, "--target", server.url, NO, "-o", f"out{out}", "-c", 5)

    assert 0 == ran.code, ran.err
    found = {
        ".csv": lambda p: pl.read_csv(p),
        ".jsonl": lambda p: pl.read_ndjson(p),
        ".parquet": lambda p: pl.read_parquet(p),
    }[out](cli.directory / f"out{out}")
    assert frame.with_columns(prediction=pl.Series([f"p{n}" for n in range(1234)])).equals(found)
    assert 13 == server.requests
    assert [] == [f for f in cli.directory.iterdir() if "failed" in f.name or "parts" in f.name]


@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "parquet"])
def test_stdin_is_known_by_how_it_begins(cli, server, form):
    frame = pl.DataFrame({"id": [0, 1], "name": ["n0", "n1"]})
    stream = io.BytesIO()
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "json": frame.write_json, "parquet": frame.write_parquet}[
        form
    ](stream)
    ran = cli("score", "-", "--target", server.url, NO, stdin=stream.getvalue())

    assert expected(2) == lines(ran.out)


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.jsonl.gz", "rows.gz", "-"])
def test_a_compressed_table_is_what_it_holds(cli, server, name):
    text = "".join(f'{{"id": {n}, "name": "n{n}"}}\n' for n in range(5)) if "json" in name else table(5)
    packed = gzip.compress(text.encode())
    if name == "-":
        ran = cli("score", "-", "--target", server.url, NO, stdin=packed)
    else:
        (cli.directory / name).write_bytes(packed)
        ran = cli("score", name, "--target", server.url, NO)

    assert (0, expected(5)) == (ran.code, lines(ran.out))


def test_long_lines_on_stdin_are_lines_all_the_same(cli, server):
    rows = [{"id": n, "text": "x" * 200_000} for n in range(3)]
    ran = cli("score", "-", "--target", server.url, NO, stdin="\n".join(map(json.dumps, rows)).encode())

    assert expected(3) == lines(ran.out)


def test_columns_become_rows_where_the_contract_has_rows(cli, server):
    server.contract = (
        json.dumps(CONTRACT)
        .encode()
        .replace(b'"type": "array",', b'"type": "array", "format": "pandas.DataFrame:records",')
    )
    cli.write("rows.json", '{"data": {"id": [1, 2], "size": [0.5, 1.5], "text": ["a", "b"], "yes": [true, false]}}')
    ran = cli("score", "rows.json", "--target", server.url)

    assert ["p1", "p2"] == [line["prediction"] for line in lines(ran.out)]
    assert {"id": 1, "size": 0.5, "text": "a", "yes": True} == rows_of(server.bodies[0])[0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"data": []}', "there are no rows"),
        ('{"rows": [{"id": 1}]}', 'the key "data", which holds the rows, is missing'),
        ('{"Data": [{"id": 1}]}', 'there is "Data": did you mean "data"?'),
    ],
)
def test_a_whole_body_is_checked_before_its_rows_are_looked_for(cli, server, body, words):
    server.contract = json.dumps(CONTRACT).encode()
    cli.write("rows.json", body)

    assert words in complaint(cli("score", "rows.json", "--target", server.url), 3)
    assert words in complaint(cli("score", "rows.json", "--target", server.url, "--skip-invalid"), 3)


def test_a_single_row_in_a_line_is_a_row(cli, server):
    ran = cli("score", "-", "--target", server.url, NO, stdin=b'{"id": 0, "name": "x"}')

    assert expected(1) == lines(ran.out)


def test_a_csv_echoes_its_own_text_to_the_letter(cli, server):
    text = 'id,zip,size,text\n0,00123,1.50,"a, ""b""\n c"\n1,04000,2.00,😀\r\n2,1,3e2,\n'
    cli.write("rows.csv", text)
    ran = cli("score", "rows.csv", "--target", server.url, NO, "-o", "out.csv")

    assert 0 == ran.code
    found = list(csv.reader(io.StringIO(cli.read("out.csv"))))
    assert ["id", "zip", "size", "text", "prediction"] == found[0]
    assert [*csv.reader(io.StringIO(text))][1:] == [row[:-1] for row in found[1:]]
    sent = rows_of(server.bodies[0])
    assert [0, "00123", 1.5, 'a, "b"\n c'] == list(sent[0].values())
    assert [2, "1", 300.0, None] == list(sent[2].values())


BODIES = {
    None: '{"data": [{"id":0,"name":"n0"},{"id":1,"name":"n1"}]}',
    "Inputs.data": '{"Inputs": {"data": [{"id":0,"name":"n0"},{"id":1,"name":"n1"}]}}',
    "dataframe_records": '{"dataframe_records": [{"id":0,"name":"n0"},{"id":1,"name":"n1"}]}',
    "dataframe_split": '{"dataframe_split": {"columns": ["id", "name"], "data": [[0,"n0"],[1,"n1"]]}}',
    "instances": '{"instances": [{"id":0,"name":"n0"},{"id":1,"name":"n1"}]}',
    "instances:lists": '{"instances": [[0,"n0"],[1,"n1"]]}',
    "inputs": '{"inputs": {"id":[0,1],"name":["n0","n1"]}}',
    "@azure": '{"Inputs": {"data": [{"id":0,"name":"n0"},{"id":1,"name":"n1"}]}}',
    "@list": '[{"id":0,"name":"n0"},{"id":1,"name":"n1"}]',
    "@lists": '[[0,"n0"],[1,"n1"]]',
    "@seldon": '{"data": {"names": ["id", "name"], "ndarray": [[0,"n0"],[1,"n1"]]}}',
    "@oip": (
        '{"inputs": [{"name":"id","shape":[2],"datatype":"INT64","data":[0,1]},'
        '{"name":"name","shape":[2],"datatype":"BYTES","data":["n0","n1"]}]}'
    ),
    "@jsonlines": '{"id":0,"name":"n0"}\n{"id":1,"name":"n1"}',
    "@csv": "0,n0\n1,n1\n",
    "a.b.c:split": '{"a": {"b": {"c": {"columns": ["id", "name"], "data": [[0,"n0"],[1,"n1"]]}}}}',
}


@pytest.mark.parametrize(("wrap", "body"), BODIES.items())
def test_rows_are_wrapped_as_asked(cli, server, wrap, body):
    cli.write("rows.csv", table(2))
    flags = [] if wrap is None else ["--wrap", wrap]
    ran = cli("score", "rows.csv", "--target", server.url, NO, *flags)

    assert body == server.bodies[0].decode()
    assert expected(2) == lines(ran.out)


def test_a_row_a_request_where_the_body_is_one(cli, server):
    cli.write("rows.csv", table(3))
    ran = cli("score", "rows.csv", "--target", server.url, NO, "--wrap", "@row")

    assert ['{"id":0,"name":"n0"}', '{"id":1,"name":"n1"}', '{"id":2,"name":"n2"}'] == [
        body.decode() for body in sorted(server.bodies)
    ]
    assert expected(3) == lines(ran.out)


def test_the_path_of_a_target_tells_the_shape(cli, server):
    cli.write("rows.csv", table(2))
    ran = cli("score", "rows.csv", "--target", f"{server.url.removesuffix('/score')}/v2/models/m/infer", NO)

    assert "inputs" in json.loads(server.bodies[0])
    assert "wrapped" not in ran.err


@pytest.mark.parametrize(
    ("wrap", "kind"), [("@csv", "text/csv"), ("@jsonlines", "application/jsonlines"), ("@oip", "application/json")]
)
def test_the_content_type_is_that_of_the_shape(cli, server, wrap, kind):
    cli.write("rows.csv", table(1))
    ran = cli("score", "rows.csv", "--target", server.url, NO, "--wrap", wrap, "--dry-run")

    assert f"Content-Type: {kind}" in ran.out + ran.err


@pytest.mark.parametrize(
    "body", [body for body in BODIES.values() if '"a"' not in body and body[0] == "{" and "\n" not in body]
)
def test_a_body_keeps_its_own_wrapping(cli, server, body):
    cli.write("rows.json", body)
    ran = cli("score", "rows.json", "--target", server.url, NO, "--batch-rows", 1)

    assert expected(2) == lines(ran.out)
    assert 2 == server.requests
    assert {1} == {len(rows_of(sent)) for sent in server.bodies}
    assert next(iter(json.loads(body))) in json.loads(server.bodies[0])


def test_parameters_go_where_the_body_has_them(cli, server):
    cli.write("v1.json", '{"data": [{"id": 0}], "method": "predict"}')
    cli.write("v2.json", '{"Inputs": {"data": [{"id": 0}]}, "GlobalParameters": {"a": 1}}')
    for name in ("v1.json", "v2.json"):
        cli("score", name, "--target", server.url, NO, "--method", "predict_proba", "--param", "x=[1]")

    first, second = map(json.loads, server.bodies)
    assert {"data": [{"id": 0}], "method": "predict_proba", "x": [1]} == first
    assert {"a": 1, "method": "predict_proba", "x": [1]} == second["GlobalParameters"]


def test_probabilities_are_a_column_for_each_class(cli, server):
    server.behave = lambda _s, rows, _b: Answer(body=json.dumps({"result": [[0.25, 0.75] for _ in rows]}).encode())
    cli.write("rows.csv", table(3))
    for out in ("out.csv", "out.jsonl", "out.parquet"):
        cli("score", "rows.csv", "--target", server.url, NO, "-o", out, "--method", "predict_proba")

    assert "id,name,probability_0,probability_1" == cli.read("out.csv").splitlines()[0]
    assert "2,n2,0.25,0.75" == cli.read("out.csv").splitlines()[3]
    assert {"id": 0, "name": "n0", "probability_0": 0.25, "probability_1": 0.75} == lines(cli.read("out.jsonl"))[0]
    assert ["id", "name", "probability_0", "probability_1"] == pl.read_parquet(cli.directory / "out.parquet").columns


def test_a_column_of_the_input_is_not_called_as_one_of_the_predictions_is(cli, server):
    server.behave = lambda _s, rows, _b: Answer(body=json.dumps([{"no": 0.25, "yes": 0.75} for _ in rows]).encode())
    cli.write("rows.csv", "id,probability_yes\n1,2\n")
    ran = cli("score", "rows.csv", "--target", server.url, NO, "--wrap", "data", "-o", "out.csv")

    assert '-o: the input has a column "probability_yes" already: rename or drop it' == complaint(ran, 2)
    assert 0 == cli("score", "rows.csv", "--target", server.url, NO).code


def test_classes_are_named_where_the_reply_names_them(cli, server):
    server.behave = lambda _s, rows, _b: Answer(body=json.dumps([{"no": 0.25, "yes": 0.75} for _ in rows]).encode())
    cli.write("rows.csv", table(1))
    cli("score", "rows.csv", "--target", server.url, NO, "-o", "out.csv")

    assert "id,name,probability_no,probability_yes\n0,n0,0.25,0.75\n" == cli.read("out.csv")


def test_rows_are_typed_by_the_contract_and_checked_before_any_is_sent(cli, server):
    server.contract = json.dumps(CONTRACT).encode()
    cli.write("good.csv", "id,size,text,yes\n9007199254740993,5,17,TRUE\n")
    cli.write("bad.csv", "id,size,text,yes\n1,1.5,a,true\nold,1.5,a,true\n")
    good = cli("score", "good.csv", "--target", server.url)
    bad = cli("score", "bad.csv", "--target", server.url, "-o", "out.csv")

    assert 0 == good.code, good.err
    assert {"id": 9007199254740993, "size": 5.0, "text": "17", "yes": True} == rows_of(server.bodies[0])[0]
    assert complaint(bad, 3).startswith('bad.csv:3:1: "old" is not an integer (row 1)')
    assert 1 == server.requests
    assert not (cli.directory / "out.csv").exists()


def test_without_a_file_the_example_is_scored(cli, server):
    server.contract = json.dumps(CONTRACT).encode()
    ran = cli("score", "--target", server.url)

    assert [{"row": 0, "prediction": "p7"}] == lines(ran.out)


def test_invalid_rows_are_listed_and_the_others_sent(cli, server):
    server.contract = json.dumps(CONTRACT).encode()
    rows = [f"{'old' if n in (0, 7, 8, 499) else n},1.5,a,true" for n in range(500)]
    cli.write("rows.csv", "\n".join(["id,size,text,yes", *rows]) + "\n")
    ran = cli("score", "rows.csv", "--target", server.url, "--skip-invalid", "-o", "out.csv")

    failed = lines(cli.read("out.csv.failed.jsonl"))
    assert 4 == ran.code
    assert [0, 7, 8, 499] == [entry["row"] for entry in failed]
    assert ["row", "reason", "status", "detail", "input"] == list(failed[0])
    assert ("contract", None, "old") == (failed[0]["reason"], failed[0]["status"], failed[0]["input"]["id"])
    assert '"old" is not an integer' in failed[0]["detail"]
    assert 496 == sum(server.scored.values())
    found = cli.read("out.csv").splitlines()
    assert 501 == len(found)
    assert ["old,1.5,a,true,", "1,1.5,a,true,p1"] == found[1:3]


def test_a_poisoned_row_costs_one_row(cli, server):
    server.behave = poisoned(777)
    cli.write("rows.csv", table(1000))
    ran = cli("score", "rows.csv", "--target", server.url, NO, "-o", "out.jsonl")

    assert 4 == ran.code
    found = lines(cli.read("out.jsonl"))
    assert [f"p{n}" if n != 777 else None for n in range(1000)] == [row["prediction"] for row in found]
    assert [
        {
            "row": 777, "reason": "status", "status": 500, "detail": "cannot score this",
            "input": {"id": 777, "name": "n777"},
        }
    ] == lines(cli.read("out.jsonl.failed.jsonl"))  # fmt: skip
    assert server.requests < 10 + 20
    assert {1} == set(server.scored.values())
    assert "1 of 1,000 rows failed: status 500: cannot score this" in ran.err


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": "no such column"}', "application"),
        (b'"{\\"error\\": \\"no such column\\"}"', "application"),
        (b'{"result": ["a", "b", "c"]}', "mismatch"),
        (b'{"result": []}', "mismatch"),
        (b"<html>", "contract"),
        (b"", "empty"),
        (b'{"result": [null]}', "empty"),
        (b'{"result": [NaN]}', "empty"),
        (b'{"result": [["a", "list"]]}', "mismatch"),
    ],
)
def test_a_reply_that_is_none_is_a_failed_row(cli, server, body, reason):
    def behave(server, rows, whole):
        bad = any(row["id"] == 42 for row in rows)
        if bad and len(rows) > 1:
            return Answer(body=b'{"result": []}')
        return Answer(body=body) if bad else plain(server, rows, whole)

    server.behave = behave
    cli.write("rows.csv", table(100))
    ran = cli("score", "rows.csv", "--target", server.url, NO, "-o", "out.csv")

    assert 4 == ran.code
    (failed,) = lines(cli.read("out.csv.failed.jsonl"))
    assert (42, reason) == (failed["row"], failed["reason"])
    assert [f"{n},n{n},{f'p{n}' if n != 42 else ''}" for n in range(100)] == cli.read("out.csv").splitlines()[1:]


def test_the_reply_to_another_request_is_not_taken(cli, server):
    def behave(server, rows, whole):
        if server.requests == 3:
            return Answer(
                body=json.dumps(["x"] * len(rows)).encode(), headers={"x-ms-client-request-id": "somebody-else"}
            )
        return plain(server, rows, whole)

    server.behave = behave
    cli.write("rows.csv", table(1000))
    ran = cli("score", "rows.csv", "--target", server.url, NO)

    assert 0 == ran.code
    assert expected(1000) == lines(ran.out)
    assert len(server.headers) == len({headers["x-ms-client-request-id"] for headers in server.headers})


def test_a_413_halves_the_batch_and_goes_on(cli, server):
    server.behave = too_large(30)
    cli.write("rows.csv", table(1000))
    ran = cli("score", "rows.csv", "--target", server.url, NO)

    assert 0 == ran.code
    assert expected(1000) == lines(ran.out)
    assert server.requests < 80


def test_no_body_is_longer_than_allowed_and_a_row_that_would_be_is_not_sent(cli, server):
    rows = [{"id": n, "text": "x" * (50 if n != 5 else 2000)} for n in range(100)]
    cli.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    ran = cli("score", "rows.jsonl", "--target", server.url, NO, "--batch-bytes", 1000, "-o", "out.csv")

    assert 4 == ran.code
    assert max(map(len, server.bodies)) <= 1000
    (failed,) = lines(cli.read("out.csv.failed.jsonl"))
    assert (5, "size") == (failed["row"], failed["reason"])
    assert "--batch-bytes allows 1,000" in failed["detail"]
    assert 99 == sum(server.scored.values())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_stops_at_once_with_the_reason(cli, server, status):
    server.behave = lambda *_: Answer(status=status)
    cli.write("rows.csv", table(1000))
    ran = cli("score", "rows.csv", "--target", server.url, NO, "-o", "out.csv", "-c", 2)

    assert 4 == ran.code
    assert server.requests <= 2
    assert f"{status}: " in ran.lines[-1]
    assert "the same command goes on" in ran.lines[-1]
    assert not (cli.directory / "out.csv.failed.jsonl").exists()
    server.behave = plain
    again = cli("score", "rows.csv", "--target", server.url, NO, "-o", "out.csv", "-c", 2)

    assert 0 == again.code
    assert [f"{n},n{n},p{n}" for n in range(1000)] == cli.read("out.csv").splitlines()[1:]


def test_odd_values_arrive_unchanged(cli, server):
    values = [
        2**53 + 1, -(2**62), 2**70, 0.1, 1e300, True, None, "", "😀\u2028", 'quo"te', "new\nline", "x" * 1_000_000, "a,b",
    ]  # fmt: skip
    rows = [{"id": n, "value": value} for n, value in enumerate(values)]
    cli.write("rows.json", json.dumps(rows))
    cli.write("rows.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    for name in ("rows.json", "rows.jsonl"):
        server.bodies.clear()
        ran = cli("score", name, "--target", server.url, NO, "-o", f"{name}.out.jsonl")

        assert 0 == ran.code
        sent = sorted((row for body in server.bodies for row in rows_of(body)), key=lambda row: row["id"])
        assert [(type(value), value) for value in values] == [(type(row["value"]), row["value"]) for row in sent]
        written = lines(cli.read(f"{name}.out.jsonl"))
        assert values == [row["value"] for row in written]


def test_long_cells_of_a_csv_go_a_row_at_a_time(cli, server):
    cells = [str(n) * 1_000_000 for n in range(10)] + ["x"]
    cli.write("rows.csv", "id,text\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)))
    ran = cli("score", "rows.csv", "--target", server.url, NO, "-o", "out.csv")

    assert 0 == ran.code, ran.err
    assert max(map(len, server.bodies)) <= 1_500_000
    assert cells == [
        row["text"] for row in sorted((r for b in server.bodies for r in rows_of(b)), key=lambda r: r["id"])
    ]
    assert [f"{n},{cell},p{n}" for n, cell in enumerate(cells)] == cli.read("out.csv").splitlines()[1:]


def test_what_json_has_no_word_for_arrives_as_the_word_that_python_reads(cli, server):
    frame = pl.DataFrame({"id": [0, 1, 2], "value": [float("nan"), float("inf"), 1.5]})
    frame.write_parquet(cli.directory / "rows.parquet")
    cli("score", "rows.parquet", "--target", server.url, NO)

    assert b'{"data": [{"id":0,"value":NaN},{"id":1,"value":Infinity},{"id":2,"value":1.5}]}' == server.bodies[0]


def test_a_dry_run_sends_nothing_and_shows_no_key(cli, server, canary):
    cli.write("rows.csv", table(3))
    cli.environ["EPKIT_KEY"] = canary
    ran = cli("score", "rows.csv", "--target", server.url, NO, "--dry-run", "--batch-rows", 2)

    assert 0 == ran.code
    assert 0 == server.requests
    assert "Authorization: Bearer ***" in ran.out
    assert '{"data": [{"id":0,"name":"n0"},{"id":1,"name":"n1"}]}' in ran.out


def test_a_key_echoed_by_the_endpoint_is_masked_in_what_is_written(cli, server, canary):
    server.behave = lambda _s, _r, _b: Answer(status=500, body=f'{{"message": "key {canary}"}}'.encode())
    cli.write("rows.csv", table(2))
    cli.environ["EPKIT_KEY"] = canary
    ran = cli("score", "rows.csv", "--target", server.url, NO, "-o", "out.csv")

    assert 4 == ran.code
    assert "key ***" in cli.read("out.csv.failed.jsonl")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["nope.csv"], "nope.csv: no such file"),
        (["rows.csv", "-o", "out.txt"], "-o out.txt: the name ends in one of .jsonl, .csv, .parquet"),
        (["rows.csv", "-o", "no/out.csv"], "-o no/out.csv: there is no directory no"),
        (["rows.csv", "-o", "rows.csv"], "-o rows.csv is the input itself"),
        (["rows.csv", "-c", "0"], "-c 0: must be from 1 to 10,000"),
        (["rows.csv", "--rate", "0"], "--rate 0: must be more than 0 and at most a million requests a second"),
        (["rows.csv", "--method", "guess"], "--method guess: not one of predict, predict_proba"),
        (["rows.csv", "--param", "x"], "--param x: must be KEY=JSON"),
        (["rows.csv", "--wrap", "a..b"], "--wrap a..b: keys are written with points between them, such as Inputs.data"),
        (
            ["rows.csv", "--wrap", "a:b"],
            (
                "--wrap a:b: the shape after the colon is one of records, lists, values, split, ndarray, table, "
                "columns, index, dicts, tensors, tensor, row, cells"
            ),
        ),
        (
            ["rows.csv", "--wrap", "data:table"],
            "--wrap: a table has a schema, which comes from a contract's example: name one with --schema",
        ),
        (
            ["rows.csv", "--wrap", "data:values"],
            "rows.csv: the body holds one value a row, but there are the columns id, name: keep one",
        ),
        (["rows.csv", "--wrap", "@nothing"], None),
        (["taken.csv", "-o", "out.csv"], '-o: the input has a column "prediction" already: rename or drop it'),
        (["broken.jsonl"], "broken.jsonl:2:1: not JSON: expecting value"),
        (["empty.json"], "empty.json: empty: there is nothing to send"),
        (["rows.csv", "--target", "unknown"], None),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(cli, server, flags, words):
    cli.write("rows.csv", table(2))
    cli.write("taken.csv", "id,prediction\n1,2\n")
    cli.write("broken.jsonl", '{"id": 1}\nnope\n')
    cli.write("empty.json", "")
    target = [] if "--target" in flags else ["--target", server.url, NO]
    said = complaint(
        cli("score", *flags, *target, "--wrap", "data") if "--wrap" not in flags else cli("score", *flags, *target), 2
    )

    assert words is None or said == words
    assert 0 == server.requests


def test_the_summary_tells_rows_reasons_and_times(cli, server):
    server.behave = poisoned(1, 2)
    cli.write("rows.csv", table(10))
    ran = cli("score", "rows.csv", "--target", server.url, NO)

    assert ran.lines[1].startswith("10 rows, 2 failed, ")
    assert any(line.startswith("a request took p50 ") for line in ran.lines)
    assert "2 x status 500: cannot score this, first row 1" in ran.lines


def test_a_rate_is_kept(cli, server):
    cli.write("rows.csv", table(40))
    ran = cli("score", "rows.csv", "--target", server.url, NO, "--batch-rows", 1, "--rate", 100)

    assert 0 == ran.code
    assert 40 == server.requests
    assert server.times[-1] - server.times[0] >= 0.33


def test_a_reader_that_goes_away_ends_the_job_quietly(cli, server):
    cli.write("rows.csv", table(5000))
    with cli.start("score", "rows.csv", "--target", server.url, NO) as process:
        process.stdout.close()
        err = process.stderr.read().decode()
        process.wait(20)

    assert 0 == process.returncode
    assert "Traceback" not in err
    assert "stdout was closed before everything was written" in err


def test_predicted_names_the_first_cell():
    assert b'{"result": ["p1", "pa"]}' == predicted([{"x": 1, "y": 2}, ["a", 3]])


def test_a_storm_of_refusals_ends_complete(cli, server):
    server.behave = throttling(every=2, header="retry-after-ms:5")
    cli.write("rows.csv", table(3000))
    ran = cli("score", "rows.csv", "--target", server.url, NO)

    assert 0 == ran.code
    assert expected(3000) == lines(ran.out)
    assert {1} == set(server.scored.values())


@pytest.mark.parametrize("more", [(), ("--workers", 2)])
@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("Retry-After:30", "30 s (Retry-After): waiting"),
        ("Retry-After:99999", "99,999 s (Retry-After), which is too long: the next request is sent in 300 s"),
    ],
)
def test_a_long_wait_is_told_in_a_line_and_ctrl_c_ends_it_at_once(cli, server, header, shown, more):
    server.behave = throttling(every=1, header=header)
    cli.write("rows.csv", table(30))
    with cli.start("score", "rows.csv", "--target", server.url, NO, "--wrap", "data", "-c", 4, *more) as process:
        line = process.stderr.readline().decode()
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        ran = cli.finished(process)

    assert f"epkit: the endpoint asks to wait {shown}" == line.rstrip()
    assert (130, 0) == (ran.code, server.scored.total())
    assert time.monotonic() - asked < 15
    assert any(text.startswith("the endpoint asked to wait once (Retry-After), ") for text in ran.err.splitlines())


def test_a_prediction_too_deep_to_be_written_costs_its_row_alone(cli, fault_server):
    cli.write("rows.json", '{"data": [{"age": 1}, {"age": 2}]}')
    ran = cli("score", "rows.json", NO, "--target", fault_server.url("nested"), "-o", "out.jsonl", "--retries", 0)

    assert 4 == ran.code, ran.err
    assert "it is nested deeper than 500 levels" in cli.read("out.jsonl.failed.jsonl")
    assert 2 == len(cli.read("out.jsonl").splitlines())
