"""What a learner is: it fits rows, and gives margins and arrays; only this room knows LightGBM and scikit-learn."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class Fitted(Protocol):
    """A fitted model."""

    @property
    def rounds(self) -> int | None:
        """Of boosting that it has, None where there are none."""

    @property
    def note(self) -> str | None:
        """What the user should know of the fit, `did not converge in 300 iterations`; None for nothing."""

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × outputs, as `core.train.problem.probabilities` takes them."""

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return what `served.model` evaluates to the same margins (its module docstring has the names)."""


class Learner(Protocol):
    """Something that fits."""

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
            valid: rows on which boosting stops early; None for a refit.
            rounds: of boosting, for a refit.

        Raises:
            LearnerError: the library refuses the rows; one line.
        """


class LearnerError(Exception):
    """A learner cannot fit these rows; the message is one line, and the run counts as failed."""


def worded(error: BaseException) -> str:
    """Return what a library raised, in one line: `ValueError: Input X contains NaN.`."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
