"""Boosted trees and forests by LightGBM, the same bytes on every run.

A fold's rows are binned once, and all runs of a process use the bins: nothing that is drawn for a run concerns them.
The label of a regression is shifted by its mean and divided by a power of two near its deviation, as LightGBM keeps
labels in 32 bits; multiplying back by a power of two rounds nothing.

Early stopping is judged by LightGBM's log loss or squared error on the validation rows. A model that is judged on the
rows that stopped it looks a little too good, so a fold is judged at the rounds that the *other* folds stopped at
(`epkit.learners.trials`); only with one fold (holdout) is that bias there.
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
"""Rounds without a better loss after which boosting stops, times the learning rate."""

_SAMPLE: Final = 512
"""Rows on which exported arrays are compared with LightGBM."""

_WITHOUT_STOPPING: Final = ("forest", "dart")
"""A forest does not overfit with more trees; dart changes earlier trees, so there is no way back to a best round."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binned:
    """Rows as LightGBM fits them.

    Args:
        train, valid: `lightgbm.Dataset`; *valid* None for a refit.
        shift, scale: what takes the label of a regression to what is fitted; 0 and 1 elsewhere.
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
            booster: `lightgbm.Booster` without its training rows; it may have more rounds than count.
            rounds: that count.
            averaged: whether its trees vote, as a forest's.
            sample: rows on which exported arrays are compared with it.
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
        """Return the margins after *rounds*, or after all that were trained where they are fewer."""
        rounds = min(rounds, self._trained)
        raw = self.booster.predict(matrix, raw_score=True, num_iteration=rounds, num_threads=1)
        found = np.asarray(raw, np.float64).reshape(len(matrix), self._outputs)
        if self._averaged:  # LightGBM's raw score of a forest is the sum of its trees, its answer is made of their mean
            found = found / rounds
        return found * self._scale + self._shift

    def as_booster(self, checked: np.ndarray) -> Any:
        """Return a booster that gives these answers by itself: of a regression in the label's own unit.

        Args:
            checked: rows on which it has to.

        Raises:
            LearnerError: it gives others.
        """
        import lightgbm

        booster = lightgbm.Booster(model_str=self.booster.model_to_string(num_iteration=self.rounds))
        if self._scale != 1 or self._shift != 0:
            for tree, found in enumerate(booster.dump_model()["tree_info"]):
                # A forest answers by the mean of its trees, the others by their sum.
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
            LearnerError: what was exported differs from LightGBM.
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
        candidate: which of them, and its parameters.
        seed: of the plan.
    """

    candidate: Candidate
    task: Task
    outputs: int
    features: tuple[Feature, ...]
    seed: int

    @property
    def stops_early(self) -> bool:
        """Tell whether its rounds are found on validation rows."""
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
            LearnerError: LightGBM refuses them.
        """
        binned = bin_rows(matrix, y, weight, valid=valid, task=self.task, features=self.features, seed=self.seed)
        return self.fit_binned(binned, rounds, sample=np.array(matrix[:_SAMPLE]))

    def fit_binned(self, binned: Binned, rounds: int | None = None, *, sample: np.ndarray | None = None) -> Boosted:
        """Fit rows that are binned already.

        Args:
            rounds: None for those of the candidate, or as many of them as the validation rows want.
            sample: rows on which exported arrays are compared with the booster.

        Raises:
            LearnerError: LightGBM refuses them.
        """
        import lightgbm

        most = int(self.candidate.parameters["rounds"]) if rounds is None else rounds
        watched = self.stops_early and binned.valid is not None and rounds is None
        try:
            booster = lightgbm.Booster(params=dict(self._parameters), train_set=binned.train)
            if watched:
                booster.add_valid(binned.valid, "valid")
            best = self._boost(booster, most, watched)
            # As text and back: without its rows and buffers, and with the very numbers that are exported.
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
        """Add trees until the validation rows get no better; return the best number of rounds."""
        best, least = most, np.inf
        for done in range(1, most + 1):
            if booster.update():  # no leaf can be split any more
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
    """Bin rows for LightGBM; the matrices are not kept.

    Args:
        matrix: float64, rows × features, as `Examples.matrix`.
        valid: matrix and label of the rows on which boosting stops.
        seed: of the plan: of the rows that bins are made of, if there are many.

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
    """Return the mean, and the power of two next to the standard deviation."""
    deviation = float(y.std())
    exponent = round(np.log2(deviation)) if deviation > 0.0 and np.isfinite(deviation) else 0
    return float(y.mean()), float(2.0**exponent)
