"""Only an endpoint's own supervisor gets signals, whatever number its status contains."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from epkit.backends.local import signalling, supervision
from epkit.backends.local.signalling import MODULE, tell
from epkit.backends.local.state import Home, Status
from epkit.backends.local.supervision import stop
from epkit.errors import BackendError

WAIT = "import time; print(flush=True); time.sleep(60)"


@pytest.fixture(params=["/proc", "/no/such/proc"], ids=["proc", "ps"])
def table(request, monkeypatch) -> None:
    """The source of information about processes: that of Linux, and that of macOS."""
    if request.param != "/proc" and shutil.which("ps") is None:
        pytest.skip("needs ps")
    monkeypatch.setattr(signalling, "PROC", Path(request.param))


@pytest.fixture
def start() -> Iterator[Any]:
    """Start a process that waits, with further arguments after its own."""
    with_arguments: list[subprocess.Popen[bytes]] = []

    def started(*arguments: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", WAIT, *map(str, arguments)], stdout=subprocess.PIPE)
        with_arguments.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()  # before it runs, the system has no command line of it
        return process

    yield started
    for process in with_arguments:
        process.kill()
        process.communicate()


@pytest.fixture
def home(tmp_path) -> Home:
    (tmp_path / "state of mine" / "bank").mkdir(parents=True)
    return Home(tmp_path / "state of mine" / "bank")


def status(pid: Any) -> Status:
    return Status(pid=pid, state="running")


def test_an_endpoints_supervisor_is_signalled(table, start, home):
    supervisor = start("-m", MODULE, home.path, 7)

    assert tell(home, status(supervisor.pid), signal.SIGTERM)
    assert -signal.SIGTERM == supervisor.wait(20)


def test_a_supervisor_is_known_by_another_spelling_of_its_directory(table, start, home, tmp_path):
    (tmp_path / "link").symlink_to(home.path.parent)
    supervisor = start("-m", MODULE, tmp_path / "link" / "bank", 7)

    assert tell(home, status(supervisor.pid), signal.SIGTERM)
    assert -signal.SIGTERM == supervisor.wait(20)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-m", "another.module", "{home}", 7),
        ("-m", MODULE, "{home}2", 7),
        ("-m", MODULE, "{home}/..", 7),
        ("-m", MODULE, ".", 7),
        ("-m", MODULE),
    ],
)
def test_another_process_is_not(table, start, home, arguments):
    innocent = start(*(str(argument).format(home=home.path) for argument in arguments))

    assert not tell(home, status(innocent.pid), signal.SIGKILL)
    assert innocent.poll() is None


def test_a_process_that_is_gone_is_not(table, home):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert not tell(home, status(gone.pid), signal.SIGKILL)


@pytest.mark.parametrize("pid", [-1, 0, 1, True, None, "7", 7.0, 10**30])
def test_what_is_no_number_of_a_process_is_not(table, home, monkeypatch, pid):
    monkeypatch.setattr("os.kill", lambda *_: pytest.fail("it was signalled"))

    assert not tell(home, status(pid), signal.SIGKILL)


def test_a_status_that_names_another_process_kills_nothing_and_is_said(start, home, monkeypatch):
    monkeypatch.setattr(supervision, "END_S", 0.2)
    innocent = start()
    home.save(status(innocent.pid))
    lock = home.lock()
    assert lock is not None

    with lock, pytest.raises(BackendError) as caught:
        stop(home)

    assert innocent.poll() is None
    assert str(caught.value) == (
        f"bank: {home.path / 'status.json'} does not name its supervisor, so that nothing is signalled: "
        f"end the process that holds {home.path / 'lock'}, and delete {home.path}"
    )
