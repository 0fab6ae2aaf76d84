"""The stored files of pipelines: which runs are removed if there are too many, and the cost of a journal."""

import os

import pytest

from epkit.core.pipeline.steps import StepResult
from epkit.files.pipelines import CANDIDATE, PipelineStore

KEY = "a" * 32
REUSED = StepResult(step="data", state="reused", key=KEY, result={"sha256": "b", "file_sha256": "c"})


@pytest.fixture
def store(tmp_path):
    """A store with three runs."""
    made = PipelineStore(tmp_path, "bank")
    for _ in range(3):
        with made.begin({"pipeline": "bank"}) as journal:
            journal.over(0)
    return made


def test_the_oldest_runs_go_but_none_whose_candidate_is_up_still(store):
    (store.run_directory(1) / CANDIDATE).write_text("{}")
    store.prune(1)

    assert [1, 3] == store.numbers()
    (store.run_directory(1) / CANDIDATE).unlink()
    store.prune(1)
    assert [3] == store.numbers()


def test_an_outcome_goes_with_the_last_run_that_has_it(store):
    with store.begin({"pipeline": "bank"}) as journal:
        journal.reused(REUSED)
    (store.cache / KEY).mkdir(parents=True)
    (store.cache / ("b" * 32)).mkdir()
    store.prune(3)

    assert [KEY] == [path.name for path in store.cache.iterdir()]
    store.runs.joinpath("4", "run.jsonl").unlink()
    store.prune(3)
    assert [] == [*store.cache.iterdir()]


def test_a_step_that_needed_nothing_waits_for_no_disk(store, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with store.begin({"pipeline": "bank"}) as journal:
        synced.clear()
        journal.reused(REUSED)
        reused = len(synced)
        journal.begun("gate", None)

    found = store.journal(4)
    assert (0, 1) == (reused, len(synced))
    assert (("data", "gate"), {"data": KEY}, ("data",)) == (
        found.begun, found.keys, tuple(result.step for result in found.ended),
    )  # fmt: skip


def test_a_run_whose_journal_cannot_be_begun_leaves_no_file_open(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else None
    with pytest.raises(Exception, match="no space left on device"):
        store.begin({"pipeline": "bank"})

    assert before is None or len(before) == len(os.listdir("/proc/self/fd"))
