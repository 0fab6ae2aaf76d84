"""Translate the plan of a training into Azure AutoML's terms, and Azure's runs into epkit's leaderboard."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from epkit.core.hosting.azure_jobs import AUTOML_PICKLE, DONE, ChildRun
from epkit.core.shortening import cut
from epkit.core.train.metrics import CLASSIFICATION, GREATER_IS_BETTER, REGRESSION, canonical
from epkit.core.train.report import Figure, RunInfo
from epkit.errors import UsageError

AzureTask = Literal["classification", "regression"]

METRICS: Final[Mapping[AzureTask, Mapping[str, str]]] = {
    "classification": {
        "AUC_weighted": "AUC_weighted",
        "accuracy": "accuracy",
        "norm_macro_recall": "norm_macro_recall",
        "average_precision_weighted": "average_precision_score_weighted",
        "precision_score_weighted": "precision_score_weighted",
    },
    "regression": {
        "normalised_rmse": "normalized_root_mean_squared_error",
        "normalised_mae": "normalized_mean_absolute_error",
        "r2": "r2_score",
        "spearman": "spearman_correlation",
    },
}
"""The metrics by which Azure AutoML can choose a model: epkit's name → Azure's. The first one is the default.

Source: azure-ai-ml 1.35, `ClassificationPrimaryMetrics`, `RegressionPrimaryMetrics`.
"""

NEAREST: Final[Mapping[str, str]] = {
    "AUC": "AUC_weighted",
    "log_loss": "AUC_weighted",
    "average_precision": "average_precision_score_weighted",
    "average_precision_macro": "average_precision_score_weighted",
    "f1": "average_precision_score_weighted",
    "f1_macro": "norm_macro_recall",
    "f1_weighted": "average_precision_score_weighted",
    "precision": "precision_score_weighted",
    "recall": "norm_macro_recall",
    "balanced_accuracy": "norm_macro_recall",
    "mcc": "norm_macro_recall",
    "rmse": "normalized_root_mean_squared_error",
    "mae": "normalized_mean_absolute_error",
}
"""For a metric by which Azure cannot choose: Azure's name of the one whose choice is most similar.

AUC of two classes is `AUC_weighted`; the normalised errors are the plain ones divided by the range of the label.
"""

ALGORITHMS: Final[Mapping[AzureTask, tuple[str, ...]]] = {
    "classification": (
        *("LogisticRegression", "SGD", "MultinomialNaiveBayes", "BernoulliNaiveBayes", "SVM", "LinearSVM", "KNN"),
        *("DecisionTree", "RandomForest", "ExtremeRandomTrees", "LightGBM", "GradientBoosting", "XGBoostClassifier"),
    ),
    "regression": (
        *("ElasticNet", "GradientBoosting", "DecisionTree", "KNN", "LassoLars", "SGD", "RandomForest"),
        *("ExtremeRandomTrees", "LightGBM", "XGBoostRegressor"),
    ),
}
"""The names that `--block` accepts. Source: azure-ai-ml 1.35, `ClassificationModels`, `RegressionModels`."""

MOST_CELLS_IN_AN_HOUR: Final = 10_000_000
"""Greatest number of cells (rows × columns) for which Azure accepts a time limit of an hour or less.

Source: azure-ai-ml 1.35, `set_limits`.
"""

TABLE_FILE: Final = "train.csv"


def task_of(task: str) -> AzureTask:
    """Return Azure's name of one of epkit's tasks."""
    return "regression" if task == "regression" else "classification"


def check_metric(text: str, task: AzureTask | None) -> str:
    """Find a metric by which Azure can choose.

    Args:
        text: epkit's name or Azure's.
        task: None if it is not known yet.

    Returns:
        epkit's name; `METRICS` maps it to Azure's.

    Raises:
        UsageError: Azure cannot choose by this metric; the message names the nearest one that it can.
    """
    name = canonical(text)
    known = {each: theirs for of, metrics in METRICS.items() if task in (None, of) for each, theirs in metrics.items()}
    if name in known:
        return name
    if (nearest := NEAREST.get(name)) is not None and nearest in known.values():
        hint = f"the nearest is {nearest}"
    else:
        hint = f"it is one of {', '.join(known.values())}"
    kind = f" of a {task}" if name in {*CLASSIFICATION, *REGRESSION, *METRICS["classification"]} and task else ""
    raise UsageError(f"--metric {cut(text, 40)}: Azure AutoML does not choose a model{kind} by it: {hint}")


def check_algorithms(names: Iterable[str], task: AzureTask | None) -> tuple[str, ...]:
    """Find the algorithms that Azure must not try.

    Args:
        names: upper and lower case do not matter.
        task: None if it is not known yet.

    Returns:
        Azure's names, without repetitions.

    Raises:
        UsageError: Azure has no such algorithm, or no algorithm would be left to try.
    """
    known = {each.lower(): each for of, listed in ALGORITHMS.items() if task in (None, of) for each in listed}
    found = []
    for name in names:
        if name.lower() not in known:
            close = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"do you mean {known[close[0]]}?" if close else f"it is one of {', '.join(known.values())}"
            raise UsageError(
                f"--block {cut(name, 40)}: no algorithm of Azure AutoML{f' for {task}' if task else ''}: {hint}"
            )
        found.append(known[name.lower()])
    if task is not None and len(set(found)) == len(known):
        raise UsageError("--block names all algorithms of Azure AutoML: leave out at least one")
    return tuple(dict.fromkeys(found))


def check_time(minutes: int | None, rows: int, columns: int) -> None:
    """Refuse a time limit that is too short for a large table. Azure refuses it only after the compute has started.

    Raises:
        UsageError: the message gives the least limit.
    """
    if minutes is not None and minutes <= 60 and rows * columns > MOST_CELLS_IN_AN_HOUR:
        raise UsageError(
            f"--time-limit {minutes}m: Azure AutoML wants more than an hour for {rows:,} rows of {columns} columns: 61m"
        )


def mltable(texts: Sequence[str]) -> str:
    """Return the contents of the file `MLTable`, which is next to `TABLE_FILE` and tells Azure how to read it.

    Args:
        texts: columns that are read as texts even if their values look like numbers (`007`).

    Source: Microsoft, "CLI (v2) MLtable YAML schema".
    """
    lines = [
        "type: mltable",
        "paths:",
        f"  - file: ./{TABLE_FILE}",
        "transformations:",
        "  - read_delimited:",
        "      delimiter: ','",
        "      encoding: utf8",
        "      header: all_files_same_headers",
        "      support_multi_line: true",
    ]
    if texts:
        # A JSON string is also a YAML string.
        names = ", ".join(json.dumps(each) for each in texts)
        lines += ["  - convert_column_types:", f"      - columns: [{names}]", "        column_type: string"]
    return "\n".join(lines) + "\n"


def figures_of(metrics: Mapping[str, float], task: AzureTask) -> dict[str, Figure]:
    """Return Azure's metrics under epkit's names. They have no intervals, because Azure gives none.

    Metrics that epkit does not have are left out, and so are curves and tables.
    """
    known = (*CLASSIFICATION, "precision_score_weighted") if task == "classification" else REGRESSION
    found: dict[str, Figure] = {}
    for name, value in sorted(metrics.items(), key=lambda pair: not pair[0].endswith("_binary")):
        if (own := canonical(name)) in known:
            found.setdefault(own, Figure(value=value))  # for two classes: the metric of the positive class
    return {name: found[name] for name in known if name in found}


def is_better(metric: str, a: float, b: float) -> bool:
    """Tell whether the value *a* of one of `METRICS` is better than *b*."""
    return a > b if GREATER_IS_BETTER.get(metric, True) else a < b


def leaderboard(
    children: Sequence[ChildRun], metrics: Mapping[str, Mapping[str, float]], metric: str, task: AzureTask
) -> tuple[RunInfo, ...]:
    """Rank the trials of a job.

    Args:
        children: all trials of the job.
        metrics: Azure's metrics, by the name of the trial.
        metric: epkit's name of the metric that chooses.

    Returns:
        The best trial first, the earlier one of two equal ones first, trials without a figure last. `distinguishable`
        cannot be known: Azure gives figures, but no predictions.
    """
    figures: dict[str, dict[str, Figure]] = {}
    for child in children:
        own = figures_of(metrics.get(child.name, {}), task) if child.status == DONE else {}
        if child.status == DONE and metric not in own and child.score is not None:
            own = {metric: Figure(value=child.score), **own}
        figures[child.name] = own
    sign = -1.0 if GREATER_IS_BETTER.get(metric, True) else 1.0
    done = sorted(
        (child for child in children if metric in figures[child.name]),
        key=lambda child: (sign * figures[child.name][metric].value, child.number),
    )
    others = [child for child in children if metric not in figures[child.name]]
    top = figures[done[0].name][metric].value if done else 0.0
    infos = [
        _info(child, figures[child.name], Figure(value=abs(figures[child.name][metric].value - top))) for child in done
    ]
    infos[:1] = [_info(child, figures[child.name], None) for child in done[:1]]
    return (*infos, *(_info(child, {}, None) for child in others))


def finished_card(
    card: Mapping[str, Any], *, job: str, child: ChildRun, figures: Mapping[str, Figure], files: Mapping[str, str]
) -> dict[str, Any]:
    """Add the results of a job to a card.

    Args:
        card: what was known when the job was started.
        files: SHA-256 of each file next to the card.
    """
    return {
        **card,
        "model": {
            "kind": AUTOML_PICKLE,
            "chosen": "run",
            "members": [{"run": child.number, "family": child.algorithm, "weight": 1.0}],
            "job": job,
            "child": child.name,
            "sha256": {name: digest for name, digest in sorted(files.items()) if name == "model.pkl"},
        },
        "metrics": {
            "validation": {name: {"value": figure.value, "sd": None, "ci95": None} for name, figure in figures.items()},
            "test": None,
        },
        "files": sorted(files),
    }


def _info(child: ChildRun, figures: Mapping[str, Figure], behind: Figure | None) -> RunInfo:
    preprocessor = {} if child.preprocessor is None else {"preprocessor": child.preprocessor}
    return RunInfo(
        run=child.number,
        family=child.algorithm,
        parameters={**preprocessor, **child.parameters},
        state="done" if figures else "failed",
        metrics=figures,
        behind=behind,
        distinguishable=None,
        rounds=None,
        cpu_s=None,
        error=None if figures else child.error or f"{child.status}, without a figure",
    )
