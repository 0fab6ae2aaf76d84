"""Every family on every task: it learns, gives the same result twice, and its arrays give its margins."""

from dataclasses import replace

import numpy as np
import pytest

from epkit.core.train.plan import Candidate, TrainPlan
from epkit.core.train.problem import Examples, Label, probabilities
from epkit.core.train.space import schedule
from epkit.learners import linear
from epkit.learners.base import LearnerError
from epkit.learners.folds import folds
from epkit.learners.material import LearningTask, Material
from epkit.learners.trials import Trials, learner_of, weights
from epkit.served.model import margins
from support.training import examples

pytest.importorskip("lightgbm", reason="needs the extra train")

TASKS = ["binary", "multiclass", "regression"]
FAMILIES = ["naive", "linear", "gbdt", "extra", "forest", "dart"]


def of_family(family: str, table: Examples, seed: int = 0) -> Candidate:
    """Return a drawn run of the family, or a fixed one, with few rounds."""
    planned = schedule(300, seed, rows=len(table), outputs=table.label.outputs)
    found = [each for each in planned if each.family == family] or [
        replace(each, family="dart", parameters={**each.parameters, "drop_rate": 0.1}) for each in planned[3:4]
    ]
    short = {"rounds": 30} if "rounds" in found[-1].parameters else {}
    return replace(found[-1], parameters={**found[-1].parameters, **short})


def fitted(family: str, table: Examples):
    learner = learner_of(of_family(family, table), LearningTask.of(table, 0))
    return learner.fit(table.matrix, table.y, weight=None, valid=None, rounds=20)


def error(table: Examples, found: np.ndarray) -> float:
    """Return the share of wrong predictions, or the squared error as a share of the variance."""
    if table.label.task == "regression":
        return float(np.mean((found[:, 0] - table.y) ** 2) / table.y.var())
    return float(np.mean(probabilities(found, table.label.task).argmax(axis=1) != table.y))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", FAMILIES)
class TestEveryFamily:
    def test_it_learns(self, family, task) -> None:
        table, fresh = examples(task, 600), examples(task, 400, seed=1)
        floor = error(fresh, fitted("naive", table).margins(fresh.matrix))
        found = error(fresh, fitted(family, table).margins(fresh.matrix))

        assert found == floor if family == "naive" else found < 0.8 * floor

    def test_it_repeats_itself(self, family, task) -> None:
        table = examples(task)
        one, two = fitted(family, table), fitted(family, table)

        assert one.margins(table.matrix).tobytes() == two.margins(table.matrix).tobytes()
        arrays, same = one.arrays(), two.arrays()
        assert {name: array.tobytes() for name, array in arrays.items()} == {
            name: array.tobytes() for name, array in same.items()
        }

    def test_its_arrays_give_its_margins(self, family, task) -> None:
        table = examples(task)
        model = fitted(family, table)
        rows = examples(task, 200, seed=2).matrix.copy()
        rows[::3, 2] = 17  # a category that did not occur in training
        rows[::4, 0] = np.nan
        rows[0] = np.nan

        np.testing.assert_allclose(margins(model.arrays(), rows), model.margins(rows), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_of_rows_matter(family) -> None:
    table = examples("binary")
    heavy = np.where(table.y == 1, 20.0, 1.0)
    learner = learner_of(of_family(family, table), LearningTask.of(table, 0))
    plain = learner.fit(table.matrix, table.y, weight=None, valid=None, rounds=20).margins(table.matrix)
    weighted = learner.fit(table.matrix, table.y, weight=heavy, valid=None, rounds=20).margins(table.matrix)

    assert weighted.mean() > plain.mean() + 0.5


def test_the_floor_of_a_binary_task_is_its_share() -> None:
    table = replace(examples("binary", 4), y=np.array([0, 0, 1, 0]))

    np.testing.assert_allclose(
        [[0.75, 0.25]] * 4, probabilities(fitted("naive", table).margins(table.matrix), "binary")
    )


def test_the_floor_of_a_class_that_does_not_occur_is_half_a_row() -> None:
    table = replace(examples("multiclass", 4), y=np.array([0, 0, 1, 0]))

    np.testing.assert_allclose(
        [3 / 4.5, 1 / 4.5, 0.5 / 4.5], probabilities(fitted("naive", table).margins(table.matrix), "multiclass")[0]
    )


def test_a_linear_model_knows_classes_that_its_rows_do_not_have() -> None:
    for counts in ([0, 60, 60], [0, 0, 120]):
        table = replace(examples("multiclass", 120), y=np.repeat([0, 1, 2], counts))
        if counts[1] == 0:
            with pytest.raises(LearnerError, match="all rows of a fold are of one class"):
                fitted("linear", table)
            continue
        found = probabilities(fitted("linear", table).margins(table.matrix), "multiclass")
        assert found[:, 0].max() < 1e-6
        binary = replace(table, label=Label(name="y", task="binary", classes=("1", "2"), positive=1), y=table.y - 1)
        alike = probabilities(fitted("linear", binary).margins(table.matrix), "binary")
        np.testing.assert_allclose(alike, found[:, 1:], atol=0.02)


def test_a_linear_model_that_does_not_converge_says_so(monkeypatch) -> None:
    table = examples("binary")

    assert fitted("linear", table).note is None
    monkeypatch.setattr(linear, "_STEPS", 2)
    assert "did not converge in 2 iterations" == fitted("linear", table).note


def test_no_column_that_varies_is_a_failure_of_linear_models_in_one_line() -> None:
    table = examples("binary")

    with pytest.raises(LearnerError, match="no column varies"):
        fitted("linear", replace(table, matrix=np.zeros_like(table.matrix)[:, :2], features=table.features[:2]))


@pytest.mark.parametrize("family", ["gbdt", "linear"])
@pytest.mark.parametrize(("shift", "scale"), [(1e12, 1.0), (0.0, 1e-12), (-3e9, 1e9)])
def test_a_label_far_from_zero_or_tiny_is_learned_as_well(family, shift, scale) -> None:
    table = examples("regression", 600)
    usual = (table.y - table.y.mean()) / table.y.std()
    plain, moved = replace(table, y=usual), replace(table, y=shift + scale * usual)

    found = fitted(family, moved).margins(table.matrix)

    np.testing.assert_allclose((found - shift) / scale, fitted(family, plain).margins(table.matrix), atol=5e-3)


def test_lightgbm_refuses_in_one_line() -> None:
    table = examples("multiclass", 30)

    with pytest.raises(LearnerError, match=r"^LightGBMError: Label must be in \[0, 3\)[^\n]+$"):
        fitted("gbdt", replace(table, y=table.y + 5))


class TestTrials:
    def material(self, table: Examples, **given: object) -> Material:
        plan = TrainPlan(label="y", **given)  # type: ignore[arg-type]
        found = folds(table, np.arange(len(table)), plan)
        weight = weights(table.y, None, balanced=plan.balanced)
        return Material(
            shape=LearningTask.of(table, 0), matrix=table.matrix, y=table.y, weight=weight, folds=found.pairs
        )

    def test_the_order_of_runs_changes_nothing(self) -> None:
        table = examples("binary")
        planned = schedule(8, 0, rows=len(table), outputs=1)
        forth, back = Trials(self.material(table)), Trials(self.material(table))
        ahead = {each.run: forth.run(each) for each in planned}
        behind = {each.run: back.run(each) for each in reversed(planned)}

        for run, trial in ahead.items():
            assert trial.margins.tobytes() == behind[run].margins.tobytes()
            assert trial.rounds == behind[run].rounds

    def test_margins_are_those_of_a_model_that_did_not_see_the_row(self) -> None:
        table = examples("binary")
        material = self.material(table)
        candidate = of_family("forest", table)
        trial = Trials(material).run(candidate)
        train, valid = material.folds[2]
        model = learner_of(candidate, material.shape).fit(
            table.matrix[train], table.y[train], weight=None, valid=None, rounds=None
        )

        np.testing.assert_array_equal(model.margins(table.matrix[valid]).astype(np.float32), trial.margins[valid])
        assert (30,) * 5 == trial.rounds

    def test_a_fold_is_judged_at_the_rounds_of_the_others(self) -> None:
        table = examples("binary")
        material = self.material(table)
        candidate = schedule(3, 0, rows=len(table), outputs=1)[2]
        trial = Trials(material).run(candidate)
        train, valid = material.folds[0]
        rounds = sorted(trial.rounds[1:])[1]  # the lower median of four
        model = learner_of(candidate, material.shape).fit(
            table.matrix[train], table.y[train], weight=None, valid=None, rounds=rounds
        )

        np.testing.assert_array_equal(model.margins(table.matrix[valid]).astype(np.float32), trial.margins[valid])
        assert len(set(trial.rounds)) > 1

    def test_rows_that_no_fold_judges_have_no_margins(self) -> None:
        table = examples("regression", timed=True)
        material = self.material(table, time="t")
        trial = Trials(material).run(schedule(3, 0, rows=len(table), outputs=1)[2])
        judged = np.concatenate([valid for _, valid in material.folds])

        assert sorted(judged) == np.flatnonzero(np.isfinite(trial.margins[:, 0])).tolist()

    def test_a_fold_without_a_class_is_tried_all_the_same(self) -> None:
        table = examples("multiclass", 60)
        table = replace(table, y=np.minimum(table.y, 1))
        table.y[7] = 2
        trials = Trials(self.material(table))
        for candidate in schedule(6, 0, rows=60, outputs=3):
            assert np.isfinite(trials.run(candidate).margins).all()

    @pytest.mark.parametrize("task", TASKS)
    def test_ten_rows_are_enough(self, task) -> None:
        table = examples(task, 10)
        trials = Trials(self.material(table))
        for candidate in schedule(8, 0, rows=10, outputs=table.label.outputs):
            try:
                assert (10, table.label.outputs) == trials.run(candidate).margins.shape
            except LearnerError as failure:
                assert "one class" in str(failure)  # noqa: PT017


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "iris", "diabetes"])
def test_public_tables_are_learned_better_than_by_the_floor(name) -> None:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    regression = name == "diabetes"
    classes = () if regression else tuple(map(str, bunch.target_names))
    table = examples("regression", 10)
    label = Label(
        name="y",
        task="regression" if regression else "binary" if len(classes) == 2 else "multiclass",
        classes=classes,
        positive=1 if len(classes) == 2 else None,
    )
    table = replace(
        table,
        label=label,
        matrix=np.ascontiguousarray(bunch.data),
        y=bunch.target.astype(np.float64 if regression else np.int64),
        features=tuple(replace(table.features[0], name=each, column=each) for each in map(str, bunch.feature_names)),
        hashes=np.arange(len(bunch.data), dtype=np.uint64),
    )
    material = TestTrials().material(table)
    trials = Trials(material)
    floor, *others = (
        error(table, trials.run(each).margins.astype(np.float64))
        for each in schedule(3, 0, rows=len(table), outputs=label.outputs)
    )

    assert all(each < 0.75 * floor for each in others), (floor, others)


def test_balanced_classes_weigh_the_same_in_all() -> None:
    y = np.repeat([0, 1, 2], [80, 15, 5])
    found = weights(y, None, balanced=True)

    assert found is not None
    np.testing.assert_allclose([100 / 3] * 3, np.bincount(y, weights=found))
    assert weights(y, None, balanced=False) is None
    doubled = weights(y, np.full(100, 2.0), balanced=True)
    assert doubled is not None
    np.testing.assert_allclose(2 * found, doubled)
