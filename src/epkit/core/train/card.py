"""The card of a model: what its columns mean, how good it is, what it was trained on; equal inputs give equal bytes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from epkit.core.train.cells import HASH_RULE
from epkit.core.train.columns import Learned
from epkit.core.train.plan import TrainPlan
from epkit.core.train.problem import Examples
from epkit.core.train.report import Best, ClassThreshold, Cohort, DataInfo, Figure, JudgedRows

FORMAT: Final = "epkit.card/1"

QUANTILES: Final = 20
"""Ranges of a number's reference distribution, with as many rows in each as can be."""

MOST_COHORTS: Final = 50
FEWEST_COHORT_ROWS: Final = 30
"""Rows of a cohort that the card names."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - dates of tables have no zone


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomModel:
    """A user's own estimator.

    Args:
        module: name of the file, next to the model, that makes it.
        make: the function in it.
        sha256: of `model.pkl` and of the file, by name; both are checked before anything is loaded.
    """

    module: str
    make: str
    sha256: Mapping[str, str]


def card(
    *,
    learned: Learned,
    data: DataInfo,
    plan: TrainPlan,
    best: Best,
    threshold: ClassThreshold | None,
    test: JudgedRows | None,
    cohorts: Sequence[Cohort],
    versions: Mapping[str, str],
    files: Sequence[str],
    custom: CustomModel | None = None,
) -> dict[str, Any]:
    """Return what `card.json` holds.

    Args:
        learned: the table; its columns, and the reference distributions of all its rows.
        cohorts: of which the worst are named.
        versions: as `learners.versions` gives them.
        files: of the model's directory, the card left out.
        custom: where the model is no arrays.
    """
    examples = learned.examples
    label = examples.label
    used = {column["name"] for column in examples.card_columns}
    return {
        "format": FORMAT,
        "model": _model(best, custom),
        "label": {
            "name": label.name,
            "task": label.task,
            "classes": list(label.classes),
            "positive": label.positive,
        },
        "threshold": None if threshold is None else {"rule": threshold.rule, "value": float(threshold.value)},
        "columns": [dict(column) for column in examples.card_columns],
        "features": [
            {"name": feature.name, "column": feature.column, "categories": feature.categories}
            for feature in examples.features
        ],
        "ignored": sorted(column.name for column in learned.columns if column.name not in used),
        "example": example(examples),
        "metrics": {
            "validation": _figures(best.validation),
            "test": None if test is None else {"rows": test.rows, **_figures(test.metrics)},
        },
        "cohorts": _worst(cohorts, regression=label.task == "regression"),
        "data": {
            "sha256": data.sha256,
            "rows": data.rows,
            "unlabelled": data.unlabelled,
            "columns": len(data.columns),
        },
        "test": {
            "rows": data.test_rows,
            "rule": HASH_RULE,
            "hashed": list(learned.hashed),
            "seed": plan.seed,
            "size": plan.test_size,
            "group": plan.group,
            "time": plan.time,
        },
        "reference": reference(examples),
        "licence": None,
        "versions": dict(sorted(versions.items())),
        "files": sorted(files),
    }


def card_bytes(content: Mapping[str, Any]) -> bytes:
    """Return the file.

    Raises:
        ValueError: a number in it is not finite.
    """
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "surrogatepass")


def _model(best: Best, custom: CustomModel | None) -> dict[str, Any]:
    members = [{"run": one.run, "family": one.family, "weight": float(one.weight)} for one in best.members]
    found: dict[str, Any] = {"kind": "arrays" if custom is None else "pickle", "chosen": best.kind, "members": members}
    if custom is not None:
        found |= {"module": custom.module, "make": custom.make, "sha256": dict(sorted(custom.sha256.items()))}
    return found


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: _figure(figures[name]) for name in sorted(figures)}


def _figure(figure: Figure) -> dict[str, Any]:
    ci95 = None if figure.ci95 is None else [_finite(end) for end in figure.ci95]
    return {"value": _finite(figure.value), "sd": _finite(figure.sd), "ci95": ci95}


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _worst(cohorts: Sequence[Cohort], *, regression: bool) -> list[dict[str, Any]]:
    """Return the worst cohorts that have rows enough, the worst first; of two alike the one whose name is first."""
    metric, sign = ("rmse", -1.0) if regression else ("accuracy", 1.0)
    known = [
        (sign * cohort.metrics[metric].value, cohort.where, cohort)
        for cohort in cohorts
        if cohort.rows >= FEWEST_COHORT_ROWS and metric in cohort.metrics and np.isfinite(cohort.metrics[metric].value)
    ]
    known.sort(key=lambda one: one[:2])
    return [
        {"where": where, "rows": cohort.rows, "metrics": _figures(cohort.metrics)}
        for _, where, cohort in known[:MOST_COHORTS]
    ]


def example(examples: Examples) -> dict[str, Any]:
    """Make a row of medians and most frequent values: published as the contract's example, so no row of the table."""
    row: dict[str, Any] = {}
    for column, values in _columns(examples):
        known = values[~np.isnan(values[:, 0])]
        match column["kind"]:
            case "number":
                median = float(np.median(known[:, 0]))
                row[column["name"]] = round(median) if column["integer"] else median
            case "date":
                row[column["name"]] = _date(column["parts"], known)
            case _:
                code = int(np.bincount(known[:, 0].astype(np.intp)).argmax())
                text = column["categories"][code]
                row[column["name"]] = text == "true" if column.get("boolean") else text
    return row


def _date(parts: Sequence[str], known: np.ndarray) -> str:
    """Return the median day, at the median hour where hours differ."""
    day = _EPOCH + timedelta(days=float(np.floor(np.median(known[:, parts.index("days")]))))
    if "hour" not in parts:
        return day.date().isoformat()
    return (day + timedelta(hours=float(np.floor(np.median(known[:, parts.index("hour")]))))).isoformat()


def reference(examples: Examples) -> dict[str, Any]:
    """Return how the values of each column are distributed, and the label's: what drift is measured against.

    A number has ascending edges, and counts of the ranges up to each edge (included) and above the last; a date the
    same in days since 1970. A category has a count for each value that the card lists, and of *other* ones.
    """
    columns: dict[str, Any] = {}
    for column, values in _columns(examples):
        if column["kind"] == "category":
            codes = values[:, 0]
            counts = np.bincount(codes[~np.isnan(codes)].astype(np.intp), minlength=len(column["categories"]))
            gone = int(examples.texts[column["name"]].null_count())
            other = len(codes) - int(counts.sum()) - gone
            columns[column["name"]] = {"counts": counts.tolist(), "other": other, "missing": gone}
        else:
            place = column["parts"].index("days") if column["kind"] == "date" else 0
            columns[column["name"]] = ranges(values[:, place])
    if examples.label.task == "regression":
        return {"columns": columns, "label": ranges(examples.y)}
    y = examples.y
    if examples.label.task == "binary" and examples.label.positive == 0:
        y = 1 - y
    return {"columns": columns, "label": {"counts": np.bincount(y, minlength=len(examples.label.classes)).tolist()}}


def ranges(values: np.ndarray) -> dict[str, Any]:
    """Return how numbers are distributed, as `reference` has it.

    A value that has more rows than a range is a range of its own, and so is the least value if it has as many as one:
    there is an edge before it, too.

    Args:
        values: float64, NaN where one is missing; at least one is not.
    """
    known = values[~np.isnan(values)]
    parts = np.arange(1, QUANTILES) / QUANTILES
    quantiles = np.quantile(known, parts, method="inverted_cdf")
    distinct = np.unique(known)
    heavy = np.unique(np.append(quantiles[1:][np.diff(quantiles) == 0], quantiles[quantiles == distinct[0]]))
    below = np.append(np.nextafter(distinct[0], -np.inf), distinct)[distinct.searchsorted(heavy)]
    edges = np.unique(np.concatenate((quantiles, below))) + 0.0  # no -0
    counts = np.bincount(edges.searchsorted(known), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "counts": counts.tolist(), "missing": len(values) - len(known)}


def _columns(examples: Examples) -> list[tuple[Mapping[str, Any], np.ndarray]]:
    """Return each column of the card with its part of the matrix."""
    found = []
    at = 0
    for column in examples.card_columns:
        width = len(column["parts"]) if column["kind"] == "date" else 1
        found.append((column, examples.matrix[:, at : at + width]))
        at += width
    return found
