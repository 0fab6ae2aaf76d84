"""The panel: on a terminal it shows the run and disappears at the end; in a pipe there is no panel."""

import os
import pty
import subprocess
import sys

import pytest

from epkit.cli.panel import Panel, draw
from epkit.core.report.live import View
from epkit.reporters.run.panel import sparkline


def view(**changes):
    usual = {
        "done": 500, "elapsed_s": 2.5, "per_s": (100, 200, 400), "percentiles_ms": (1.0, 2.0, 30.0),
        "failures": (("status", 3), ("timeout", 1)), "in_flight": 1.96,
    }  # fmt: skip
    return View(**{**usual, **changes})


def test_a_point_of_a_sweep_is_drawn_with_its_rows():
    drawn = draw(view(rows=5000, title="rows=10 c=4, round 2 of 5"), None, None).plain.splitlines()

    assert "point       rows=10 c=4, round 2 of 5" == drawn[0]
    assert "rows        2,000.0/s" == drawn[3]


def test_a_run_is_drawn():
    drawn = draw(view(), 1000, None).plain.splitlines()

    assert [
        "requests    500 of 1,000 in 2 s, 2 s left",
        "throughput  200.0/s  ▃▅█",
        "latency     p50 1 ms  p90 2 ms  p99 30 ms",
        "failed      3 status, 1 timeout",
        "in flight   2.0",
    ] == drawn


@pytest.mark.parametrize(
    ("total", "limit", "said"), [(None, 10, "8 s left"), (600, 10, "0 s left"), (None, None, "2 s")]
)
def test_what_ends_first_tells_the_time_left(total, limit, said):
    assert draw(view(), total, limit).plain.splitlines()[0].endswith(said)


def test_a_run_without_a_success_says_so():
    assert "no request has succeeded" in draw(view(percentiles_ms=()), None, None).plain


def test_a_sparkline_of_nothing_is_empty():
    assert ("", "", "▁█") == (sparkline(()), sparkline((0, 0)), sparkline((0, 7)))


def test_a_terminal_that_is_gone_ends_the_panel_and_not_the_run(monkeypatch):
    drawn = []

    def gone(*arguments, **options):
        drawn.append(1)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("epkit.cli.panel.EVERY_S", 0)
    with Panel(None, None) as panel:
        monkeypatch.setattr(panel._screen, "update", gone)
        for _ in range(3):
            panel.show(1, 0)

    assert [1] == drawn


def run_on_a_terminal(directory, arguments, **environ):
    """Run epkit with stderr on a terminal; return its output there, and its stdout."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "epkit", "bench", *arguments],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=follower,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environ},
    )
    os.close(follower)
    drawn = b""
    while True:
        try:
            more = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        drawn += more
    out, _ = process.communicate(timeout=20)
    os.close(leader)
    return drawn.decode(), out.decode()


def test_on_a_terminal_the_run_is_shown(cli, rows, fault_server):
    arguments = ["-t", "1.2", "-p", rows, "--no-validate", fault_server.url("delay?ms=5")]
    drawn, out = run_on_a_terminal(cli.directory, arguments, TERM="xterm")

    assert "throughput" in drawn
    assert "s left" in drawn
    assert "throughput  " not in out
    assert "\x1b" not in out


def test_a_terminal_that_can_do_nothing_gets_a_line(cli, rows, fault_server):
    arguments = ["-t", "0.7", "-p", rows, "--no-validate", fault_server.url("delay?ms=5")]
    drawn, _ = run_on_a_terminal(cli.directory, arguments, TERM="dumb")

    assert " requests" in drawn
    assert "\x1b" not in drawn


def test_in_a_pipe_there_is_nothing(cli, rows, fault_server):
    ran = cli("bench", "-t", "0.5", "-p", rows, "--no-validate", fault_server.url("delay?ms=5"))

    assert "" == ran.err
