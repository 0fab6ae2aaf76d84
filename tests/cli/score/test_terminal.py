"""`epkit score` on a terminal: a table, a line of progress that disappears, no colours."""

import os
import pty
import subprocess
import sys

import pytest

from support.predict_server import PredictServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")


def on_a_terminal(cli, *arguments):
    """Run a command with all its streams on a pseudo-terminal; return everything that it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "epkit", *map(str, arguments)],
        cwd=cli.directory, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    return process.wait(20), shown.decode().replace("\r\n", "\n")


@pytest.fixture
def server():
    with PredictServer() as running:
        yield running


def test_a_few_rows_are_a_table(cli, server):
    cli.write("rows.json", '{"data": [{"id": 0}, {"id": 1}]}')
    code, shown = on_a_terminal(cli, "score", "rows.json", "--target", server.url, "--no-validate", "-q")

    assert 0 == code
    assert shown.endswith("row  prediction\n  0  p0\n  1  p1\n")


def test_many_rows_are_json_lines_all_the_same(cli, server):
    cli.write("rows.csv", "id\n" + "".join(f"{n}\n" for n in range(41)))
    code, shown = on_a_terminal(
        cli, "score", "rows.csv", "--target", server.url, "--no-validate", "-q", "--batch-rows", 7
    )

    assert 0 == code
    assert [f'{{"row": {n}, "prediction": "p{n}"}}' for n in range(41)] == [
        line for line in shown.splitlines() if line.startswith("{")
    ]


def test_how_far_it_is_shows_on_one_line_and_goes_away(cli, server):
    server.delay_s = 0.15
    cli.write("rows.csv", "id\n" + "".join(f"{n}\n" for n in range(600)))
    code, shown = on_a_terminal(
        cli, "score", "rows.csv", "--target", server.url, "--no-validate", "-o", "out.csv", "-c", 1, "--wrap", "data"
    )
    steps = shown.split("\r")
    said = [step for step in steps if " in flight" in step]

    assert 0 == code
    assert any(" of 600 rows, " in step and step.rstrip().endswith(" left") for step in said)
    assert max(map(len, said)) < 80
    assert steps[-1].startswith("600 rows, ")
    assert "\x1b" not in shown
