"""The interface of a learner: it fits rows, and gives margins and arrays. Only this room uses LightGBM and sklearn."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class Fitted(Protocol):
    """A fitted model."""

    @property
    def rounds(self) -> int | None:
        """Number of boosting rounds; None for a model without rounds."""

    @property
    def note(self) -> str | None:
        """A remark on the fit for the user, such as `did not converge in 300 iterations`; None if there is none."""

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × outputs, as `core.train.problem.probabilities` takes them."""

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the arrays from which `served.model` computes the same margins; its module docstring names them."""


class Learner(Protocol):
    """An algorithm that fits a model."""

    def fit(
        self,
        matrix: np.ndarray,
        y: np.ndarray,
        *,
        weight: np.ndarray | None,
        valid: tuple[np.ndarray, np.ndarray] | None,
        rounds: int | None,
    ) -> Fitted:
        """Fit the rows.

        Args:
            valid: rows that end boosting early; None for a refit.
            rounds: number of boosting rounds of a refit.

        Raises:
            LearnerError: the library refuses the rows; the message is one line.
        """


class LearnerError(Exception):
    """A learner cannot fit these rows. The message is one line, and the run counts as failed."""


def worded(error: BaseException) -> str:
    """Return an exception of a library as one line: `ValueError: Input X contains NaN.`."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
