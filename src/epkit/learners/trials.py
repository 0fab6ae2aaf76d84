"""A trial: a candidate is fitted on each fold and judged on the rows that the fold left out.

Early stopping on the rows that a fold left out gives the number of rounds of a boosted model. If these rows were judged
after the very round that suits them best, the result would be too good. So the margins of a fold are those after the
median of the rounds at which the *other* folds stopped. This costs nothing, because the trees exist. A refit on all
rows uses the median of all folds. (On the course's data, using a fold's own best round raises its AUC by 0.0001 to
0.0003, but not on new rows. Stopping on a tenth of the training rows, and losing them, lowers it by 0.0002.)
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any, Final

import numpy as np

from epkit.core.train.plan import Candidate
from epkit.learners.base import Fitted, Learner, LearnerError
from epkit.learners.custom import CustomLearner
from epkit.learners.lightgbm import Binned, Boosted, BoostingLearner, bin_rows
from epkit.learners.linear import LinearLearner
from epkit.learners.material import LearningTask, Material
from epkit.learners.naive import Naive

_UNSTEADY: Final = "does not give the same twice: give it a random_state, or the same command ends differently"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """The result of a candidate: the fields of `epkit.core.train.tried.Tried`."""

    margins: np.ndarray
    rounds: tuple[int, ...]
    cpu_s: float
    note: str | None


def learner_of(candidate: Candidate, shape: LearningTask) -> Learner:
    """Return the learner of a candidate."""
    match candidate.family:
        case "naive":
            return Naive(task=shape.task, outputs=shape.outputs)
        case "linear":
            return LinearLearner(
                task=shape.task,
                outputs=shape.outputs,
                features=shape.features,
                strength=float(candidate.parameters["C"]),
                seed=shape.seed,
            )
        case "custom":
            make = str(candidate.parameters["make"])
            return CustomLearner(make=make, task=shape.task, outputs=shape.outputs, seed=shape.seed % (1 << 31))
        case "vote":
            raise ValueError("a vote is made of runs and is not fitted")
        case _:
            return BoostingLearner(
                candidate=candidate,
                task=shape.task,
                outputs=shape.outputs,
                features=shape.features,
                seed=shape.seed,
            )


def weights(y: np.ndarray, weight: np.ndarray | None, *, balanced: bool) -> np.ndarray | None:
    """Return the weight of each row.

    Args:
        y: places of classes.
        balanced: whether all classes have the same total weight; the mean weight stays the same.
    """
    if not balanced:
        return weight
    share = np.ones(len(y)) if weight is None else weight
    sums = np.bincount(y, weights=share)
    return np.asarray(share * (share.sum() / (np.count_nonzero(sums) * sums[y])))


class Trials:
    """Tries candidates on the same folds. Their rows are binned once."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self._bins: dict[int, Binned] = {}

    def run(self, candidate: Candidate) -> Trial:
        """Fit and judge every fold.

        Raises:
            LearnerError: a fold cannot be fitted.
        """
        began = time.process_time()
        material = self._material
        learner = learner_of(candidate, material.shape)
        fitted = [self._fit(learner, fold) for fold in range(len(material.folds))]
        margins = np.full((len(material.y), material.shape.outputs), np.nan, np.float32)
        stops = isinstance(learner, BoostingLearner) and learner.stops_early
        for fold, model in enumerate(fitted):
            _, valid = material.folds[fold]
            others = [each.rounds or 1 for at, each in enumerate(fitted) if at != fold]
            rows = _picked(material.matrix, valid)
            if stops and others and isinstance(model, Boosted):
                margins[valid] = model.margins_at(rows, median_low(others))
            else:
                margins[valid] = model.margins(rows)
        if not np.isfinite(margins[np.concatenate([valid for _, valid in material.folds])]).all():
            raise LearnerError("gives values that are not finite")
        return Trial(
            margins=margins,
            rounds=tuple(model.rounds for model in fitted if model.rounds is not None),
            cpu_s=time.process_time() - began,
            note=self._note(learner, fitted, margins),
        )

    def _note(self, learner: Learner, fitted: Sequence[Any], margins: np.ndarray) -> str | None:
        note: str | None = next((model.note for model in fitted if model.note), None)
        if note is None and isinstance(learner, CustomLearner):
            _, valid = self._material.folds[0]
            again = self._fit(learner, 0).margins(_picked(self._material.matrix, valid))
            return None if np.array_equal(again.astype(np.float32), margins[valid]) else _UNSTEADY
        return note

    def _fit(self, learner: Learner, fold: int) -> Fitted:
        material = self._material
        if isinstance(learner, BoostingLearner):
            return learner.fit_binned(self._binned(fold))
        train, _ = material.folds[fold]
        weight = None if material.weight is None else material.weight[train]
        return learner.fit(_picked(material.matrix, train), material.y[train], weight=weight, valid=None, rounds=None)

    def _binned(self, fold: int) -> Binned:
        found = self._bins.get(fold)
        if found is None:
            material = self._material
            train, valid = material.folds[fold]
            found = self._bins[fold] = bin_rows(
                _picked(material.matrix, train),
                material.y[train],
                None if material.weight is None else material.weight[train],
                valid=(_picked(material.matrix, valid), material.y[valid]),
                valid_weight=None if material.weight is None else material.weight[valid],
                task=material.shape.task,
                features=material.shape.features,
                seed=material.shape.seed,
            )
        return found


def _picked(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(matrix[rows])
