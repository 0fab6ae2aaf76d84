"""Examples with a number, a code, a category and a date, made without a table."""

import numpy as np

from epkit.core.train.problem import Examples, Feature, Label

JOBS = ("admin.", "retired", "student")


def examples(
    label: Label, y: np.ndarray, *, age: np.ndarray, job: np.ndarray, month: np.ndarray, code: np.ndarray
) -> Examples:
    """Make examples with the columns `age`, `job`, `day` (dates in different months) and `code`.

    Args:
        job: indices into `JOBS`, NaN for missing; 3 for a value that the model does not know.
    """
    texts = [None if np.isnan(place) else (*JOBS, "diver")[int(place)] for place in job]
    unknown = np.where(job == len(JOBS), np.nan, job)
    return Examples(
        label=label,
        card_columns=(
            {"name": "age", "kind": "number"},
            {"name": "job", "kind": "category", "categories": list(JOBS)},
            {"name": "day", "kind": "date", "parts": ["month"]},
            {"name": "code", "kind": "number"},
        ),
        features=(
            Feature(name="age", column="age"),
            Feature(name="job", column="job", categories=len(JOBS)),
            Feature(name="day.month", column="day"),
            Feature(name="code", column="code"),
        ),
        matrix=np.column_stack((age, unknown, month, code)).astype(np.float64),
        y=y,
        hashes=np.arange(len(y), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15),
        texts={"job": texts},
    )


def drawn_examples(label: Label, n: int = 2000, seed: int = 0) -> Examples:
    """Draw columns at random; the label does not depend on them."""
    g = np.random.default_rng(seed)
    y = g.normal(size=n) if label.task == "regression" else g.integers(0, len(label.classes), n)
    return examples(
        label,
        y,
        age=g.integers(17, 99, n).astype(np.float64),
        job=g.integers(0, 3, n).astype(np.float64),
        month=g.integers(1, 13, n).astype(np.float64),
        code=g.integers(0, 3, n).astype(np.float64),
    )
