import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.bank import train
from epkit.bank.model import HERE, BankModel

JUDGED = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30)


def test_the_cards_metrics_hold_on_the_held_out_fifth(data_set):
    card = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    table, answers, digest = train.read(data_set)
    _, held_out = train.split(answers)
    probability = BankModel.load().probability(table)[held_out]
    measured = {
        "at threshold": train.metrics(answers[held_out], probability, card["threshold"]),
        "at 0.5": train.metrics(answers[held_out], probability, 0.5),
    }

    assert card["source"]["sha256"] == digest
    assert card["held_out"] == {"rows": 6589, "yes": 738, "metrics": measured}


def test_exported_trees_give_scikit_learns_probabilities(monkeypatch, data_set):
    monkeypatch.setattr(train, "LEARNER", {**train.LEARNER, "max_iter": 20})
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    table, answers, _ = train.read(data_set)
    # `train` itself compares the probabilities and raises where they differ.
    card, arrays = train.train({name: values[:1500] for name, values in table.items()}, answers[:1500])

    assert len(arrays["roots"]) == 20
    assert 0 < card["threshold"] < 1


def test_the_held_out_fifth_has_as_many_yes_as_the_rest():
    answers = np.array([0] * 400 + [1] * 50)
    learn, held_out = train.split(answers)

    assert (len(held_out) - answers[held_out].sum(), answers[held_out].sum()) == (80, 10)
    assert list(range(450)) == sorted([*learn, *held_out])


def test_the_threshold_is_where_f1_is_highest():
    truth = np.array([0, 0, 0, 1, 1])
    probability = np.array([0.1, 0.2, 0.33, 0.34, 0.9])

    assert train.best_threshold(truth, probability) == 0.34


@given(JUDGED)
def test_auc_is_the_share_of_pairs_put_in_order(judged):
    truth = np.array([said for said, _ in judged], dtype=np.int64)
    probability = np.array([value for _, value in judged]) / 5
    yes, no = probability[truth == 1], probability[truth == 0]
    if not len(yes) or not len(no):
        return
    pairs = [1.0 if y > n else 0.5 if y == n else 0.0 for y in yes for n in no]

    assert pytest.approx(sum(pairs) / len(pairs)) == train.auc(truth, probability)


@given(JUDGED)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(judged):
    truth = np.array([said for said, _ in judged], dtype=np.int64)
    said = np.array([value > 2 for _, value in judged])
    hits = int((said & (truth == 1)).sum())
    expected = 2 / (int(said.sum()) / hits + int(truth.sum()) / hits) if hits else 0.0

    assert pytest.approx(expected) == train.f1(truth, said)


def test_without_scikit_learn_training_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(SystemExit, match="pip install scikit-learn"):
        train.main([str(tmp_path / "data.csv")])


@pytest.mark.parametrize("content", [None, "age,job\n31,admin.\n", "not a table", ""])
def test_what_is_not_the_data_set_is_refused_in_one_line(monkeypatch, tmp_path, content):
    monkeypatch.setitem(sys.modules, "sklearn", sys)
    path = tmp_path / "data.csv"
    if content is not None:
        path.write_text(content)

    with pytest.raises(SystemExit, match=r"data\.csv: not the data set"):
        train.main([str(path)])
