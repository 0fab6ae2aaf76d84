"""Ctrl-C and SIGTERM end a run early, always with a report."""

import array
import contextlib
import signal
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def until(condition, seconds=45.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_once_waits_for_what_is_in_flight(cli, rows, fault_server, number, code):
    url = fault_server.url("delay?ms=300")
    with cli.start("bench", "-n", 1000, "-c", 4, "-p", rows, "--format", "json", url) as process:
        until(lambda: fault_server.requests["delay"] >= 4)
        process.send_signal(number)
        ran = cli.finished(process)

    sent = fault_server.requests["delay"]
    assert code == ran.code
    assert [f"epkit: {url}: interrupted after {sent} requests; the report covers those"] == ran.lines
    assert {} == ran.failures
    assert (sent, True) == (ran.report["counts"]["ok"], ran.report["run"]["partial"])
    assert sent < 1000


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_twice_ends_at_once(cli, rows, fault_server, engine):
    with cli.start("bench", "-n", 9, "-c", 2, "-p", rows, "--engine", engine, fault_server.url("never")) as process:
        until(lambda: fault_server.requests["never"] >= 2)
        ran = cli.interrupted_twice(process)

    assert 130 == ran.code
    assert "   (transport: 2)" in ran.out.splitlines()
    assert any(line.startswith("PARTIAL: ended early, after ") for line in ran.out.splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="asks the pipe")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_before_the_run_there_is_nothing_to_report(cli, fault_server, number, code):
    import fcntl
    import termios

    def taken():
        waiting = array.array("i", [0])
        fcntl.ioctl(process.stdin, termios.FIONREAD, waiting)
        return not waiting[0]

    with cli.start("bench", "-p", "-", fault_server.url("ok")) as process:
        process.stdin.write(b"{")
        process.stdin.flush()
        until(taken)
        process.send_signal(number)
        ran = cli.finished(process)

    assert (code, "", "epkit: interrupted") == (ran.code, ran.out, ran.err.strip())


def marked(marker):
    """Return the processes that have *marker* in their environment."""
    found = set()
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with contextlib.suppress(OSError):
                if marker.encode() in (directory / "environ").read_bytes():
                    found.add(int(directory.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_of_the_embedded_endpoint(cli, number):
    temporary = cli.directory / "temporary"
    temporary.mkdir()
    cli.environ["TMPDIR"] = str(temporary)
    flags = ["-n", 2] if number is None else ["-t", 60, "-s", 20]
    with cli.start("bench", *flags) as process:
        line = process.stderr.readline()
        if number is not None:
            time.sleep(0.3)
            process.send_signal(number)
        ran = cli.finished(process)

    assert line.startswith(b"epkit: no target is named: this is the embedded endpoint")
    assert {None: 0, signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number] == ran.code
    until(lambda: not marked(str(temporary)))
    until(lambda: not list(temporary.iterdir()))
