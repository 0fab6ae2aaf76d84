"""`epkit score` with MLflow's own scoring server: every body that it accepts."""

import json

import polars as pl
import pytest

from support.cli_harness import Cli
from support.server_cases import NAMED, prediction, table

pytestmark = pytest.mark.xdist_group("mlflow")


@pytest.fixture
def target(started):
    return f"{started('mlflow').origin}/invocations"


@pytest.fixture
def cli(tmp_path):
    return Cli(directory=tmp_path)


ROWS = table(NAMED, 250)
RIGHT = list(map(prediction, ROWS))


def predictions(text):
    return [json.loads(line)["prediction"] for line in text.splitlines()]


@pytest.mark.parametrize("wrap", [None, "dataframe_split", "dataframe_records", "inputs", "instances"])
@pytest.mark.parametrize("form", [".csv", ".jsonl", ".parquet"])
def test_a_table_is_scored_in_every_body(cli, target, wrap, form):
    frame = pl.DataFrame(ROWS)
    path = cli.directory / f"rows{form}"
    {".csv": frame.write_csv, ".jsonl": frame.write_ndjson, ".parquet": frame.write_parquet}[form](path)
    flags = [] if wrap is None else ["--wrap", wrap]
    ran = cli("score", path.name, "--target", target, *flags)

    assert 0 == ran.code, ran.err
    assert RIGHT == predictions(ran.out)


BODIES = {
    "dataframe_split": {"columns": list(ROWS[0]), "index": [7, 8, 9], "data": [list(row.values()) for row in ROWS[:3]]},
    "dataframe_records": ROWS[:3],
    "instances": ROWS[:3],
    "inputs": {name: [row[name] for row in ROWS[:3]] for name in ROWS[0]},
}


@pytest.mark.parametrize("key", BODIES)
def test_a_body_is_scored_as_it_is_wrapped_whole_and_in_batches(cli, target, key):
    cli.write("body.json", json.dumps({key: BODIES[key]}))
    for flags in ([], ["--batch-rows", 2]):
        ran = cli("score", "body.json", "--target", target, *flags)

        assert 0 == ran.code, ran.err
        assert RIGHT[:3] == predictions(ran.out)


def test_a_row_that_the_model_chokes_on_costs_one_row(cli, target):
    rows = [row | ({"city": "bad"} if row["age"] == 61 else {}) for row in ROWS]
    cli.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    ran = cli("score", "rows.jsonl", "--target", target, "-o", "out.csv")

    assert 4 == ran.code
    (failed,) = [json.loads(line) for line in cli.read("out.csv.failed.jsonl").splitlines()]
    assert (61, "status", 400) == (failed["row"], failed["reason"], failed["status"])
    assert 249 == sum(not line.endswith(",") for line in cli.read("out.csv").splitlines()[1:])
