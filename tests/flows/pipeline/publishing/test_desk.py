"""Orders for a published pipeline: one runs, one waits, and none runs twice, whatever is killed."""

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from epkit.files import published_jobs
from epkit.files.published_jobs import JobStore
from epkit.flows.pipeline.publishing import desk as desks
from epkit.flows.pipeline.publishing.desk import BusyError, Desk, OtherBodyError

TESTS = Path(__file__).parents[3]


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Open the desk again, like a restarted server."""
    monkeypatch.setattr(desks, "MODULE", "support.job_process")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
    home = tmp_path / "home"
    home.mkdir()
    said: list[str] = []
    made: list[Desk] = []

    def open_(holder=lambda: (False, None)) -> Desk:
        for older in made:  # its server is gone
            monkeypatch.setattr(older, "_gone", lambda known: None)
        desk = Desk("bank", JobStore(home / "jobs"), tmp_path, holder, said.append)
        made.append(desk)
        return desk

    yield open_
    (tmp_path / "go").write_text("0")
    for desk in made:
        for known in list(desk._jobs.values()):
            if known.process is not None:
                known.process.wait(20)
    if made:
        until(lambda: all(job.over for job in made[-1].jobs()))


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def status(desk: Desk, name: str) -> str:
    job = desk.job(name)
    assert job is not None
    return job.status


def pid_of(desk: Desk, name: str) -> int:
    until(lambda: status(desk, name) == "Running")
    job = desk.job(name)
    assert job is not None
    assert job.progress is not None
    return job.progress.pid


def started(tmp_path: Path) -> list[str]:
    path = tmp_path / "started"
    return path.read_text().split() if path.exists() else []


def test_one_runs_one_waits_and_a_third_is_told_who(opened, tmp_path):
    desk = opened()
    first, new = desk.submit((), "monthly", None)
    second, _ = desk.submit(("train.runs=2",), None, None)

    with pytest.raises(BusyError) as caught:
        desk.submit((), None, None)

    assert new
    assert (first.order.id, second.order.id) == (caught.value.running, caught.value.queued)
    assert "Queued" == status(desk, second.order.id)
    (tmp_path / "go").write_text("0")
    until(lambda: status(desk, second.order.id) == "Completed")
    assert [first.order.id, second.order.id] == started(tmp_path)


def test_of_many_at_once_with_one_key_one_is_run(opened, tmp_path):
    desk = opened()
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: desk.submit(("train.seed=1",), "x", "key"), range(20)))

    assert 1 == len({job.order.id for job, _ in found})
    assert 1 == sum(new for _, new in found)
    (tmp_path / "go").write_text("0")
    until(lambda: desk.jobs()[0].over)
    assert 1 == len(started(tmp_path))


def test_of_many_at_once_without_a_key_one_runs_one_waits_and_the_others_are_refused(opened):
    desk = opened()

    def ask(_: int) -> str:
        try:
            return desk.submit((), None, None)[0].order.id
        except BusyError:
            return "busy"

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(ask, range(10)))

    assert 8 == found.count("busy")
    assert 3 == len(set(found))


def test_a_key_with_another_order_is_refused_and_both_are_remembered_by_the_next_server(opened):
    desk = opened()
    job, _ = desk.submit(("train.runs=2",), None, "key")

    again = opened()

    assert (job.order.id, False) == (lambda found: (found[0].order.id, found[1]))(
        again.submit(("train.runs=2",), None, "key")
    )
    with pytest.raises(OtherBodyError, match=job.order.id):
        again.submit(("train.runs=3",), None, "key")


def test_a_key_is_forgotten_after_its_time(opened, tmp_path, monkeypatch):
    desk = opened()
    first, _ = desk.submit((), None, "key")
    monkeypatch.setattr(desks, "KEY_S", -1)

    second, new = desk.submit((), None, "key")

    assert new
    assert first.order.id != second.order.id


def test_a_run_goes_on_when_the_server_ends_and_the_next_one_watches_it(opened, tmp_path):
    desk = opened()
    running, waiting = (desk.submit((), None, None)[0].order.id for _ in range(2))
    pid_of(desk, running)

    again = opened()

    assert ("Running", "Queued") == (status(again, running), status(again, waiting))
    (tmp_path / "go").write_text("5")
    until(lambda: status(again, waiting) == "Failed")
    assert "Failed" == status(again, running)
    assert [running, waiting] == started(tmp_path)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_run_that_is_killed_has_failed_and_is_not_begun_again(opened, tmp_path, restarted):
    desk = opened()
    name = desk.submit((), None, "key")[0].order.id
    pid = pid_of(desk, name)
    if restarted:
        desk = opened()

    os.kill(pid, signal.SIGKILL)

    until(lambda: status(desk, name) == "Failed")
    job = desk.job(name)
    assert job is not None
    assert (desks.KILLED if restarted else "its process was killed by signal 9") == job.reason
    assert not desk.submit((), None, "key")[1]
    assert [name] == started(tmp_path)


def test_what_was_killed_while_no_server_was_there_has_failed(opened, tmp_path, monkeypatch):
    desk = opened()
    name = desk.submit((), None, None)[0].order.id
    pid = pid_of(desk, name)
    monkeypatch.setattr(desk, "_gone", lambda known: None)  # its server is gone, too
    os.kill(pid, signal.SIGKILL)

    again = opened()

    until(lambda: status(again, name) == "Failed")
    assert [name] == started(tmp_path)


def test_an_order_whose_server_was_killed_before_its_process_was_there_is_not_run(opened, tmp_path, monkeypatch):
    desk = opened()
    monkeypatch.setattr(desk, "_spawn", lambda files, lock: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        desk.submit((), None, "key")

    again = opened()

    until(lambda: again.jobs()[0].over)
    assert "Failed" == again.jobs()[0].status
    assert not again.submit((), None, "key")[1]
    assert [] == started(tmp_path)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_run_is_cancelled_by_whichever_server_is_there(opened, restarted):
    desk = opened()
    running, waiting = (desk.submit((), None, None)[0].order.id for _ in range(2))
    pid_of(desk, running)
    if restarted:
        desk = opened()

    assert desk.cancel(waiting).status == "Canceled"
    if not restarted:  # a restarted server signals only epkit's modules, and this process is none
        assert desk.cancel(running).status == "CancelRequested"
        until(lambda: status(desk, running) == "Canceled")
        assert "Canceled" == desk.cancel(running).status
    assert desk.cancel("nobody") is None


def test_a_run_of_a_command_counts_as_the_one_that_goes_on(opened):
    desk = opened(lambda: (True, 4711))
    waiting = desk.submit((), None, None)[0].order.id
    desk._jobs[waiting].process.kill()  # the waiting process has written nothing yet, or only about another process
    (desk._jobs[waiting].files.path / "progress.json").unlink(missing_ok=True)
    desk._jobs[waiting].outcome = None

    with pytest.raises(BusyError, match=r"a run of a command \(process 4711\) goes on and"):
        desk.submit((), None, None)


def test_the_oldest_that_are_over_are_forgotten(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(desks, "MOST_JOBS", 2)
    (tmp_path / "go").write_text("0")
    desk = opened()
    for _ in range(4):
        name = desk.submit((), None, None)[0].order.id
        until(lambda name=name: status(desk, name) == "Completed")

    assert [4, 3] == [job.order.number for job in desk.jobs()]
    assert 2 == len(list(JobStore(tmp_path / "home" / "jobs")))


def test_an_order_that_cannot_be_written_down_is_not_run(opened, tmp_path, monkeypatch):
    desk = opened()
    monkeypatch.setattr(published_jobs.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "no space left")))

    with pytest.raises(OSError, match="no space"):
        desk.submit((), None, "key")

    monkeypatch.undo()
    assert () == desk.jobs()
    assert [] == [path for path in (tmp_path / "home" / "jobs").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"number": 0}', '{"number": 1, "changes": 3}', '{"number": "1"}', "\x00"]
)
def test_a_damaged_order_is_left_alone(opened, tmp_path, content):
    place = tmp_path / "home" / "jobs" / "00000000-0000-4000-8000-000000000000"
    place.mkdir(parents=True)
    (place / "order.json").write_text(content)

    assert () == opened().jobs()
    assert place.exists()


def test_what_a_process_left_is_read_as_if_anybody_had_written_it(opened, tmp_path):
    (tmp_path / "go").write_text("0")
    desk = opened()
    name = desk.submit((), None, None)[0].order.id
    until(lambda: status(desk, name) == "Completed")
    files = tmp_path / "home" / "jobs" / name
    whole = json.loads((files / "progress.json").read_text())
    for hostile in (
        {**whole, "pid": 1},
        {**whole, "interrupted": 0},
        {**whole, "steps": {"a": 1}},
        {**whole, "begun_ms": 1 << 60},
        [],
    ):
        (files / "progress.json").write_text(json.dumps(hostile))
        assert JobStore(files.parent).job(name).progress() is None
    (files / "outcome.json").write_text('{"status": "Great", "reason": null, "ended_ms": 1}')
    assert JobStore(files.parent).job(name).outcome() is None
