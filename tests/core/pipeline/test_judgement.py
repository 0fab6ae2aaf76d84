"""The conditions under which a new model is needed."""

import pytest

from epkit.core.pipeline.judgement import DriftFound, listed, need, surely_missed
from epkit.core.train.report import Gate


def gate(observed, ci95, wanted=0.9, state="missed"):
    return Gate(
        expression="AUC>=0.9", state=state, observed=observed, ci95=ci95, wanted=wanted, rows=400, reason="is less"
    )


@pytest.mark.parametrize(
    ("ci95", "op", "expected"),
    [
        ((0.80, 0.89), ">=", True),
        ((0.80, 0.91), ">=", False),
        ((0.91, 0.95), "<", True),
        ((0.89, 0.95), "<", False),
        (None, ">=", False),
    ],
)
def test_a_gate_is_surely_missed_by_its_whole_interval(ci95, op, expected):
    assert expected is surely_missed(gate(0.85, ci95), op)


def test_a_gate_that_passed_or_was_not_judged_is_not_missed():
    assert not surely_missed(gate(0.95, (0.94, 0.96), state="passed"), ">=")
    assert not surely_missed(gate(None, None, state="not judged"), ">=")


@pytest.mark.parametrize(
    ("drift", "missed", "expected"),
    [
        (DriftFound(found=False), (), False),
        (DriftFound(found=None), (), False),
        (DriftFound(found=True, columns=("nr.employed 3.2",)), (), True),
        (DriftFound(found=False, schema=('column "x" is gone',)), (), True),
        (DriftFound(found=False), (gate(0.85, (0.8, 0.89)),), True),
    ],
)
def test_a_new_model_is_needed_for_what_is_found(drift, missed, expected):
    found = need(drift, missed, new_rows=400)

    assert expected is found.retrain
    assert found.reasons


def test_reasons_name_what_was_found():
    found = need(
        DriftFound(found=True, columns=("a 3.2", "b 1.1", "c 0.9", "d 0.8")), (gate(0.85, (0.8, 0.89)),), new_rows=400
    )

    assert (
        "drift: a 3.2, b 1.1, c 0.9 and 1 more",
        "the champion misses AUC>=0.9 on 400 new rows: 0.85",
    ) == found.reasons
    assert ("no drift", "no new labelled rows") == need(DriftFound(found=False), (), new_rows=0).reasons
    assert "no gate judges the champion by itself" == need(DriftFound(found=False), (), new_rows=None).reasons[1]
    assert "in all columns together" == listed(())


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (DriftFound(found=None), "drift: not measured"),
        (DriftFound(found=False), "drift: none"),
        (DriftFound(found=True, columns=("a 3.2",)), "drift: a 3.2"),
        (DriftFound(found=True, schema=("x is gone", "y is new")), "schema: x is gone and 1 more"),
    ],
)
def test_drift_is_said_in_a_few_words(drift, words):
    assert words == drift.line
