"""The refusals of `epkit train --backend azureml` before anything is sent, and the request that it would send."""

import pytest

from support.cli_harness import Cli, complaint

TABLE = "age,job,y\n" + "".join(f"{n},{'abc'[n % 3]},{'no' if n % 4 else 'yes'}\n" for n in range(80))
AT_AZURE = ("bank.csv", "--label", "y", "--backend", "azureml")
ELSEWHERE = ": leave it out, or train on this machine (--backend local)"

ONLY_HERE = (
    "--custom", "--base", "--group", "--time: ", "--threshold", "--balanced", "--cohorts", "--pairs", "--export",
    "--gate cohort", "--gate AUC", "--gate ece",
)  # fmt: skip
"""The beginning of a message about an option that only this machine supports."""


@pytest.fixture
def bank(cli: Cli) -> Cli:
    cli.write("bank.csv", TABLE)
    return cli


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "--compute NAME: which compute trains? "),
        (("--compute", "a b"), "--compute a b: no name of Azure's"),
        (("--compute", "c", "--create-compute", "../x"), "--create-compute ../x: no name of Azure's"),
        (("--compute", "c", "--custom", "m.py:make"), "--custom: "),
        (("--compute", "c", "--base", "old"), "--base: "),
        (("--compute", "c", "--group", "job"), "--group: "),
        (("--compute", "c", "--time", "age"), "--time: "),
        (("--compute", "c", "--threshold", "f1"), "--threshold: "),
        (("--compute", "c", "--balanced"), "--balanced: "),
        (("--compute", "c", "--cohorts", "job"), "--cohorts: "),
        (("--compute", "c", "--pairs", "job:age"), "--pairs: "),
        (("--compute", "c", "--export", "onnx"), "--export: "),
        (("--compute", "c", "--gate", "cohort.min(accuracy)>=0.8"), "--gate cohort.min(accuracy)>=0.8: "),
        (("--compute", "c", "--gate", "AUC>=base"), "--gate AUC>=base: "),
        (("--compute", "c", "--gate", "ece<0.1"), "--gate ece<0.1: "),
        (("--compute", "c", "--gate", "nonsense"), "--gate 'nonsense': "),
        (("--compute", "c", "--metric", "f1"), "--metric f1: Azure AutoML does not choose a model by it: the nearest is "),
        (("--compute", "c", "--block", "GBDT"), "--block GBDT: no algorithm of Azure AutoML"),
        (("--compute", "c", "--time-limit", "soon"), "--time-limit soon: write a time as"),
        (("--compute", "c", "--cancel"), "--cancel: name the job with --job NAME"),
        (("--compute", "c", "--job", "j"), "--job j: its table was sent already: name no table and no --label"),
    ],
)  # fmt: skip
def test_what_azure_has_no_counterpart_for_is_refused_in_one_line(bank: Cli, more: tuple[str, ...], said: str):
    line = complaint(bank("train", *AT_AZURE, *more), 2)

    assert line.startswith(said)
    if said.startswith(ONLY_HERE):
        assert line.endswith(ELSEWHERE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "missing argument 'TABLE' (see epkit train --help)"),
        (("bank.csv",), "missing option '--label' (see epkit train --help)"),
        (("bank.csv", "--label", "y", "--compute", "c"), "--compute is for --backend azureml"),
        (("bank.csv", "--label", "y", "--block", "KNN"), "--block is for --backend azureml"),
        (("bank.csv", "--label", "y", "--no-wait"), "--no-wait is for --backend azureml"),
        (("bank.csv", "--label", "y", "--cancel"), "--cancel: name the job with --job NAME"),
        (("bank.csv", "--label", "y", "--backend", "azure"), "--backend azure: "),
        (("--job", "j", "--compute", "c"), "--compute is for a job that is begun, and --job j was begun already"),
        (("--job", "j", "--cancel", "--no-wait"), "--cancel and --no-wait: one of them"),
        (("--job", "a/b"), "--job a/b: no name of Azure's"),
        (("--job", "j", "--dry-run"), "--dry-run: the job j was begun already"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(bank: Cli, arguments: tuple[str, ...], said: str):
    assert complaint(bank("train", *arguments), 2).startswith(said)


def test_a_dry_run_says_what_would_be_sent_and_needs_no_login(bank: Cli):
    ran = bank(
        "train", *AT_AZURE, "--compute", "c", "--create-compute", "STANDARD_DS12_V2", "--dry-run",
        "--time-limit", "90s", "--holdout", "0.1", "--metric", "accuracy", "--block", "svm",
    )  # fmt: skip

    assert (0, "") == (ran.code, ran.err)
    lines = ran.out.splitlines()
    assert "nothing is sent; azureml would:" == lines[0]
    assert ["1. create the compute", "   name: c", "   size: STANDARD_DS12_V2"] == lines[1:4]
    for line in (
        '   columns: ["age", "job", "y"]', "   primary_metric: accuracy", "   positive_label: yes",
        "   n_cross_validations: null", "   validation_data_size: 0.1", "   timeout_minutes: 2",
        '   blocked_training_algorithms: ["SVM"]', "   max_trials: 85",
    ):  # fmt: skip
        assert line in lines, ran.out
    assert not (bank.directory / "model.run").exists()
