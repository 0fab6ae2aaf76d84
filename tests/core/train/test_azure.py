"""Azure AutoML's terms for a training: metrics, algorithms, the MLTable, the leaderboard."""

import pytest
import yaml

from epkit.core.hosting.azure_jobs import ChildRun
from epkit.core.train import azure, gates
from epkit.core.train.report import Figure
from epkit.errors import UsageError


@pytest.mark.parametrize(
    ("name", "task", "known", "theirs"),
    [
        ("accuracy", "classification", "accuracy", "accuracy"),
        ("AUC_weighted", None, "AUC_weighted", "AUC_weighted"),
        ("average_precision_score_weighted", None, "average_precision_weighted", "average_precision_score_weighted"),
        ("precision_score_weighted", "classification", "precision_score_weighted", "precision_score_weighted"),
        ("normalised_rmse", "regression", "normalised_rmse", "normalized_root_mean_squared_error"),
        ("normalized_root_mean_squared_error", "regression", "normalised_rmse", "normalized_root_mean_squared_error"),
        ("spearman_correlation", "regression", "spearman", "spearman_correlation"),
        ("r2", "regression", "r2", "r2_score"),
    ],
)
def test_a_metric_that_azure_chooses_by_has_both_names(name: str, task: azure.AzureTask, known: str, theirs: str):
    found = azure.check_metric(name, task)

    assert known == found
    assert theirs in {metrics.get(found) for metrics in azure.METRICS.values()}


@pytest.mark.parametrize(
    ("name", "task", "hint"),
    [
        ("AUC", None, "the nearest is AUC_weighted"),
        ("AUC_macro", "classification", "the nearest is AUC_weighted"),
        ("f1", "classification", "the nearest is average_precision_score_weighted"),
        ("recall_score_macro", None, "the nearest is norm_macro_recall"),
        ("rmse", "regression", "the nearest is normalized_root_mean_squared_error"),
        ("accuracy", "regression", "it is one of normalized_root_mean_squared_error, "),
        ("rmse", "classification", "it is one of AUC_weighted, accuracy, "),
        ("nonsense", None, "it is one of AUC_weighted, "),
    ],
)
def test_a_metric_that_azure_does_not_choose_by_is_refused_with_the_nearest(name, task, hint):
    with pytest.raises(UsageError, match=f"--metric {name}: Azure AutoML does not choose .*{hint}"):
        azure.check_metric(name, task)


def test_every_metric_that_epkit_chooses_by_has_a_nearest_one():
    ours = {*azure.CLASSIFICATION, *azure.REGRESSION}

    assert ours == {*azure.NEAREST, *azure.METRICS["classification"], *azure.METRICS["regression"]} - {
        "precision_score_weighted"
    }


def test_algorithms_are_named_in_any_case_once_and_one_is_left():
    assert ("KNN", "LightGBM") == azure.check_algorithms(["knn", "LIGHTGBM", "KNN"], "classification")
    with pytest.raises(UsageError, match=r"--block XGBoostRegresor: no .*: do you mean XGBoostRegressor?"):
        azure.check_algorithms(["XGBoostRegresor"], None)
    with pytest.raises(UsageError, match="--block SVM: no algorithm of Azure AutoML for regression: it is one of"):
        azure.check_algorithms(["SVM"], "regression")
    with pytest.raises(UsageError, match="names all algorithms"):
        azure.check_algorithms(azure.ALGORITHMS["regression"], "regression")


def test_an_hour_or_less_is_refused_for_a_table_that_azure_would_not_take():
    azure.check_time(None, 10**7, 100)
    azure.check_time(60, 10**6, 10)
    azure.check_time(61, 10**6, 11)
    with pytest.raises(UsageError, match=r"--time-limit 60m: .* 1,000,000 rows of 11 columns: 61m"):
        azure.check_time(60, 10**6, 11)


@pytest.mark.parametrize("name", ["job", 'a "b": c', "ä\n#", "- x", "{}", "%"])
def test_the_mltable_is_yaml_whatever_columns_are_called(name: str):
    found = yaml.safe_load(azure.mltable([name]))

    assert [{"file": "./train.csv"}] == found["paths"]
    read, convert = found["transformations"]
    assert (",", "utf8", True) == tuple(
        read["read_delimited"][key] for key in ("delimiter", "encoding", "support_multi_line")
    )
    assert [{"columns": [name], "column_type": "string"}] == convert["convert_column_types"]


def test_a_table_without_texts_is_not_converted():
    assert ["read_delimited"] == [key for each in yaml.safe_load(azure.mltable([]))["transformations"] for key in each]


def child(number, score, status="Completed", **more):
    values = {
        "algorithm": "LightGBM", "preprocessor": None, "parameters": {}, "duration_s": None, "error": None,
    } | more  # fmt: skip
    return ChildRun(name=f"j_{number}", number=number, status=status, score=score, **values)


def test_trials_are_ranked_without_intervals():
    trials = [
        child(0, 0.90, preprocessor="MaxAbsScaler", parameters={"leaves": 31}),
        child(1, 0.95, algorithm="VotingEnsemble"),
        child(2, None, "Failed", error="UserError: no"),
        child(3, 0.95),
        child(4, None, "Canceled"),
        child(5, 0.5),  # MLflow does not have it
    ]
    metrics = {f"j_{n}": {"AUC_weighted": value} for n, value in ((0, 0.90), (1, 0.95), (3, 0.95))}
    runs = azure.leaderboard(trials, metrics, "AUC_weighted", "classification")

    assert [(1, "done"), (3, "done"), (0, "done"), (5, "done"), (2, "failed"), (4, "failed")] == [
        (run.run, run.state) for run in runs
    ]
    assert [None, 0.0, pytest.approx(0.05), pytest.approx(0.45), None, None] == [
        run.behind and run.behind.value for run in runs
    ]
    assert {None} == {run.distinguishable for run in runs}
    assert {"preprocessor": "MaxAbsScaler", "leaves": 31} == runs[2].parameters
    assert [None, None, None, None, "UserError: no", "Canceled, without a figure"] == [run.error for run in runs]


def test_of_a_loss_less_is_better():
    trials = [child(0, 0.3), child(1, 0.1), child(2, 0.2)]
    runs = azure.leaderboard(trials, {}, "normalised_rmse", "regression")

    assert [1, 2, 0] == [run.run for run in runs]
    assert azure.is_better("normalised_rmse", 0.1, 0.2)
    assert azure.is_better("precision_score_weighted", 0.2, 0.1)


def test_azures_metrics_get_epkits_names_and_that_of_the_positive_class_comes_first():
    found = azure.figures_of(
        {"AUC_macro": 0.8, "AUC_binary": 0.7, "f1_score_binary": 0.5, "weighted_accuracy": 0.9, "r2_score": 1.0},
        "classification",
    )

    assert {"AUC": Figure(value=0.7), "f1": Figure(value=0.5)} == found
    assert {"r2": Figure(value=-3.0)} == azure.figures_of({"r2_score": -3.0, "accuracy": 1.0}, "regression")


def test_gates_are_judged_by_azures_figures():
    figures = {"accuracy": Figure(value=0.9)}
    judged = [
        gates.judge_figure(gates.parse(text), figures, 80) for text in ("accuracy>0.8", "accuracy>0.95", "AUC>0.5")
    ]

    assert ["passed", "missed", "not judged"] == [gate.state for gate in judged]
    assert (0.9, None, 80) == (judged[0].observed, judged[0].ci95, judged[0].rows)


def test_no_trial_is_no_mistake():
    assert () == azure.leaderboard([], {}, "accuracy", "classification")
