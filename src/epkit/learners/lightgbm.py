"""Boosted trees and forests by LightGBM. Every run gives the same bytes.

The rows of a fold are binned once, and all runs of a process share the bins: no random parameter of a run changes them.
The label of a regression is shifted by its mean and divided by a power of two near its deviation, because LightGBM
keeps labels in 32 bits. Multiplying by a power of two does not round.

Early stopping uses LightGBM's log loss or squared error on the validation rows. A model that is judged on the same rows
looks slightly too good. So a fold is judged after the number of rounds at which the *other* folds stopped
(`epkit.learners.trials`). Only a single fold (holdout) has that bias.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from epkit.core.train.plan import Candidate
from epkit.core.train.problem import Feature, Task
from epkit.learners.base import LearnerError, worded

_OBJECTIVES: Final[Mapping[Task, tuple[str, str]]] = {
    "binary": ("binary", "binary_logloss"),
    "multiclass": ("multiclass", "multi_logloss"),
    "regression": ("regression", "l2"),
}
_STEADY: Final[Mapping[str, Any]] = {
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,  # `min_data_in_leaf` differs between the runs that share bins
}
_SEEDS: Final = ("bagging_seed", "feature_fraction_seed", "extra_seed", "drop_seed", "objective_seed")
_LEAST_PATIENCE: Final = 20
_MOST_PATIENCE: Final = 60
_PATIENCE: Final = 2.0
"""Boosting stops after this number of rounds without a lower loss, divided by the learning rate."""

_SAMPLE: Final = 512
"""Rows on which exported arrays are compared with LightGBM."""

_WITHOUT_STOPPING: Final = ("forest", "dart")
"""Families without early stopping: a forest does not overfit with more trees; dart changes its earlier trees."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binned:
    """Rows in the form that LightGBM fits.

    Args:
        train, valid: `lightgbm.Dataset`; *valid* is None for a refit.
        shift, scale: turn the label of a regression into the fitted one; otherwise 0 and 1.
    """

    train: Any
    valid: Any
    shift: float
    scale: float


class Boosted:
    """A fitted booster."""

    note: str | None = None

    def __init__(
        self, booster: Any, *, rounds: int, binned: Binned, outputs: int, averaged: bool, sample: np.ndarray
    ) -> None:
        """Keep a booster.

        Args:
            booster: `lightgbm.Booster` without its training rows; it may have more rounds than are used.
            rounds: number of rounds that are used.
            averaged: whether the answer is the mean of the trees, as in a forest.
            sample: rows on which exported arrays are compared with the booster.
        """
        self.booster = booster
        self.rounds: int | None = rounds
        self._trained = max(1, booster.current_iteration())
        self._shift, self._scale, self._outputs = binned.shift, binned.scale, outputs
        self._averaged, self._sample = averaged, sample

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × outputs."""
        return self.margins_at(matrix, self.rounds or 1)

    def margins_at(self, matrix: np.ndarray, rounds: int) -> np.ndarray:
        """Return the margins after *rounds*, or after all trained rounds if there are fewer."""
        rounds = min(rounds, self._trained)
        raw = self.booster.predict(matrix, raw_score=True, num_iteration=rounds, num_threads=1)
        found = np.asarray(raw, np.float64).reshape(len(matrix), self._outputs)
        if self._averaged:  # LightGBM's raw score of a forest is the sum of its trees; its answer uses their mean
            found = found / rounds
        return found * self._scale + self._shift

    def as_booster(self, checked: np.ndarray) -> Any:
        """Return a booster that gives these answers by itself: for a regression, in the unit of the label.

        Args:
            checked: rows on which the answers are compared.

        Raises:
            LearnerError: the answers differ.
        """
        import lightgbm

        booster = lightgbm.Booster(model_str=self.booster.model_to_string(num_iteration=self.rounds))
        if self._scale != 1 or self._shift != 0:
            for tree, found in enumerate(booster.dump_model()["tree_info"]):
                # A forest answers with the mean of its trees, the other families with their sum.
                shift = self._shift if self._averaged or tree == 0 else 0.0
                for leaf in range(found["num_leaves"]):
                    booster.set_leaf_output(tree, leaf, booster.get_leaf_output(tree, leaf) * self._scale + shift)
        answers = np.asarray(booster.predict(checked, raw_score=True, num_threads=1)).reshape(len(checked), -1)
        if self._averaged:
            answers = answers / booster.current_iteration()
        wanted = self.margins(checked)
        if not np.allclose(answers, wanted, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(wanted).max(initial=0.0)))):
            raise LearnerError("LightGBM reads another model back than it wrote: has its format changed?")
        return booster

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the trees.

        Raises:
            LearnerError: the exported arrays give other answers than LightGBM.
        """
        from epkit.learners.exporting import from_lightgbm

        arrays = dict(from_lightgbm(self.booster, self._sample))
        arrays["value"] = arrays["value"] * self._scale
        arrays["base"] = arrays["base"] * self._scale + self._shift
        return arrays


@dataclass(frozen=True, kw_only=True)
class BoostingLearner:
    """Fits the boosted families and the forest.

    Args:
        candidate: the family and its parameters.
        seed: seed of the plan.
    """

    candidate: Candidate
    task: Task
    outputs: int
    features: tuple[Feature, ...]
    seed: int

    @property
    def stops_early(self) -> bool:
        """Tell whether validation rows determine the number of rounds."""
        return self.candidate.family not in _WITHOUT_STOPPING

    def fit(
        self,
        matrix: np.ndarray,
        y: np.ndarray,
        *,
        weight: np.ndarray | None,
        valid: tuple[np.ndarray, np.ndarray] | None = None,
        rounds: int | None = None,
    ) -> Boosted:
        """Fit the rows.

        Raises:
            LearnerError: LightGBM refuses the rows.
        """
        binned = bin_rows(matrix, y, weight, valid=valid, task=self.task, features=self.features, seed=self.seed)
        return self.fit_binned(binned, rounds, sample=np.array(matrix[:_SAMPLE]))

    def fit_binned(self, binned: Binned, rounds: int | None = None, *, sample: np.ndarray | None = None) -> Boosted:
        """Fit rows that are already binned.

        Args:
            rounds: None: the candidate's number of rounds, or fewer if the validation rows stop it earlier.
            sample: rows on which exported arrays are compared with the booster.

        Raises:
            LearnerError: LightGBM refuses the rows.
        """
        import lightgbm

        most = int(self.candidate.parameters["rounds"]) if rounds is None else rounds
        watched = self.stops_early and binned.valid is not None and rounds is None
        try:
            booster = lightgbm.Booster(params=dict(self._parameters), train_set=binned.train)
            if watched:
                booster.add_valid(binned.valid, "valid")
            best = self._boost(booster, most, watched)
            # Converted to text and back: this drops rows and buffers, and gives exactly the numbers that are exported.
            booster.model_from_string(booster.model_to_string(num_iteration=-1)).free_dataset()
        except lightgbm.basic.LightGBMError as error:
            raise LearnerError(worded(error)) from None
        return Boosted(
            booster,
            rounds=max(1, min(best, booster.current_iteration())),
            binned=binned,
            outputs=self.outputs,
            averaged=self.candidate.family == "forest",
            sample=np.empty((0, len(self.features))) if sample is None else sample,
        )

    def _boost(self, booster: Any, most: int, watched: bool) -> int:
        """Add trees until the validation loss no longer falls; return the best number of rounds."""
        best, least = most, np.inf
        for done in range(1, most + 1):
            if booster.update():  # True: no leaf can be split
                return min(best, done)
            if not watched:
                continue
            loss = booster.eval_valid()[0][2]
            if loss < least:
                best, least = done, loss
            elif done - best >= self._patience:
                break
        return best

    @property
    def _patience(self) -> int:
        rate = float(self.candidate.parameters["learning_rate"])
        return int(min(_MOST_PATIENCE, max(_LEAST_PATIENCE, _PATIENCE / rate)))

    @cached_property
    def _parameters(self) -> Mapping[str, Any]:
        """Return LightGBM's parameters."""
        objective, metric = _OBJECTIVES[self.task]
        family = self.candidate.family
        seeds = np.random.default_rng((self.seed, self.candidate.run, 1)).integers(1, 1 << 31, len(_SEEDS)).tolist()
        return {
            **_STEADY,
            **{name: value for name, value in self.candidate.parameters.items() if name != "rounds"},
            **dict(zip(_SEEDS, seeds, strict=True)),
            "objective": objective,
            "metric": metric,
            "boosting": {"forest": "rf", "dart": "dart"}.get(family, "gbdt"),
            **({"extra_trees": True} if family == "extra" else {}),
            **({"num_class": self.outputs} if self.task == "multiclass" else {}),
        }


def bin_rows(
    matrix: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    *,
    valid: tuple[np.ndarray, np.ndarray] | None,
    task: Task,
    features: tuple[Feature, ...],
    seed: int,
    valid_weight: np.ndarray | None = None,
) -> Binned:
    """Bin rows for LightGBM. The matrices are not kept.

    Args:
        matrix: float64, rows × features, as `Examples.matrix`.
        valid: matrix and label of the validation rows for early stopping.
        seed: seed of the plan; it chooses the rows from which bins are made, if there are many.

    Raises:
        LearnerError: LightGBM refuses the rows.
    """
    import lightgbm

    shift, scale = _standard(y) if task == "regression" else (0.0, 1.0)
    parameters = {**_STEADY, "data_random_seed": seed % (1 << 31)}
    categorical = [place for place, feature in enumerate(features) if feature.categories]

    def dataset(rows: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, reference: Any) -> Any:
        return lightgbm.Dataset(
            rows,
            label=(labels - shift) / scale,
            weight=weights,
            reference=reference,
            categorical_feature=categorical,
            params=parameters,
        ).construct()

    try:
        train = dataset(matrix, y, weight, None)
        seen = None if valid is None else dataset(valid[0], valid[1], valid_weight, train)
    except lightgbm.basic.LightGBMError as error:
        raise LearnerError(worded(error)) from None
    return Binned(train=train, valid=seen, shift=shift, scale=scale)


def _standard(y: np.ndarray) -> tuple[float, float]:
    """Return the mean, and the power of two nearest to the standard deviation."""
    deviation = float(y.std())
    exponent = round(np.log2(deviation)) if deviation > 0.0 and np.isfinite(deviation) else 0
    return float(y.mean()), float(2.0**exponent)
