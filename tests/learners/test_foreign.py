"""Models in the formats of other programs."""

import sys

import numpy as np
import pytest

from epkit.errors import UsageError
from epkit.learners.base import LearnerError
from epkit.learners.foreign import check_onnx, lightgbm_text, onnx_bytes
from support.trained import bank_like, booster, learned_from, lightgbm

FOREST = {"boosting": "rf", "bagging_fraction": 0.7, "bagging_freq": 1}


@pytest.fixture(scope="module")
def bank():
    lightgbm()
    return learned_from(bank_like())


def test_the_text_is_read_by_lightgbm(bank):
    trained = booster(bank)
    again = lightgbm().Booster(model_str=lightgbm_text(trained).decode())

    assert np.array_equal(trained.predict(bank.examples.matrix), again.predict(bank.examples.matrix))


@pytest.mark.parametrize("name", ["onnxmltools", "onnxruntime"])
def test_packages_that_are_missing_are_named(bank, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    if name == "onnxruntime":
        pytest.importorskip("onnxmltools", reason="needs onnxmltools")

    for used in (check_onnx, lambda: onnx_bytes(booster(bank), bank.examples.matrix)):
        with pytest.raises(UsageError, match=rf'^--export onnx needs {name}: pip install "epkit\[onnx\]"$'):
            used()


def test_onnx_answers_as_lightgbm_does(bank):
    pytest.importorskip("onnxmltools", reason="needs onnxmltools")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    trained = booster(bank)
    content = onnx_bytes(trained, bank.examples.matrix)
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (_, answers) = session.run(None, {"rows": bank.examples.matrix.astype(np.float32)})

    assert np.abs(answers[:, 1] - trained.predict(bank.examples.matrix)).max() <= 1e-5
    assert content == onnx_bytes(trained, bank.examples.matrix)


def test_onnx_that_answers_otherwise_is_refused(bank):
    pytest.importorskip("onnxmltools", reason="needs onnxmltools")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")

    with pytest.raises(LearnerError, match="the ONNX model differs from LightGBM by"):
        onnx_bytes(booster(bank, **FOREST), bank.examples.matrix)
