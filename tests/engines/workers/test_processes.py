"""Frames between processes, and workers that do not start, that end, or that are killed."""

import io
import os
import platform
import signal
from pathlib import Path
from queue import Queue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.engines.workers import crew as module
from epkit.engines.workers.crew import HelloMessage, LocalCrew, LostMessage, place_of
from epkit.engines.workers.processes import HEAD, FrameWriter, WorkerProcess, read_frames
from epkit.errors import UsageError
from epkit.flows.bench.workers.main import BENCH_WORKERS
from epkit.flows.bench.workers.messages import StopMessage
from support.canary import CANARY

MODULE, MESSAGES = BENCH_WORKERS.module, BENCH_WORKERS.messages


class Kept(io.BytesIO):
    """A stream whose content stays after it is closed."""

    def close(self):
        self.content = self.getvalue()
        super().close()


def written(*frames):
    stream = Kept()
    writer = FrameWriter(stream)
    for frame in frames:
        writer.send(frame)
    writer.close(timeout_s=10)
    return stream.content


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_frames_arrive_as_they_were_sent(frames):
    assert frames == list(read_frames(io.BytesIO(written(*frames))))


@given(st.binary(min_size=1, max_size=50), st.integers(min_value=1))
def test_half_a_frame_counts_for_nothing(frame, cut):
    data = written(b"whole", frame)
    assert [b"whole"] == list(read_frames(io.BytesIO(data[: -(cut % (len(frame) + 8)) or -1])))


def test_who_cannot_be_written_to_is_forgotten():
    read, write = os.pipe()
    os.close(read)
    writer = FrameWriter(os.fdopen(write, "wb"))
    writer.send(b"x" * 100_000)
    writer.close(timeout_s=10)

    assert not writer._thread.is_alive(), "and nobody waits for it"


@pytest.fixture
def process():
    heard = Queue()
    started = WorkerProcess(MODULE, heard.put, heard.put)
    yield started, heard
    started.kill()


def test_a_worker_says_hello_and_ends_with_its_input(process):
    worker, heard = process
    hello = MESSAGES.unpack(heard.get(timeout=30))

    assert isinstance(hello, HelloMessage)
    assert platform.node() == hello.host
    worker.close()
    assert "ended with code 0" == heard.get(timeout=10)


def test_a_worker_that_is_killed_says_by_what(process):
    worker, heard = process
    heard.get(timeout=30)
    os.kill(worker._process.pid, signal.SIGKILL)

    assert "was killed by signal 9" == heard.get(timeout=10)


def test_what_is_no_job_is_passed_over(process):
    worker, heard = process
    heard.get(timeout=30)
    worker.send(MESSAGES.pack(StopMessage(drain=True)))
    worker.close()

    assert "ended with code 0" == heard.get(timeout=10)


def test_a_worker_that_does_not_start_says_why():
    with pytest.raises(
        UsageError, match=r"worker \d cannot be started: it ended with code 1: .*No module named nowhere"
    ):
        LocalCrew(2, "nowhere", MESSAGES)


def test_a_worker_that_ends_before_it_is_known_says_why_too(monkeypatch):
    class Slow(WorkerProcess):
        def __init__(self, *of):
            super().__init__(*of)
            self._heard.join(20)

    monkeypatch.setattr(module, "WorkerProcess", Slow)
    with pytest.raises(
        UsageError, match=r"worker 1 cannot be started: it ended with code 1: .*No module named nowhere"
    ):
        LocalCrew(1, "nowhere", MESSAGES)


def test_a_worker_that_says_nothing_is_not_waited_for_for_ever(monkeypatch, tmp_path):
    (tmp_path / "silent.py").write_text("import sys; sys.stdin.read()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "START_S", 0.2)
    with pytest.raises(UsageError, match="worker 1: not started after 0 s"):
        LocalCrew(1, "silent", MESSAGES)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (HEAD.pack(5) + b"hello", "it sent an invalid message: a frame of version 104, and this is 1"),
        (HEAD.pack(2**62) + b"hello", "it ended with code 0"),
        (HEAD.pack(2**64 - 1), "it ended with code 0"),
    ],
)
def test_a_worker_that_writes_something_else_is_refused(monkeypatch, tmp_path, frame, why):
    (tmp_path / "other.py").write_text(f"import sys; sys.stdout.buffer.write({frame!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UsageError) as refused:
        LocalCrew(1, "other", MESSAGES)

    assert f"worker 1 cannot be started: {why}" == str(refused.value)


def test_a_lost_worker_is_counted_on_no_more():
    crew = LocalCrew(2, MODULE, MESSAGES)
    try:
        one, other = crew.members
        crew.lose(one)
        assert (other,) == crew.members
        assert (one, LostMessage("was killed by signal 9")) == crew.inbox.get(timeout=10)
        crew.lose(one)
    finally:
        crew.close()
    assert () == crew.members


def test_processes_of_this_machine_are_at_one_place():
    assert place_of() == place_of()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_a_worker_sees_no_variable_that_may_hold_a_key(monkeypatch):
    for name in ("EPKIT_KEY", "BANK_KEY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("EPKIT_ENGINE", "python")
    ended: Queue[str] = Queue()
    worker = WorkerProcess(MODULE, lambda _frame: None, ended.put)
    try:
        environ = Path(f"/proc/{worker._process.pid}/environ").read_bytes()
    finally:
        worker.kill()

    assert b"PATH=" in environ
    assert b"EPKIT_ENGINE=python" in environ
    assert CANARY.encode() not in environ
