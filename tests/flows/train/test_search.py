"""A complete search: the result has the same bytes with any number of workers, and after any interruption."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epkit.core.train.metrics import value
from epkit.core.train.plan import TrainPlan
from epkit.core.train.problem import Examples
from epkit.core.train.progress import Progress
from epkit.core.train.space import schedule
from epkit.core.train.tried import Tried
from epkit.errors import UsageError
from epkit.files.training import TrainingJournal
from epkit.flows.train.search import ALWAYS, Searched, identity, refit, search
from epkit.learners.folds import folds
from support.small_disk import PAGE, fill, small_disk
from support.training import examples, fingerprint, searched

pytest.importorskip("lightgbm", reason="needs the extra train")

KILLS = int(os.environ.get("EPKIT_KILLS", "3"))
PLAN = TrainPlan(label="y", runs=7, folds=3, time="t")
"""In time order, so that the process that searches does not need scikit-learn, whose import takes seconds."""


@pytest.fixture(scope="module")
def table() -> Examples:
    return examples("binary", timed=True)


@pytest.fixture(scope="module")
def seen() -> list[Progress]:
    """The progress of an undisturbed search."""
    return []


@pytest.fixture(scope="module")
def undisturbed(table: Examples, seen: list[Progress], tmp_path_factory: pytest.TempPathFactory) -> Searched:
    return steered(tmp_path_factory.mktemp("undisturbed"), table, PLAN, show=seen.append)


def auc(table: Examples, tried: Tried) -> float:
    assert tried.margins is not None
    judged = np.isfinite(tried.margins[:, 0])
    return value("AUC", table.y[judged], tried.margins[judged], table.label)


def workers_of(directory: Path) -> list[int]:
    """Return the processes that try runs for a search in this directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(directory) in (entry / "cmdline").read_bytes().decode(errors="replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def steered(
    directory: Path, table: Examples, plan: TrainPlan, *, show=lambda _: None, stopped=lambda: False
) -> Searched:
    rows = np.arange(len(table))
    with TrainingJournal(directory) as journal:
        return search(table, rows, folds(table, rows, plan).pairs, plan, journal, show=show, stopped=stopped)


def test_every_run_is_tried_and_better_than_the_floor(table: Examples, undisturbed: Searched) -> None:
    floor, *others = (auc(table, each) for each in undisturbed.tried)

    assert "runs" == undisturbed.end
    assert list(range(1, 8)) == [each.candidate.run for each in undisturbed.tried]
    assert abs(floor - 0.5) < 0.1
    assert min(others) > 0.58
    assert all(each.cpu_s > 0.0 for each in undisturbed.tried)


def test_progress_names_the_last_run_and_the_best(table: Examples, undisturbed: Searched, seen: list[Progress]) -> None:
    scores = [(each.candidate.run, each.candidate.family, auc(table, each)) for each in undisturbed.tried]
    last = seen[-1]

    assert scores[-1] == last.last
    assert max(scores, key=lambda score: score[2]) == last.best
    assert ("AUC", 7, 7, 0, 0.0, ()) == (
        last.metric, last.done, last.total, last.failed, last.left_s, last.running,
    )  # fmt: skip
    assert ("1 naive",) in [progress.running for progress in seen]
    assert None is seen[0].best


def test_two_workers_give_the_bytes_of_one(tmp_path: Path, table: Examples, undisturbed: Searched) -> None:
    found = searched(tmp_path, table, replace(PLAN, workers=2))

    assert fingerprint(undisturbed) == fingerprint(found)
    assert [] == workers_of(tmp_path)
    assert ["oof", "runs.jsonl"] == sorted(path.name for path in tmp_path.iterdir())


DRIVER = """
import sys
from pathlib import Path
from epkit.core.train.plan import TrainPlan
from support.small_disk import PAGE, fill, small_disk
from support.training import examples, searched

plan = TrainPlan(label="y", runs=int(sys.argv[2]), folds=3, time="t", workers=2)
searched(Path(sys.argv[1]), examples("binary", timed=True), plan)
"""


@pytest.mark.long
def test_a_search_that_is_killed_again_and_again_ends_in_the_same_bytes(tmp_path: Path, table: Examples) -> None:
    chance = random.Random(15)
    plan = replace(PLAN, runs=4 * KILLS, workers=2)  # more runs than end before the last kill
    undisturbed = searched(tmp_path / "undisturbed", table, plan)
    tmp_path = tmp_path / "killed"
    command = [sys.executable, "-c", DRIVER, str(tmp_path), str(plan.runs)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    journal, killed = tmp_path / "runs.jsonl", 0
    for _ in range(KILLS):
        before = journal.read_bytes().count(b'"run":') if journal.exists() else 0
        with subprocess.Popen(command, env=environment) as process:
            until = time.monotonic() + 30.0
            while process.poll() is None and time.monotonic() < until:
                if journal.exists() and journal.read_bytes().count(b'"run":') > before:
                    break
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.3))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
    until = time.monotonic() + 5.0
    while workers_of(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)

    assert [] == workers_of(tmp_path)
    assert KILLS == killed
    assert fingerprint(undisturbed) == fingerprint(searched(tmp_path, table, plan))
    assert ["oof", "runs.jsonl"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_run_whose_worker_is_killed_is_tried_once_more(
    tmp_path: Path, table: Examples, undisturbed: Searched
) -> None:
    killed: list[int] = []

    def kill_once(progress: Progress) -> None:
        if progress.done == 2 and not killed and progress.running:
            killed.extend(workers_of(tmp_path))
            for process in killed:
                os.kill(process, signal.SIGKILL)

    found = steered(tmp_path, table, PLAN, show=kill_once)

    assert 1 == len(killed)
    assert fingerprint(undisturbed) == fingerprint(found)


@pytest.mark.long
def test_a_run_whose_workers_are_killed_twice_fails_in_a_line_and_is_not_written_down(
    tmp_path: Path, table: Examples, undisturbed: Searched
) -> None:
    plan = replace(PLAN, runs=4)

    def kill(progress: Progress) -> None:
        if progress.running == ("4 gbdt",):
            for process in workers_of(tmp_path):
                os.kill(process, signal.SIGKILL)

    found = steered(tmp_path, table, plan, show=kill)

    assert [("done", None)] * 3 == [(each.state, each.error) for each in found.tried[:3]]
    assert "failed" == found.tried[3].state
    assert (
        "its process was ended by signal 9 twice (is there too little memory? try --workers 1)" == found.tried[3].error
    )
    with TrainingJournal(tmp_path) as journal:
        journal.begin(identity(table, np.arange(240), folds(table, np.arange(240), plan).pairs, plan))
        assert [1, 2, 3] == sorted(journal.done)


def test_a_time_limit_begins_no_run_after_the_first_three_and_a_later_call_goes_on_with_them(
    tmp_path: Path, table: Examples, undisturbed: Searched
) -> None:
    found = searched(tmp_path, table, replace(PLAN, time_limit_s=0.0))
    written = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "oof").iterdir()}

    assert "time" == found.end
    assert fingerprint(undisturbed)[:ALWAYS] == fingerprint(found)

    assert fingerprint(undisturbed) == fingerprint(searched(tmp_path, table, PLAN))
    assert written.items() <= {path.name: path.stat().st_mtime_ns for path in (tmp_path / "oof").iterdir()}.items()
    assert fingerprint(found) == fingerprint(searched(tmp_path, table, replace(PLAN, runs=3)))


def test_a_stop_cuts_off_what_is_running_and_keeps_what_is_done(
    tmp_path: Path, table: Examples, undisturbed: Searched
) -> None:
    done: list[int] = []
    asked: list[float] = []

    def stopped() -> bool:
        if done and done[-1] >= 2 and not asked:
            asked.append(time.monotonic())
        return bool(asked)

    found = steered(tmp_path, table, PLAN, show=lambda progress: done.append(progress.done), stopped=stopped)

    assert "stopped" == found.end
    assert time.monotonic() - asked[0] < 5.0
    assert fingerprint(undisturbed)[: len(found.tried)] == fingerprint(found)
    assert 2 <= len(found.tried) < 7
    assert [] == workers_of(tmp_path)


def test_own_estimators_are_in_the_same_search_and_failures_are_one_line_each(tmp_path: Path) -> None:
    table = examples("multiclass", 90)
    (tmp_path / "own_searched.py").write_text(
        "from sklearn.tree import DecisionTreeClassifier as Tree\n"
        "from sklearn.impute import SimpleImputer\nfrom sklearn.pipeline import make_pipeline\n"
        "def make(): return make_pipeline(SimpleImputer(), Tree())\n"
        "class Broken(Tree):\n    def fit(self, X, y): raise ValueError('out of\\norder')\n",
        encoding="utf-8",
    )
    own = tuple(f"{tmp_path / 'own_searched.py'}:{name}" for name in ("make", "Broken"))
    try:
        found = searched(tmp_path / "model.run", table, replace(PLAN, runs=1, time=None, custom=own))
    finally:
        sys.modules.pop("own_searched", None)

    assert [(1, "done", None), (7, "done", None), (8, "failed", "fit raised ValueError: out of order")] == [
        (each.candidate.run, each.state, each.error) for each in found.tried
    ]


@pytest.mark.parametrize("pages", [1, 2, 3, 4])
def test_a_full_disk_is_one_line_and_leaves_no_rows_behind(table: Examples, undisturbed: Searched, pages: int) -> None:
    with small_disk(30 * PAGE) as folder:
        fill(folder, pages * PAGE)
        with pytest.raises(UsageError, match=r"model\.run: no space left on device: make room there[^\n]*$"):
            searched(folder / "model.run", table, PLAN)
        assert [] == list((folder / "model.run").glob(".work-*"))
        (folder / "ballast").unlink()

        assert fingerprint(undisturbed)[:1] == fingerprint(searched(folder / "model.run", table, replace(PLAN, runs=1)))


def test_another_table_is_another_search_and_what_only_chooses_is_not(tmp_path: Path, table: Examples) -> None:
    plan = replace(PLAN, runs=1)
    one = searched(tmp_path, table, plan)

    with pytest.raises(UsageError, match=r"was begun with another table"):
        searched(tmp_path, examples("binary", seed=5, timed=True), plan)
    with pytest.raises(UsageError, match=r"was begun with another --seed \(0, now 1\)"):
        searched(tmp_path, table, replace(plan, seed=1))
    again = searched(tmp_path, table, replace(plan, workers=2, metric="accuracy", gates=("AUC>=0.9",)))

    assert fingerprint(one) == fingerprint(again)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_refit_is_fitted_on_all_rows_with_the_rounds_that_were_found(task) -> None:
    table = examples(task, 600)
    rows, fresh = np.arange(0, 600, 2), np.arange(1, 600, 2)
    candidate = schedule(3, 0, rows=300, outputs=1)[2]
    model = refit(candidate, table, rows, 17, replace(PLAN, time=None))
    alone = replace(table, matrix=table.matrix[rows], y=table.y[rows])
    same = refit(candidate, alone, np.arange(300), 17, replace(PLAN, time=None))

    assert 17 == model.rounds
    answers = model.margins(table.matrix[fresh])
    assert answers.tobytes() == same.margins(table.matrix[fresh]).tobytes()
    if task == "regression":
        assert np.mean((answers[:, 0] - table.y[fresh]) ** 2) < 0.5 * table.y[fresh].var()
    else:
        assert np.mean((answers[:, 0] > 0) == table.y[fresh]) > 0.75
