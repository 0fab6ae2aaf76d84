"""Models that tests train in a second, and the files for their deployment."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from epkit.core.train.card import CustomModel, card, card_bytes
from epkit.core.train.columns import Learned, learn
from epkit.core.train.plan import TrainPlan
from epkit.core.train.report import Best, ClassThreshold, DataInfo, Figure, JudgedRows, VoteMember
from epkit.files.model_directory import npz_bytes, write
from epkit.served.script import conda, script

OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}
VERSIONS = {"epkit": "0", "numpy": np.__version__, "python": "3.11", "lightgbm": "4.5.0", "scikit-learn": "1.5.0"}


def lightgbm() -> Any:
    """Return LightGBM, or skip the calling test if it is missing."""
    return pytest.importorskip("lightgbm", reason="needs the extra train")


def bank_like(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """Make a table with the columns and types of the course's; the label is yes for long calls in spring."""
    rng = np.random.default_rng(seed)

    def words(*choices: str) -> list[str]:
        return [str(word) for word in rng.choice(choices, rows)]

    table: dict[str, Any] = {
        "age": rng.integers(17, 90, rows),
        "job": words("blue-collar", "admin.", "student", "unknown"),
        "marital": words("married", "single"),
        "education": words("university.degree", "basic.9y"),
        "default": words("no", "unknown"),
        "housing": words("yes", "no"),
        "loan": words("yes", "no"),
        "contact": words("cellular", "telephone"),
        "month": words("may", "mar", "nov"),
        "day_of_week": words("mon", "tue", "fri"),
        "duration": rng.integers(5, 1500, rows),
        "campaign": rng.integers(1, 9, rows),
        "pdays": rng.choice([3, 6, 999], rows),
        "previous": rng.integers(0, 4, rows),
        "poutcome": words("failure", "nonexistent", "success"),
        "emp.var.rate": rng.choice([-1.8, 1.1, 1.4], rows),
        "cons.price.idx": rng.choice([92.893, 93.994], rows),
        "cons.conf.idx": rng.choice([-46.2, -36.4], rows),
        "euribor3m": rng.choice([1.299, 4.857], rows),
        "nr.employed": rng.choice([5099.1, 5191.0], rows),
    }
    yes = (table["duration"] > 700) & (table["age"] < 50)
    return pl.DataFrame(table | {"y": np.where(yes, "yes", "no")})


def booster(learned: Learned, *, rounds: int = 30, **parameters: Any) -> Any:
    """Fit LightGBM on all examples."""
    examples = learned.examples
    categorical = [place for place, feature in enumerate(examples.features) if feature.categories]
    settings = {"objective": OBJECTIVES[examples.label.task], "verbose": -1, "num_threads": 1, "seed": 1}
    settings |= {"deterministic": True, "force_row_wise": True, "min_data_in_leaf": 5, **parameters}
    if examples.label.task == "multiclass":
        settings["num_class"] = len(examples.label.classes)
    data = lightgbm().Dataset(examples.matrix, examples.y, categorical_feature=categorical or None)
    return lightgbm().train(settings, data, num_boost_round=rounds)


def card_of(
    learned: Learned, *, threshold: float = 0.5, custom: CustomModel | None = None, files: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Make a card with plausible figures."""
    label = learned.examples.label
    figures = {"accuracy": Figure(value=0.9, sd=0.01, ci95=(0.88, 0.92))}
    return card(
        learned=learned,
        data=DataInfo(
            path="/somewhere/table.csv",
            sha256="0" * 64,
            rows=len(learned.examples),
            unlabelled=0,
            test_rows=0,
            duplicates=learned.duplicates,
            label=label.name,
            task=label.task,
            positive=None,
            classes={},
            columns=learned.columns,
        ),
        plan=TrainPlan(label=label.name),
        best=Best(
            kind="run" if custom is None else "custom",
            members=(VoteMember(run=2, family="gbdt", weight=1.0),),
            validation=figures,
            optimism=None,
        ),
        threshold=ClassThreshold(rule="0.5", value=threshold, f1=None, f1_at_half=None, f1_value=None)
        if label.task == "binary"
        else None,
        test=JudgedRows(
            rows=9,
            metrics=figures,
            confusion=None,
            roc={},
            precision_recall={},
            calibration=None,
            ece=None,
        ),
        cohorts=(),
        versions=VERSIONS,
        files=files or ("model.npz", "score.py", "conda.yml"),
        custom=custom,
    )


def write_model(directory: Path, learned: Learned, arrays: Any, *, threshold: float = 0.5) -> Path:
    """Write the four files of a model that consists of arrays."""
    files = {
        "model.npz": npz_bytes(arrays),
        "card.json": card_bytes(card_of(learned, threshold=threshold)),
        "score.py": script().encode(),
        "conda.yml": conda(VERSIONS).encode(),
    }
    write(directory, files, overwrite=False)
    return directory


def learned_from(table: dict[str, Any] | pl.DataFrame, label: str = "y", **plan: Any) -> Learned:
    """Learn from a table that is written in a test."""
    return learn(pl.DataFrame(table), TrainPlan(label=label, **plan))
