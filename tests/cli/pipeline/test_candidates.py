"""Candidates of the user: functions that are tried among the runs, and models that are there already."""

import json
import shutil

import pytest

from support.cli_harness import complaint

STORE = ".epkit/pipelines/bank"
# A process loads a file once, under its own name: each test has another one.
MINE = """
def make():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=500)


def predictions():
    return ["yes", "no"]
"""


def train_step(cli, *changes):
    """Run up to the gate; return what `train` and `gate` left."""
    arguments = [word for change in changes for word in ("--set", change)]
    ran = cli("pipeline", "run", "bank", "--format", "json", *arguments)
    steps = {step["step"]: step for step in json.loads(ran.out)["steps"]}
    return ran, steps["train"], steps.get("gate")


@pytest.fixture
def old(cli):
    """A model with a card, in the directory `old`: that of the first run."""
    trained = json.loads(cli.read(f"{STORE}/champion.json"))["model"]
    shutil.copytree(cli.directory / STORE / trained, cli.directory / "old")
    return cli


@pytest.mark.parametrize("given", ["candidates.mine:make", "candidates/mine.py:make"])
def test_a_function_of_a_module_or_a_file_is_tried_among_the_runs(cli, given):
    cli.write("candidates/mine.py", MINE)
    ran, train, gate = train_step(cli, "train.runs=1", f"custom=['{given}']", "gate=['AUC>=0.6']")

    assert 0 == ran.code, ran.err
    assert ("custom", "ok") == (train["result"]["kind"], gate["state"])


def test_the_text_of_a_function_is_part_of_what_train_depends_on(cli):
    cli.write("texted.py", MINE)
    changes = ("train.runs=1", "custom=['texted.py:make']", "gate=[]")
    states = [train_step(cli, *changes)[1]["state"] for _ in range(2)]
    cli.write("texted.py", f"{MINE}\n# another text\n")

    assert ["ok", "reused", "ok"] == [*states, train_step(cli, *changes)[1]["state"]]


def test_a_model_that_is_surely_better_goes_on_to_the_gate(old):
    ran, train, gate = train_step(old, "train.runs=1", "custom=['old']", "gate=['AUC>=0.8']")

    assert 0 == ran.code, ran.err
    assert ("candidate", "ok") == (train["result"]["kind"], gate["state"])
    assert train["line"].startswith("old: AUC better by 0.4")
    (compared,) = train["result"]["candidates"]
    assert (True, gate["result"]["rows"]) == (compared["better"], compared["rows"])
    assert train["result"]["model_sha256"] == json.loads(old.read(f"{STORE}/champion.json"))["sha256"]


def test_a_model_that_is_no_better_does_not(old):
    _, train, _ = train_step(old, "train.cohorts=['age']", "custom=['old']")

    assert "candidate" != train["result"]["kind"]
    (compared,) = train["result"]["candidates"]
    assert (False, 0.0) == (compared["better"], compared["difference"])


def test_a_function_that_returns_predictions_is_refused(cli):
    cli.write("foretold.py", MINE)
    ran = cli("pipeline", "run", "bank", "--set", "train.runs=1", "--set", "custom=['foretold:predictions']")

    assert "foretold.py:predictions: list has no fit, which a classification needs" in complaint(ran, 2)
