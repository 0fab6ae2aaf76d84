"""Commands on servers that publish other kinds of contract: the contract is found and used for bodies and checks."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.cli_harness import Cli, complaint
from support.made_contracts import REF, SPLIT, azure, fastapi, model, openapi
from support.publishing_server import PublishingServer

TABLE = "income,age\n2.5,1\n3.5,2\n4.5,3\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x01"
MANY = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": REF}}}


def predicted(age: float, income: float) -> float:
    return 2 * age + 0.5 * income + 1


def answer(path: str, body: bytes) -> Any:
    """Score like each of the servers; an unexpected body gets a reply that fails the test."""
    if path == "/image":
        return [len(body)]
    value = json.loads(body)
    if path == "/row":
        return {"predictions": [predicted(value["age"], value["income"])]}
    if path.startswith("/v2/"):
        columns = {tensor["name"]: tensor["data"] for tensor in value["inputs"]}
        if "x" in columns:
            pairs = [columns["x"][place : place + 2] for place in range(0, len(columns["x"]), 2)]
        else:
            pairs = list(zip(columns["age"], columns["income"], strict=True))
        return {"predictions": [predicted(*pair) for pair in pairs]}
    rows = value["data"] if "data" in value else value["rows"]
    if isinstance(rows, dict):
        rows = [dict(zip(rows["columns"], row, strict=True)) for row in rows["data"]]
    return {"predictions": [predicted(row["age"], row["income"]) for row in rows]}


def documents() -> dict[str, Any]:
    app = fastapi("/row", REF)
    image = openapi("/image", {"type": "string", "format": "binary"}, media="image/png")
    app["paths"] |= {"/rows/{name}": fastapi("/x", MANY)["paths"]["/x"], **image["paths"]}
    return {
        "/openapi.json": app,
        "/v2/models/named": model(("age", "INT64", [-1]), ("income", "FP64", [-1]), name="named"),
        "/v2/models/one": model(("x", "FP64", [-1, 2])),
        "/azure/swagger.json?version=3": azure(SPLIT, {"columns": ["age", "income"], "index": [0], "data": [[1, 2.5]]}),
    }


@pytest.fixture
def server() -> Iterator[PublishingServer]:
    with PublishingServer(documents(), answer) as running:
        yield running


@pytest.fixture
def cli(tmp_path: Any) -> Cli:
    made = Cli(directory=tmp_path)
    made.write("rows.csv", TABLE)
    return made


TARGETS = ("/row", "/rows/churn", "/v2/models/named/infer")


@pytest.mark.parametrize("path", [*TARGETS, "/v2/models/one/infer"])
def test_a_body_is_made_and_is_valid_and_scored(cli: Cli, server: PublishingServer, path: str) -> None:
    rows = () if path == "/row" else ("--rows", 2)
    made = cli("sample", "--target", server.origin + path, *rows, "-o", "body.json")
    valid = cli("validate", "body.json", "--target", server.origin + path)

    assert (0, "") == (made.code, made.err)
    assert (0, "body.json: valid\n") == (valid.code, valid.out)
    assert answer(path, cli.read("body.json").encode())


@pytest.mark.parametrize("path", TARGETS)
def test_a_table_is_scored_row_by_row(cli: Cli, server: PublishingServer, path: str) -> None:
    ran = cli("score", "rows.csv", "--target", server.origin + path, "-o", "out.csv", "--batch-rows", 2)
    lines = cli.read("out.csv").splitlines()[1:]

    assert 0 == ran.code, ran.err
    assert [predicted(1, 2.5), predicted(2, 3.5), predicted(3, 4.5)] == [float(line.split(",")[-1]) for line in lines]
    assert len(server.scored) == (3 if path == "/row" else 2)


def test_tensors_come_in_the_models_order_with_its_datatypes(cli: Cli, server: PublishingServer) -> None:
    cli("score", "rows.csv", "--target", f"{server.origin}/v2/models/named/infer", "-o", "out.csv")
    (_, _, body), *_ = server.scored

    assert [("age", "INT64", [3], [1, 2, 3]), ("income", "FP64", [3], [2.5, 3.5, 4.5])] == [
        (tensor["name"], tensor["datatype"], tensor["shape"], tensor["data"]) for tensor in json.loads(body)["inputs"]
    ]


def test_the_genuine_servers_other_version_is_read(cli: Cli, server: PublishingServer) -> None:
    supported = "Swagger version [2] is not supported for the scoring script. Supported swagger versions: [3, 3.1]."
    kept = documents()["/azure/swagger.json?version=3"]
    cli.write("split.json", json.dumps(kept))
    ran = cli("score", "rows.csv", "--target", f"{server.origin}/score", "--schema", "split.json", "--dry-run")

    assert 0 == ran.code, ran.err
    assert '{"data": {"columns": ["income", "age"], "data": [[2.5,1],[3.5,2],[4.5,3]]}}' in ran.out
    assert supported  # the tests of discovery check the answer itself


@pytest.mark.parametrize(
    ("flags", "body"),
    [
        (("--wrap", "@mlflow-split"), {"dataframe_split": {"columns": ["income", "age"], "data": [[2.5, 1], [3.5, 2], [4.5, 3]]}}),
        (("--wrap", "inputs:columns"), {"inputs": {"income": [2.5, 3.5, 4.5], "age": [1, 2, 3]}}),
        (("--no-validate",), {"rows": [{"income": 2.5, "age": 1}, {"income": 3.5, "age": 2}, {"income": 4.5, "age": 3}]}),
    ],
)  # fmt: skip
def test_a_wrapping_of_the_users_own_keeps_columns_and_no_verdict_keeps_the_wrapping(
    cli: Cli, server: PublishingServer, flags: tuple[str, ...], body: Any
) -> None:
    ran = cli("score", "rows.csv", "--target", f"{server.origin}/rows/churn", "--dry-run", *flags)

    assert 0 == ran.code, ran.err
    assert body == json.loads(ran.out[ran.out.index("{") :].partition("\n")[0])


def test_a_row_that_breaks_the_contract_is_refused_in_any_wrapping(cli: Cli, server: PublishingServer) -> None:
    cli.write("bad.csv", "age,income\n1,2.5\nold,3.5\n")
    url = f"{server.origin}/rows/churn"

    assert "bad.csv:3:1: " in complaint(cli("score", "bad.csv", "--target", url, "--wrap", "@list", "--dry-run"), 3)
    assert 0 == cli("score", "bad.csv", "--target", url, "--wrap", "@list", "--dry-run", "--no-validate").code


def test_the_operation_is_named_where_the_target_does_not_tell(cli: Cli, server: PublishingServer) -> None:
    cli.write("app.json", json.dumps(documents()["/openapi.json"]))
    named = ("score", "rows.csv", "--target", f"{server.origin}/gateway", "--schema", "app.json", "--dry-run")
    said = complaint(cli(*named), 2)
    ran = cli(*named, "--path", "/rows/{name}")

    assert said.startswith("app.json: /paths: more than one path has a POST (/row, /rows/{name}, /image)")
    assert '{"rows": [' in ran.out


def test_bench_sends_bodies_of_the_contract_and_counts_their_rows(cli: Cli, server: PublishingServer) -> None:
    for path in TARGETS:
        ran = cli("bench", f"{server.origin}{path}", "-p", "rows.csv", "-n", 4, "--format", "json")

        assert (0, {}) == (ran.code, ran.failures), ran.err


def test_bytes_are_sent_as_they_are_where_the_contract_asks_for_bytes(cli: Cli, server: PublishingServer) -> None:
    cli.write("cat.png", PNG)
    ran = cli("bench", f"{server.origin}/image", "-p", "cat.png", "-n", 2, "--format", "json")

    assert (0, {}) == (ran.code, ran.failures), ran.err
    assert {("/image", "image/png", PNG)} == set(server.scored)
    assert 0 == cli("validate", "cat.png", "--target", f"{server.origin}/image").code


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/row", "OpenAPI 3.1.0, POST /row"),
        ("/rows/churn", "OpenAPI 3.1.0, POST /rows/{name}"),
        ("/v2/models/named/infer", "Open Inference Protocol, POST /v2/models/named/infer, with an example of 1 row"),
    ],
)
def test_check_names_the_contract_that_it_found(cli: Cli, server: PublishingServer, path: str, said: str) -> None:
    ran = cli("check", server.origin + path, "--format", "json")
    steps = {step["name"]: step for step in json.loads(ran.out)["steps"]}

    assert said == steps["contract"]["detail"], ran.out
    assert steps["example"]["ok"], ran.out


def test_a_contract_that_was_named_is_not_dropped_in_silence(cli: Cli, server: PublishingServer) -> None:
    missing = ("--schema", "none.json", "--no-validate")

    assert "none.json" in complaint(
        cli("score", "rows.csv", "--target", f"{server.origin}/row", *missing, "--dry-run"), 2
    )
    cli.write("row.json", '{"age": 1, "income": 2}')
    ran = cli("bench", f"{server.origin}/row", "-p", "row.json", *missing)
    assert re.search(r"--schema is not used: with --no-validate", ran.err)
