"""The floor: the same answer for every row, from the frequencies of the classes or the mean."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from epkit.core.train.problem import Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constant:
    """A model with the same margins for every row.

    Args:
        base: float64, one for each output.
    """

    base: np.ndarray
    rounds: int | None = None
    note: str | None = None

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × outputs."""
        return np.repeat(self.base[np.newaxis, :], len(matrix), axis=0)

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return only the margins."""
        return {"base": self.base}


@dataclass(frozen=True, slots=True, kw_only=True)
class Naive:
    """Learns the frequencies of the classes, or the mean."""

    task: Task
    outputs: int

    def fit(
        self,
        matrix: np.ndarray,
        y: np.ndarray,
        *,
        weight: np.ndarray | None,
        valid: tuple[np.ndarray, np.ndarray] | None = None,  # noqa: ARG002
        rounds: int | None = None,  # noqa: ARG002
    ) -> Constant:
        """Count the classes. A class that does not occur counts as half a row."""
        share = np.ones(len(matrix)) if weight is None else weight
        if self.task == "regression":
            return Constant(base=np.array([np.average(y, weights=share)]))
        counts = np.maximum(np.bincount(y, weights=share, minlength=max(2, self.outputs)), 0.5 * share.mean())
        logs = np.log(counts / counts.sum())
        return Constant(base=logs[1:] - logs[0] if self.task == "binary" else logs)
