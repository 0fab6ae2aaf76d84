"""Thresholds: the rules, the chosen values, and the judgement on rows that did not choose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.train import metrics, threshold
from epkit.core.train.metrics import Metrics
from epkit.core.train.plan import ThresholdRule
from epkit.errors import UsageError
from support.margins import BINARY, FOLDS, binary


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0.5", ThresholdRule(text="0.5")),
        (" .3 ", ThresholdRule(text=".3", fixed=0.3)),
        ("f1", ThresholdRule(text="f1", rule="f1")),
        ("balanced", ThresholdRule(text="balanced", rule="balanced")),
        ("recall >= 0.8", ThresholdRule(text="recall>=0.8", rule="recall", recall=0.8)),
        ("cost:fn=5,fp=1", ThresholdRule(text="cost:fn=5,fp=1", rule="cost", cost_fn=5, cost_fp=1)),
        ("cost:fp=0.5,fn=2", ThresholdRule(text="cost:fp=0.5,fn=2", rule="cost", cost_fn=2, cost_fp=0.5)),
    ],
)
def test_rules_are_read(text: str, rule: ThresholdRule) -> None:
    assert rule == threshold.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "F2", "1", "0", "50", "-0.1", "recall>=80", "recall>=0", "recall", "cost:fn=5", "cost:fn=0,fp=1", "nan"],
)
def test_what_is_no_rule_is_refused_in_one_line_with_the_grammar(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        threshold.parse(text)

    assert str(caught.value).startswith(f"--threshold {text!r}: ")
    assert str(caught.value).endswith(threshold.GRAMMAR)
    assert "\n" not in str(caught.value)


def rows(p: list[float], y: list[int]) -> Metrics:
    odds = np.array(p) / (1 - np.array(p))
    return Metrics(np.array(y), np.log(odds)[:, None], BINARY)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("0.5", 0.5),
        ("f1", 0.3),  # between 0.2 and 0.4: three of three found, one false alarm
        ("recall>=0.6", 0.7),
        ("recall>=0.9", 0.3),
        ("cost:fn=5,fp=1", 0.3),
        ("cost:fn=1,fp=5", 0.7),
    ],
)
def test_the_rules_on_rows_that_can_be_counted(rule: str, expected: float) -> None:
    found = threshold.best(threshold.parse(rule), rows([0.9, 0.8, 0.6, 0.4, 0.2, 0.1], [1, 1, 0, 1, 0, 0]))

    assert expected == found


TABLES = st.lists(st.tuples(st.integers(1, 19), st.booleans()), min_size=1, max_size=40)


@given(TABLES, st.sampled_from(["f1", "balanced", "recall>=0.7", "cost:fn=3,fp=1"]))
def test_no_threshold_is_better(table: list[tuple[int, bool]], text: str) -> None:
    p = np.array([twentieth / 20 for twentieth, _ in table])
    y = np.array([int(positive) for _, positive in table])
    rule = threshold.parse(text)
    own = rows(p.tolist(), y.tolist())
    chosen = threshold.best(rule, own)
    if len(set(y.tolist())) < 2:
        assert 0.5 == chosen
        return

    def worth(cut: float) -> float:
        said = own.probabilities[:, 1] >= cut
        tp, fp = (said & (y == 1)).sum(), (said & (y == 0)).sum()
        match rule.rule:
            case "f1":
                return 2 * tp / (said.sum() + y.sum())
            case "balanced":
                return tp / y.sum() - fp / (1 - y).sum()
            case "recall":
                return -fp if tp >= 0.7 * y.sum() else -np.inf
            case _:
                return -(3 * (y.sum() - tp) + fp)

    assert 0 < chosen <= 1
    assert max(worth(cut) for cut in np.arange(0.025, 1, 0.05)) == pytest.approx(worth(chosen))


def test_the_threshold_is_a_short_decimal_between_two_probabilities() -> None:
    assert 0.32 == threshold.best(threshold.parse("f1"), rows([0.9, 0.3211, 0.3199, 0.1], [1, 1, 0, 0]))


def test_probabilities_of_exactly_1_are_never_cut_off_from_above() -> None:
    own = Metrics(np.array([0, 0, 1, 0]), np.array([[800.0], [800.0], [-1.0], [-2.0]]), BINARY)

    assert 0 < threshold.best(threshold.parse("cost:fn=1,fp=100"), own) <= 1


def test_a_fold_is_judged_by_what_the_other_folds_chose() -> None:
    y, (margins,) = binary([1.0])
    own = Metrics(y, margins - 2, BINARY)
    settled = threshold.settle(threshold.parse("f1"), own, FOLDS)
    other = FOLDS != 2

    assert threshold.best(threshold.parse("f1"), own[other]) == pytest.approx(settled.by_row[FOLDS == 2])
    assert threshold.best(threshold.parse("f1"), own) == settled.threshold.value


def test_a_fixed_threshold_is_that_of_every_row() -> None:
    y, (margins,) = binary([1.0])
    settled = threshold.settle(threshold.parse("0.4"), Metrics(y, margins, BINARY), FOLDS)

    assert {0.4} == {settled.threshold.value, *settled.by_row.tolist()}


def test_f1_is_proposed_where_a_class_is_rare() -> None:
    y, (margins,) = binary([0.5])
    g = np.random.default_rng(0)
    kept = (y == 0) | (g.random(len(y)) < 0.12)
    own = Metrics(y[kept], margins[kept] - 3, BINARY)
    found = threshold.settle(threshold.parse("0.5"), own, FOLDS[kept]).threshold

    assert (0.5, "0.5") == (found.value, found.rule)
    assert metrics.value("f1", own.y, own.margins, BINARY) == found.f1_at_half
    assert found.f1 is not None
    assert found.f1_at_half is not None
    assert found.f1 > found.f1_at_half + 0.1
    assert found.f1_value is not None
    assert found.f1_value < 0.4


def test_nothing_is_proposed_for_classes_that_are_not_rare() -> None:
    y, (margins,) = binary([1.0])
    found = threshold.settle(threshold.parse("0.5"), Metrics(y, margins, BINARY), FOLDS).threshold

    assert (None, None, None) == (found.f1, found.f1_at_half, found.f1_value)
