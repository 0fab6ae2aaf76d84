"""Labels of the three tasks, and rows with margins that no model has computed."""

from collections.abc import Sequence

import numpy as np

from epkit.core.train.plan import Candidate, Family
from epkit.core.train.problem import Label, probabilities
from epkit.core.train.tried import Tried

BINARY = Label(name="y", task="binary", classes=("no", "yes"), positive=1)
MANY = Label(name="y", task="multiclass", classes=("a", "b", "c", "d"))
NUMBER = Label(name="y", task="regression")


def answered(margins: np.ndarray, label: Label, g: np.random.Generator) -> np.ndarray:
    """Draw labels with the probabilities of the margins; for a regression, with an error of 1."""
    if label.task == "regression":
        return np.asarray(margins[:, 0] + g.normal(size=len(margins)))
    chances = np.cumsum(probabilities(margins, label.task), axis=1)
    return np.asarray((g.random(len(margins))[:, None] > chances).sum(axis=1).clip(max=len(label.classes) - 1))


def drawn(label: Label, n: int = 400, seed: int = 0, digits: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make rows, with ties.

    Returns:
        y, margins, weights.
    """
    g = np.random.default_rng(seed)
    margins = np.round(g.normal(size=(n, label.outputs)) * 2, digits)
    y = answered(margins, label, g)
    return np.round(y, digits), margins, g.uniform(0.2, 3, n)


N = 2000
FOLDS = np.arange(N) % 5


def run(number: int, margins: np.ndarray | None, family: Family = "gbdt", error: str | None = None) -> Tried:
    return Tried(
        candidate=Candidate(run=number, family=family, parameters={}),
        state="failed" if margins is None else "done",
        margins=None if margins is None else margins.astype(np.float32),
        error=error,
    )


def binary(noises: Sequence[float], seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Make runs that see the true margins with different noise."""
    g = np.random.default_rng(seed)
    truth = g.normal(size=(N, 1)) * 2
    return answered(truth, BINARY, g), [truth + noise * g.normal(size=(N, 1)) for noise in noises]
