"""The payloads of a load: several files, lines, tables, generated bodies, in order or shuffled."""

import json

import polars as pl
import pytest

from support.cli_harness import TWO_ROWS, complaint
from support.predict_server import PredictServer


def sent(fault_server):
    return [json.loads(seen.body) for seen in fault_server.seen if seen.method == "POST"]


def test_files_are_sent_in_turn(cli, fault_server):
    one, two = cli.write("one.json", '{"data": [{"age": 1}]}'), cli.write("two.json", TWO_ROWS)
    ran = cli("bench", "-p", one, "-p", two, "-n", 4, "--check", "status", "--format", "json", fault_server.url("ok"))

    assert 0 == ran.code, ran.err
    assert [1, 2, 1, 2] == [len(body["data"]) for body in sent(fault_server)]
    assert ["one.json", "two.json"] == [payload["name"] for payload in ran.report["run"]["payloads"]]


def test_lines_are_cycled_or_shuffled_by_the_seed(cli, fault_server):
    lines = cli.write("rows.jsonl", "".join(f'{{"data": [{{"age": {age}}}]}}\n' for age in range(20)))

    def ages(*flags):
        fault_server.reset()
        ran = cli("bench", "-p", lines, "-n", 25, "--check", "status", *flags, fault_server.url("ok"))
        assert 0 == ran.code, ran.err
        return [body["data"][0]["age"] for body in sent(fault_server)]

    assert [*range(20), *range(5)] == ages()
    shuffled = ages("--shuffle", "--seed", 7)
    assert sorted(shuffled[:20]) == list(range(20)) != shuffled[:20]
    assert shuffled[:5] == shuffled[20:]
    assert shuffled == ages("--shuffle", "--seed", 7)
    assert shuffled != ages("--shuffle", "--seed", 8)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_of_a_table_are_wrapped_as_the_contract_wants_them(cli, fault_server, kind):
    name = cli.write("rows.csv", "age\n17\n87\n30\n41\n5\n")
    if kind == "parquet":
        pl.DataFrame({"age": [17, 87, 30, 41, 5]}).write_parquet(cli.directory / "rows.parquet")
        name = "rows.parquet"
    ran = cli("bench", "-p", name, "--batch-rows", 2, "-n", 3, "--format", "json", fault_server.url("ok"))

    assert [{"data": [{"age": 17}, {"age": 87}]}, {"data": [{"age": 30}, {"age": 41}]}, {"data": [{"age": 5}]}] == (
        sent(fault_server)
    )
    names = [payload["name"] for payload in ran.report["run"]["payloads"]]
    assert [f"rows.{kind} rows 0-1", f"rows.{kind} rows 2-3", f"rows.{kind} rows 4-4"] == names
    assert {"mismatch": 1} == ran.failures, "the reply has two predictions, the last body one row"


@pytest.mark.parametrize(
    ("wrap", "kind", "bodies"),
    [
        ("Inputs.data", "application/json", [b'{"Inputs": {"data": [{"age":17},{"age":87}]}}']),
        ("@oip", "application/json", [b'{"inputs": [{"name":"age","shape":[2],"datatype":"INT64","data":[17,87]}]}']),
        ("@csv", "text/csv", [b"17\n87\n"]),
        ("@row", "application/json", [b'{"age":17}', b'{"age":87}']),
    ],
)
def test_rows_of_a_table_are_wrapped_as_asked(cli, fault_server, wrap, kind, bodies):
    name = cli.write("rows.csv", "age\n17\n87\n")
    ran = cli("bench", "-p", name, "--wrap", wrap, "-n", len(bodies), fault_server.url("ok"))
    posts = [seen for seen in fault_server.seen if seen.method == "POST"]

    assert ran.code in (0, 4), ran.err
    assert bodies == [seen.body for seen in posts]
    assert {kind} == {dict(seen.headers)["Content-Type"] for seen in posts}


def test_rows_that_are_made_are_wrapped_as_asked(cli, fault_server):
    ran = cli("bench", "-p", "gen:rows=2", "--wrap", "@lists", "-n", 1, fault_server.url("ok"))
    made = cli("sample", "--rows", 2, "--wrap", "@lists", "--target", fault_server.url("ok"))

    assert 0 == ran.code, ran.err
    assert [json.loads(made.out)] == sent(fault_server)
    assert 2 == len(json.loads(made.out))


@pytest.mark.parametrize(
    ("command", "flags", "said"),
    [
        ("bench", ["-p", "body.json"], "--wrap: body.json has no rows to wrap: a table has, or gen:rows=K"),
        ("sample", ["--rows", 2, "--wrap", "@row"], "--wrap: a body holds one row, and 2 are asked for"),
        ("sample", ["--wrap", "@nothing"], None),
    ],
)
def test_what_cannot_be_wrapped_is_said(cli, fault_server, command, flags, said):
    cli.write("body.json", TWO_ROWS)
    target = [fault_server.url("ok")] if command == "bench" else ["--target", fault_server.url("ok")]
    wrap = [] if "--wrap" in flags else ["--wrap", "@oip"]
    line = complaint(cli(command, *flags, *wrap, *target), 2)

    assert line == said or said is None


def test_without_a_contract_rows_go_into_data_and_that_is_said(cli):
    name = cli.write("rows.csv", "age,name\n17,x\n")
    with PredictServer() as server:
        ran = cli("bench", "-p", name, "--no-validate", "--check", "status", server.url)

        assert 0 == ran.code
        assert [{"data": [{"age": 17, "name": "x"}]}] == [json.loads(body) for body in server.bodies]
    assert ['epkit: no contract says how rows are wrapped: they are sent as {"data": [{…}]}'] == ran.lines


def test_a_table_of_another_content_type_is_sent_as_it_is(cli, fault_server):
    name = cli.write("rows.csv", "age\n17\n")
    cli("bench", "-p", name, "-T", "text/csv", "--no-validate", fault_server.url("ok"))

    assert [b"age\n17\n"] == [seen.body for seen in fault_server.seen]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("age\nold\n", 3, 'rows.csv:2:1: "old" is not an integer'),
        ("agee\n17\n", 3, "rows.csv"),
        ("age\n", 3, "there are no rows"),
        ("", 2, "rows.csv: the file is empty"),
    ],
)
def test_rows_that_cannot_be_sent_are_refused_where_they_stand(cli, fault_server, text, code, said):
    name = cli.write("rows.csv", text)
    ran = cli("bench", "-p", name, fault_server.url("ok"))

    assert said in complaint(ran, code)
    assert [] == sent(fault_server)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["-p", "none.csv"], "none.csv: no such file"),
        (["-p", "none.parquet"], "none.parquet: no such file"),
        (["-p", "rows.csv", "--batch-rows", 0], "--batch-rows 0: must be 1 row or more"),
    ],
)
def test_tables_that_are_not_there(cli, fault_server, flags, said):
    cli.write("rows.csv", "age\n17\n")

    assert said in complaint(cli("bench", *flags, fault_server.url("ok")), 2)


def test_what_is_no_parquet_is_said(cli, fault_server):
    name = cli.write("rows.parquet", "age\n17\n")

    assert "rows.parquet: not a Parquet file" in complaint(cli("bench", "-p", name, fault_server.url("ok")), 2)


def test_bodies_are_made_from_the_contract(cli, fault_server):
    ran = cli("bench", "-p", "gen:rows=2", "-n", 2, fault_server.url("ok"))

    assert 0 == ran.code, ran.err
    assert [2, 2] == [len(body["data"]) for body in sent(fault_server)]
