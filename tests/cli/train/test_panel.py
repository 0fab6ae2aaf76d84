"""The panel of a search: on a terminal it shows the progress and disappears at the end; in a pipe there is no panel."""

import os
import pty
import subprocess
import sys

import pytest

from epkit.cli.panel import SearchLine, SearchPanel, draw_search
from epkit.core.train.progress import Progress


def progress(**changes):
    usual = {
        "done": 12, "total": 85, "running": ("13 gbdt", "14 extra"), "last": (12, "forest", 0.94762),
        "best": (9, "gbdt", 0.95013), "metric": "AUC", "elapsed_s": 48.2, "left_s": 251.0, "failed": 0,
    }  # fmt: skip
    return Progress(**{**usual, **changes})


def drawn(**changes):
    return draw_search(progress(**changes)).plain.splitlines()


def test_a_search_is_drawn():
    assert [
        "runs        12 of 85 in 48 s, 4 min left",
        "running     13 gbdt, 14 extra",
        "last        AUC 0.9476 (12 forest)",
        "best so far AUC 0.9501 (9 gbdt)",
        "failed      none",
    ] == drawn()


def test_before_the_first_run_is_finished_there_is_no_score_and_no_time_left():
    assert [
        "runs        0 of 85 in 0 s",
        "running     1 naive",
        "last        no run is finished",
        "best so far none",
        "failed      none",
    ] == drawn(done=0, running=("1 naive",), last=None, best=None, elapsed_s=0.2, left_s=None)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"failed": 3}, "failed      3"),
        ({"running": ()}, "running     none"),
        ({"phase": "judging the model", "running": ()}, "running     judging the model"),
        ({"elapsed_s": 3725, "left_s": -0.5}, "runs        12 of 85 in 62 min, 0 s left"),
        ({"metric": "rmse", "best": (4, "dart", 1412.318)}, "best so far rmse 1,412.32 (4 dart)"),
    ],
)
def test_what_else_there_may_be(changes, line):
    assert line in drawn(**changes)


def test_a_phase_is_drawn_at_once_as_it_is_shown_once(monkeypatch):
    seen = []
    with SearchPanel() as panel:
        monkeypatch.setattr(panel._screen, "update", lambda text, **_: seen.append(text.plain.splitlines()[1]))
        for phase in (None, None, "judging the model", "writing the model", None):
            panel.show(progress(phase=phase, running=("13 gbdt",)))

    assert ["running     13 gbdt", "running     judging the model", "running     writing the model"] == seen


def test_a_terminal_that_is_gone_ends_the_panel_and_not_the_search(monkeypatch):
    tried = []

    def gone(*arguments, **options):
        tried.append(1)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("epkit.cli.panel.EVERY_S", 0)
    with SearchPanel() as panel:
        monkeypatch.setattr(panel._screen, "update", gone)
        for phase in (None, None, "judging the model"):
            panel.show(progress(phase=phase))

    assert [1] == tried


SCRIPT = """
import sys
from epkit.cli.panel import search_display
from epkit.core.train.progress import Progress
with search_display(quiet="-q" in sys.argv) as display:
    display.show(Progress(done=12, total=85, running=("13 gbdt",), last=None, best=(9, "gbdt", 0.95013), metric="AUC",
                          elapsed_s=48.2, left_s=251.0, failed=2))
    if "phase" in sys.argv:
        display.show(Progress(done=85, total=85, running=(), last=None, best=(9, "gbdt", 0.95013), metric="AUC",
                              elapsed_s=300, left_s=None, failed=0, phase="judging the model"))
sys.stderr.write("over")
"""


def on_a_terminal(term, *arguments):
    """Run the script with stderr on a terminal; return its output there."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stderr=follower,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "TERM": term},
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            more = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        seen += more
    process.wait(timeout=20)
    os.close(leader)
    return seen.decode()


def test_a_terminal_shows_the_panel_and_then_nothing_of_it():
    seen = on_a_terminal("xterm")

    assert "best so far" in seen
    assert "4 min left" in seen
    assert seen.rpartition("\x1b[2K")[2].endswith("over")  # the last line was erased before the next output


def test_a_terminal_that_can_do_nothing_gets_a_line():
    seen = on_a_terminal("dumb", "phase")
    line = "12 of 85 runs, best AUC 0.9501 (9 gbdt), 4 min left, 2 failed"

    phase = "85 of 85 runs, best AUC 0.9501 (9 gbdt), judging the model"
    over = f"{phase:<{len(line)}}"

    assert f"\r{line}\r{over}\r{' ' * len(phase)}\rover" == seen


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_quiet_search_shows_nothing(term):
    assert "over" == on_a_terminal(term, "-q")


def test_in_a_pipe_there_is_nothing():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=20)

    assert "over" == ran.stderr


def test_a_line_is_said_above_the_panel_and_beside_the_line(capsys):
    with SearchPanel() as panel:
        panel.show(progress())
        panel.note("job j: Running")
    with SearchLine(quiet=False) as line:
        line.show(progress())
        line.note("job j: Completed")

    err = capsys.readouterr().err.splitlines()
    assert "epkit: job j: Completed" == err[-1]
    assert any(each.endswith("epkit: job j: Running") for each in err)
