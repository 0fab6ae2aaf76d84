"""The user's own estimators."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from epkit.core.train.plan import Candidate, TrainPlan
from epkit.errors import UsageError
from epkit.learners import custom
from epkit.learners.base import LearnerError
from epkit.learners.folds import folds
from epkit.learners.material import LearningTask, Material
from epkit.learners.trials import Trial, Trials
from support.training import examples

pytest.importorskip("sklearn", reason="needs the extra train")

FOREST = """
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline

def make():
    print("a line that must not show")
    return RandomForestClassifier(5)

def piped():
    return make_pipeline(RandomForestClassifier(5))

def regressor():
    return RandomForestRegressor(5)
"""
CHANCE = """
import random

class Chance:
    def fit(self, X, y):
        self.classes_ = sorted(set(y))
        return self
    def predict_proba(self, X):
        rows = [[random.random() for _ in self.classes_] for _ in X]
        return [[each / sum(row) for each in row] for row in rows]
"""


@pytest.fixture(autouse=True)
def _forgets_modules() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


def written(directory: Path, text: str, name: str = "make", file: str = "own_models.py") -> str:
    path = directory / file
    path.write_text(text, encoding="utf-8")
    return f"{path}:{name}"


def tried(make: str, task: str = "binary", *, balanced: bool = False, rows: int = 120) -> Trial:
    table = examples(task, rows)  # type: ignore[arg-type]
    found = folds(table, np.arange(rows), TrainPlan(label="y", folds=3))
    weight = np.linspace(1.0, 2.0, rows) if balanced else None
    material = Material(
        shape=LearningTask.of(table, 0), matrix=np.nan_to_num(table.matrix), y=table.y, weight=weight, folds=found.pairs
    )
    return Trials(material).run(Candidate(run=7, family="custom", parameters={"make": make}))


@pytest.mark.parametrize(
    ("name", "task"), [("make", "binary"), ("make", "multiclass"), ("piped", "binary"), ("regressor", "regression")]
)
def test_it_is_tried_on_the_same_folds_and_repeats_itself(tmp_path, capfd, name, task) -> None:
    make = written(tmp_path, FOREST, name)
    custom.check(make, task)
    one, two = tried(make, task), tried(make, task)

    assert (120, 3 if task == "multiclass" else 1) == one.margins.shape
    assert one.margins.tobytes() == two.margins.tobytes()
    assert one.note is None
    assert ("", "") == capfd.readouterr()


def test_what_is_random_beyond_its_random_state_says_so(tmp_path) -> None:
    assert "does not give the same twice" in (tried(written(tmp_path, CHANCE, "Chance")).note or "")


def test_weights_that_it_cannot_take_are_said(tmp_path) -> None:
    text = FOREST.replace("RandomForestClassifier(5))", "RandomForestClassifier(5, random_state=0))")

    assert (
        "its fit takes no sample_weight: weights do not reach it"
        == tried(written(tmp_path, text, "piped"), balanced=True).note
    )
    assert tried(written(tmp_path, text), balanced=True).note is None


def test_a_fold_without_a_class_gives_it_no_chance(tmp_path) -> None:
    learner = custom.CustomLearner(make=written(tmp_path, FOREST), task="multiclass", outputs=3, seed=0)
    table = examples("multiclass", 60)
    matrix = np.nan_to_num(table.matrix)
    found = learner.fit(matrix, np.where(table.y == 1, 2, table.y), weight=None).margins(matrix)

    np.testing.assert_allclose(np.log(1e-15), found[:, 1])
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("given", "text", "said"),
    [
        ("own_a.py", "", "is not FILE.py:NAME"),
        ("own_a.txt:make", "", "is not FILE.py:NAME"),
        ("own_a.py:make()", "", "is not FILE.py:NAME"),
        ("own_b.py:make", None, "no such file"),
        ("own_c.py:make", "def other(): pass", "has no make"),
        ("own_d.py:make", "make = 5", "make is no function"),
        ("own_e.py:make", "def make(): 1 / 0", r"make\(\) raised ZeroDivisionError: division by zero"),
        ("own_f.py:make", "def make(", "cannot be loaded: SyntaxError"),
        ("own_g.py:make", "raise SystemExit(3)", "cannot be loaded: SystemExit: 3"),
        ("own_h.py:make", "import nothing_of_that_name", "cannot be loaded: ModuleNotFoundError"),
        ("own_i.py:make", "def make(): return 5", "int has no fit, which a classification needs"),
        ("own_j.py:make", "class make:\n def fit(self): pass", "make has no predict_proba, which a classification"),
        ("own-k.py:make", "def make(): pass", "own-k is another module, or no name of one"),
        ("json.py:make", "def make(): pass", "json is another module, or no name of one"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(tmp_path, monkeypatch, given, text, said) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(given.partition(":")[0]).write_text(text, encoding="utf-8")

    with pytest.raises(
        UsageError, match=rf"^--custom {given.replace('(', '.').replace(')', '.')}:? [^\n]*{said}[^\n]*$"
    ):
        custom.check(given, "binary")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def fit(self, X, y): raise ValueError('no\\nway')", "fit raised ValueError: no way"),
        ("def fit(self, X, y): raise SystemExit", "fit raised SystemExit"),
        (
            "def fit(self, X, y): pass\n    def predict_proba(self, X): return [[1.0]]",
            r"predict_proba gives the shape \(1, 1\), not \(40, 2\)",
        ),
        (
            "def fit(self, X, y): pass\n    def predict_proba(self, X): return [[float('nan')] * 2] * len(X)",
            "predict_proba gives values that are not finite",
        ),
        ("def fit(self, X, y): pass\n    def predict_proba(self, X): return 1 / 0", "predict_proba raised Zero"),
    ],
)
def test_what_fails_in_a_fold_is_one_line(tmp_path, body, said) -> None:
    make = written(tmp_path, f"class make:\n    {body}\n")

    with pytest.raises(LearnerError, match=f"^{said}"):
        tried(make)


def test_its_file_is_known_by_its_content(tmp_path) -> None:
    make = written(tmp_path, "a")
    before = custom.digest(make)
    written(tmp_path, "b")

    assert before == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert before != custom.digest(make)
