"""The user's candidates: functions that are tried among the runs, and models that exist already."""

import json
import shutil

import pytest

from support.cli_harness import complaint

STORE = ".epkit/pipelines/bank"
# A process loads a file only once under its name, so each test uses another name.
MINE = """
def make():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=500)
"""


def train_step(cli, *changes):
    """Run up to the gate; return the results of `train` and `gate`."""
    arguments = [word for change in changes for word in ("--set", change)]
    ran = cli("pipeline", "run", "bank", "--format", "json", *arguments)
    steps = {step["step"]: step for step in json.loads(ran.out)["steps"]}
    return ran, steps["train"], steps.get("gate")


@pytest.fixture
def old(cli):
    """A model with a card, in the directory `old`: the model of the first run."""
    trained = json.loads(cli.read(f"{STORE}/champion.json"))["model"]
    shutil.copytree(cli.directory / STORE / trained, cli.directory / "old")
    return cli


def test_a_function_of_a_file_is_tried_among_the_runs_and_one_of_a_module_is_the_same(cli):
    cli.write("candidates/mine.py", MINE)
    ran, train, gate = train_step(cli, "train.runs=1", "custom=['candidates/mine.py:make']", "gate=['AUC>=0.6']")
    _, again, _ = train_step(cli, "train.runs=1", "custom=['candidates.mine:make']", "gate=['AUC>=0.6']")

    assert 0 == ran.code, ran.err
    assert ("custom", "ok", "reused") == (train["result"]["kind"], gate["state"], again["state"])


@pytest.mark.long
def test_the_text_of_a_function_is_part_of_what_train_depends_on(cli):
    cli.write("texted.py", MINE)
    changes = ("train.runs=1", "custom=['texted.py:make']", "gate=[]")
    state = train_step(cli, *changes)[1]["state"]
    arguments = [word for change in changes for word in ("--set", change)]
    foreseen = []
    for text in (MINE, f"{MINE}\n# another text\n"):
        cli.write("texted.py", text)
        foreseen.append(cli("pipeline", "run", "bank", "--dry-run", *arguments).out.splitlines()[1].split()[1])

    assert ("ok", ["reused", "run"]) == (state, foreseen)


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


RULES = """
def long_calls(rows):
    return ["yes" if row["duration"] > 700 and row["age"] < 50 else "no" for row in rows]


def chances(rows):
    assert "y" not in rows[0]
    return [min(1.0, row["duration"] / 1500) for row in rows]


def short(rows):
    return ["yes"]


def odd(rows):
    return ["perhaps"] * len(rows)


def broken(rows):
    raise KeyError("nothing")


def answers():
    return ["yes", "no"]
"""


def test_functions_that_return_predictions_are_judged_beside_the_model_and_not_deployed(cli):
    cli.write("foretold.py", RULES)
    changes = ("train.runs=1", "gate=['AUC>=0.3']", "custom=['foretold:long_calls', 'foretold.py:chances']")
    ran, train, _ = train_step(cli, *changes)

    assert 0 == ran.code, ran.err
    assert "candidate" != train["result"]["kind"]
    answers, chances = train["result"]["candidates"]
    assert ("foretold:long_calls", "accuracy", True, False) == tuple(
        answers[key] for key in ("name", "metric", "better", "deployable")
    )
    assert ("AUC", True) == (chances["metric"], chances["better"])  # the constant model has an AUC of 0.5
    assert 0.1 < chances["ci95"][0]
    log = cli.read(f"{STORE}/runs/2/logs/train.txt")
    assert "foretold:long_calls: accuracy better by " in log
    assert "predictions alone cannot be deployed, an estimator or the directory of a model can" in log
    for name, said in (
        ("short", "foretold:short: returns 1 values for "),
        ("odd", "foretold:odd: returns 'perhaps', which is not an answer of the label, or everywhere a probability"),
        ("broken", "foretold.py:broken: broken() raised KeyError: 'nothing'"),
        ("answers", "foretold.py:answers: list has no fit, which a classification needs"),
    ):
        refused = cli("pipeline", "run", "bank", "--set", "train.runs=1", "--set", f"custom=['foretold:{name}']")
        assert said in complaint(refused, 2)
