"""`epkit score` on the genuine Azure ML inference server: AutoML's scripts of both generations, and numpy's."""

import json
import urllib.request

import polars as pl
import pytest

from support import scoring_server
from support.cli_harness import Cli
from support.scoring_server import ScoringServer

SCRIPTS = ("v1", "v2", "numpy2d")


@pytest.fixture(scope="module")
def servers():
    scoring_server.require()
    running = {script: ScoringServer(script) for script in SCRIPTS}
    try:
        yield {script: server.wait() for script, server in running.items()}
    finally:
        for server in running.values():
            server.close()


@pytest.fixture
def cli(tmp_path):
    return Cli(directory=tmp_path)


def url(server):
    return f"http://127.0.0.1:{server.port}/score"


def example(server):
    """Return the row in the contract's example."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/swagger.json", timeout=10) as reply:
        body = json.load(reply)["definitions"]["ServiceInput"]["example"]
    return (body.get("data") or body["Inputs"]["data"])[0]


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("script", ["v1", "v2"])
@pytest.mark.parametrize("form", [".csv", ".jsonl", ".parquet", ".json"])
def test_rows_of_every_form_are_scored_as_the_contract_wraps_them(cli, servers, script, form):
    row = example(servers[script])
    frame = pl.DataFrame([row] * 250).with_columns(duration=4 * pl.int_range(250))
    path = cli.directory / f"rows{form}"
    {".csv": frame.write_csv, ".jsonl": frame.write_ndjson, ".parquet": frame.write_parquet, ".json": frame.write_json}[
        form
    ](path)
    ran = cli("score", path.name, "--target", url(servers[script]))

    assert 0 == ran.code, ran.err
    assert ["yes" if 4 * n > 500 else "no" for n in range(250)] == [line["prediction"] for line in lines(ran.out)]


@pytest.mark.parametrize("script", ["v1", "v2"])
def test_probabilities_are_asked_for_where_the_script_looks(cli, servers, script):
    row = example(servers[script])
    pl.DataFrame([row] * 5).write_csv(cli.directory / "rows.csv")
    ran = cli("score", "rows.csv", "--target", url(servers[script]), "--method", "predict_proba", "-o", "out.csv")

    assert 0 == ran.code, ran.err
    frame = pl.read_csv(cli.directory / "out.csv")
    assert [*row, "probability_0", "probability_1"] == frame.columns
    assert [(0.25, 0.75)] * 5 == frame.select("probability_0", "probability_1").rows()


def test_a_table_of_numbers_without_names_goes_as_lists(cli, servers):
    pl.DataFrame({f"c{n}": [n, 10 * n] for n in range(10)}).write_csv(cli.directory / "rows.csv")
    ran = cli("score", "rows.csv", "--target", url(servers["numpy2d"]))

    assert 0 == ran.code, ran.err
    assert [45.0, 450.0] == [line["prediction"] for line in lines(ran.out)]


@pytest.mark.parametrize("script", ["v1", "v2"])
def test_a_row_that_the_server_chokes_on_costs_one_row(cli, servers, script):
    row = example(servers[script])
    rows = [row] * 60
    rows[41] = {name: ("word" if isinstance(value, int) else value) for name, value in row.items()}
    cli.write("rows.jsonl", "".join(json.dumps(one) + "\n" for one in rows))
    checked = cli("score", "rows.jsonl", "--target", url(servers[script]))
    ran = cli("score", "rows.jsonl", "--target", url(servers[script]), "--no-validate", "--wrap",
              "data" if script == "v1" else "Inputs.data", "-o", "out.jsonl")  # fmt: skip

    assert 3 == checked.code
    assert "is not an integer (row 41)" in checked.err
    assert 4 == ran.code
    assert [41] == [entry["row"] for entry in lines(cli.read("out.jsonl.failed.jsonl"))]
    assert 59 == sum(entry["prediction"] is not None for entry in lines(cli.read("out.jsonl")))
