"""The card of a model: its columns, its quality and its training data. The same inputs give the same bytes."""

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
"""Ranges in the reference distribution of a number. They hold about equal numbers of rows."""

MOST_COHORTS: Final = 50
FEWEST_COHORT_ROWS: Final = 30
"""A cohort needs at least this number of rows to be named in the card."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - dates of tables have no zone


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomModel:
    """An estimator of the user.

    Args:
        module: name of the file, next to the model, that defines it.
        make: the function in that file.
        sha256: checksums of `model.pkl` and of the file, by name. Both are checked before anything is loaded.
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
    """Return the contents of `card.json`.

    Args:
        learned: the table: its columns, and the distributions of all its rows.
        cohorts: all cohorts; the card names the worst ones.
        versions: what `learners.versions` returns.
        files: the files in the model's directory, without the card.
        custom: None for a model that is made of arrays.
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
    """Return the bytes of the file.

    Raises:
        ValueError: a number is not finite.
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
    """Return the worst cohorts that have enough rows, the worst first; equal ones are sorted by name."""
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
    """Make a row of medians and most frequent values. The contract publishes it, so it must be no row of the table."""
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
    """Return the median day. The hour is the median hour if the hours differ."""
    day = _EPOCH + timedelta(days=float(np.floor(np.median(known[:, parts.index("days")]))))
    if "hour" not in parts:
        return day.date().isoformat()
    return (day + timedelta(hours=float(np.floor(np.median(known[:, parts.index("hour")]))))).isoformat()


def reference(examples: Examples) -> dict[str, Any]:
    """Return the distribution of each column and of the label. New rows are compared with it to find drift.

    A number has ascending edges and counts: one for the range up to each edge (included), and one for the values above
    the last edge. A date has the same, in days since 1970. A category has a count for each value that the card lists,
    and one for all *other* values.
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
    """Return the distribution of numbers in the form of `reference`.

    A value that occurs in more rows than one range holds is a range of its own. This is also true of the least value:
    then there is an edge before it.

    Args:
        values: float64, NaN for a missing value; at least one value is not missing.
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
