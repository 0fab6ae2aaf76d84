"""Workers: their number, the data that they read, and their end."""

from pathlib import Path

import numpy as np
import pytest

from epkit.core.train.plan import Candidate, TrainPlan
from epkit.core.train.tried import Tried
from epkit.learners.folds import folds
from epkit.learners.material import Material, lay_out
from epkit.learners.pool import Pool, workers_for
from support.training import examples

pytest.importorskip("sklearn", reason="needs the extra train")

SPYING = """
import os, sys

class Spy:
    def fit(self, X, y):
        print("a line of its own, which is no answer", flush=True)
        os.write(1, b"another\\n")
        raise ValueError(f"{os.environ.get('EPKIT_SECRET')} {os.environ['OMP_NUM_THREADS']} {os.getsid(0) == os.getpid()}")
    def predict_proba(self, X): ...

class Leaving(Spy):
    def fit(self, X, y):
        os.write(2, b"a last word\\n")
        os._exit(3)
"""


@pytest.mark.parametrize(
    ("cores", "rows", "columns", "workers"),
    [(1, 1_000, 20, 1), (4, 32_950, 20, 4), (64, 32_950, 20, 8), (8, 1_000_000, 20, 3), (8, 10_000_000, 50, 1)],
)
def test_workers_are_as_many_as_cores_and_memory_allow(cores: int, rows: int, columns: int, workers: int) -> None:
    assert workers == workers_for(cores, rows, columns)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    table = examples("binary", 60, timed=True)
    rows = np.arange(60)
    lay_out(table, rows, None, folds(table, rows, TrainPlan(label="y", time="t")).pairs, 0, tmp_path)
    (tmp_path / "own_spying.py").write_text(SPYING, encoding="utf-8")
    return tmp_path


def all_of(pool: Pool) -> list[tuple[Tried, bool]]:
    found: list[tuple[Tried, bool]] = []
    while pool.running:
        found += pool.ended(10.0)
    return found


def own(directory: Path, run: int, name: str) -> Candidate:
    return Candidate(run=run, family="custom", parameters={"make": f"{directory / 'own_spying.py'}:{name}"})


def test_a_worker_sees_no_secret_of_the_environment_and_has_a_thread_and_a_session_of_its_own(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EPKIT_SECRET", "shh")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with Pool(1, directory) as pool:
        pool.begin(own(directory, 7, "Spy"))
        ((tried, final),) = all_of(pool)

    assert "fit raised ValueError: None 1 True" == tried.error
    assert final
    assert ("", "") == capfd.readouterr()


def test_a_worker_that_leaves_is_named_with_its_last_word(directory: Path) -> None:
    with Pool(1, directory) as pool:
        pool.begin(own(directory, 7, "Leaving"))
        ((left, final),) = all_of(pool)
        assert pool.has_room
        pool.begin(Candidate(run=1, family="naive", parameters={}))
        ((after, _),) = all_of(pool)

    assert "its process ended twice with exit code 3: a last word" == left.error
    assert not final
    assert "done" == after.state


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux to see what a process has loaded")
def test_a_lean_worker_loads_less_and_gives_the_same_bytes(directory: Path) -> None:
    pytest.importorskip("lightgbm", reason="needs the extra train")
    parameters = {"rounds": 5, "learning_rate": 0.1, "num_leaves": 4, "min_data_in_leaf": 5}
    boosted, linear = (
        Candidate(run=3, family="gbdt", parameters=parameters),
        Candidate(run=2, family="linear", parameters={"C": 1.0}),
    )
    found: dict[bool, list[bytes]] = {}
    loaded = {}
    for lean in (True, False):
        with Pool(1, directory, lean=lean) as pool:
            tried = []
            for candidate in (boosted, linear):
                pool.begin(candidate)
                tried += [each for each, _ in all_of(pool)]
                loaded[lean, candidate.family] = libraries(directory)
        assert all(each.margins is not None for each in tried), tried
        found[lean] = [each.margins.tobytes() for each in tried if each.margins is not None]

    assert found[True] == found[False]
    assert "/lightgbm/" in loaded[True, "gbdt"]
    assert not {name for name in ("/sklearn/", "/pandas/") if name in loaded[True, "gbdt"]}
    assert "/sklearn/" in loaded[True, "linear"]


def libraries(directory: Path) -> str:
    """Return the libraries that the worker of a directory has mapped."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(directory) in (process / "cmdline").read_bytes().decode(errors="replace"):
                return (process / "maps").read_text()
        except OSError:
            continue
    return ""


def test_what_was_laid_out_is_what_a_worker_reads(tmp_path: Path) -> None:
    table = examples("multiclass", 90)
    rows = np.arange(80, 10, -1)
    weight = np.linspace(0.5, 2.0, 70)
    pairs = folds(table, rows, TrainPlan(label="y")).pairs
    lay_out(table, rows, weight, pairs, 3, tmp_path)
    found = Material.read(tmp_path)

    assert ("multiclass", 3, table.features, 3) == (
        found.shape.task, found.shape.outputs, found.shape.features, found.shape.seed,
    )  # fmt: skip
    np.testing.assert_array_equal(table.matrix[rows], found.matrix)
    np.testing.assert_array_equal(table.y[rows], found.y)
    assert found.weight is not None
    np.testing.assert_array_equal(weight, found.weight)
    for ours, theirs in zip(pairs, found.folds, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
