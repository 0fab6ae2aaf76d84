"""From a table to a deployed model: `train`, `deploy create`, `score`, `check`, `bench`, on the genuine server."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from epkit.backends.local.state import Homes
from epkit.core.train.sample import sample_table
from support import scoring_server
from support.cli_harness import Cli
from support.places import ROOT
from support.shared import shared

pytest.importorskip("lightgbm", reason="needs the extra train")

PAYLOAD = "bank-two-rows.json"


def command_line(directory):
    """Return a command line with a separate project and home."""
    (directory / "home").mkdir()
    (directory / "project").mkdir()
    cli = Cli(directory=directory / "project", patience_s=200)
    cli.environ |= {"HOME": str(directory / "home"), "XDG_STATE_HOME": ""}
    shutil.copy(ROOT / "payloads" / PAYLOAD, cli.directory)
    return cli


def deployed(cli, *options):
    """Train a model and deploy it; the deployment is deleted at the end."""
    ran = cli("train", *options, "--label", "y", "-o", "model", "--workers", 1)
    assert (0, "") == (ran.code, ran.err), ran.err
    ran = cli("deploy", "create", "bank", "--model", "model", "--entry", "score.py")
    assert 0 == ran.code, ran.err


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """The project of the five commands, in which `bank` is deployed."""
    scoring_server.require()
    cli = command_line(tmp_path_factory.mktemp("bank"))
    cli.write("bank.csv", sample_table(rows=2000))
    deployed(cli, "bank.csv", "--runs", 5)
    yield cli
    for home in Homes(cli.environ):
        cli("deploy", "delete", home.path.name, "--backend", "local")


@pytest.fixture(scope="module")
def judged(bank):
    """The training's judgement of the test rows; the rows themselves are in `test.csv`."""
    found = pl.read_parquet(bank.directory / "model.run" / "predictions.parquet").filter(pl.col("judged") == "test")
    rows = pl.read_csv(bank.directory / "bank.csv")[(found["row"] - 1).to_list()]
    rows.drop("y").write_csv(bank.directory / "test.csv")
    return found


def test_score_gives_the_answers_of_training_to_the_test_rows(bank, judged):
    ran = bank("score", "test.csv", "--target", "bank", "-o", "answers.parquet", "-q")

    assert 0 == ran.code, ran.err
    answers = pl.read_parquet(bank.directory / "answers.parquet")
    assert len(judged) > 300
    assert judged["prediction"].to_list() == answers["prediction"].to_list()


def test_score_gives_the_probabilities_of_training_to_the_test_rows(bank, judged):
    ran = bank("score", "test.csv", "--target", "bank", "--method", "predict_proba", "-o", "chances.jsonl", "-q")

    assert 0 == ran.code, ran.err
    rows = [json.loads(line) for line in bank.read("chances.jsonl").splitlines()]
    found = [(row["probability_0"], row["probability_1"]) for row in rows]
    wanted = judged.select("probability of no", "probability of yes").to_numpy()
    assert np.abs(np.array(found) - wanted).max() <= 1e-9


def test_check_finds_nothing_wrong(bank):
    ran = bank("check", "bank")

    assert 0 == ran.code, ran.out + ran.err
    assert "ok" in ran.out


def test_the_courses_payload_is_valid_and_scores_unchanged(bank):
    assert 0 == bank("validate", PAYLOAD, "--target", "bank").code
    ran = bank("score", PAYLOAD, "--target", "bank", "-q")

    assert 0 == ran.code, ran.err
    answers = [json.loads(line)["prediction"] for line in ran.out.splitlines()]
    assert 2 == len(answers)
    assert {"yes", "no"} >= set(answers)


def test_bench_loads_it(bank):
    ran = bank("bench", "-n", 10, "bank", "--format", "json", "-q")

    assert 0 == ran.code, ran.err
    assert 10 == ran.report["counts"]["ok"]


def test_the_course_s_data_gives_the_course_s_reply(tmp_path):
    table = shared("data/bank-marketing/bankmarketing_train.csv.gz")
    scoring_server.require()
    cli = command_line(tmp_path)
    try:
        deployed(cli, table, "--runs", 3)
        assert 0 == cli("validate", PAYLOAD, "--target", "bank").code
        ran = cli("score", PAYLOAD, "--target", "bank", "-q")
    finally:
        for home in Homes(cli.environ):
            cli("deploy", "delete", home.path.name, "--backend", "local")

    assert 0 == ran.code, ran.err
    assert ["yes", "no"] == [json.loads(line)["prediction"] for line in ran.out.splitlines()]
