"""The parts of LightGBM's models that become arrays, and the models that are refused."""

import numpy as np
import pytest

from epkit.learners.base import LearnerError
from support.trained import bank_like, booster, learned_from, lightgbm


def exported(trained, matrix):
    from epkit.learners.exporting import from_lightgbm

    return from_lightgbm(trained, matrix)


@pytest.fixture(scope="module")
def bank():
    lightgbm()
    return learned_from(bank_like())


def test_a_booster_that_stopped_early_is_taken_to_its_best_iteration(bank):
    lgb = lightgbm()
    examples = bank.examples
    data = lgb.Dataset(examples.matrix, examples.y)
    noise = lgb.Dataset(examples.matrix, np.random.default_rng(0).permutation(examples.y), reference=data)
    stopped = lgb.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1},
        data,
        num_boost_round=40,
        valid_sets=[noise],
        callbacks=[lgb.early_stopping(2, verbose=False)],
    )

    assert stopped.best_iteration == len(exported(stopped, examples.matrix)["roots"]) < 40


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"objective": "poisson"}, "objective 'poisson': its margins cannot be exported"),
        ({"objective": "binary", "sigmoid": 2.0}, "objective 'binary sigmoid:2': its margins cannot be exported"),
        ({"objective": "regression", "reg_sqrt": True}, "objective 'regression sqrt'"),
        ({"objective": "regression", "linear_tree": True}, "linear trees cannot be exported"),
    ],
)
def test_what_arrays_cannot_hold_is_refused_in_one_line(parameters, message):
    lgb = lightgbm()
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(100, 2))
    data = lgb.Dataset(matrix, (matrix[:, 0] > 0).astype(float))
    trained = lgb.train({"verbose": -1, "num_threads": 1, **parameters}, data, num_boost_round=3)

    with pytest.raises(LearnerError) as caught:
        exported(trained, matrix)

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_arrays_that_differ_from_lightgbm_are_refused(bank, monkeypatch):
    from epkit.learners import exporting

    trained = booster(bank)
    read = exporting.from_text
    monkeypatch.setattr(exporting, "from_text", lambda text: {**read(text), "base": np.array([1e-6])})

    with pytest.raises(LearnerError, match="the exported trees and LightGBM differ by"):
        exported(trained, bank.examples.matrix)


def test_equal_trainings_give_equal_bytes(bank):
    from epkit.files.model_directory import npz_bytes

    first, second = (npz_bytes(exported(booster(bank), bank.examples.matrix)) for _ in range(2))

    assert first == second
