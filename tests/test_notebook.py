"""Early ends from Python, and the progress in a notebook; `tests/notebook/` tests it in a real kernel."""

import asyncio
import contextvars
import os
import signal
import sys
import threading
import types

import pytest

import epkit
from epkit import notebook
from epkit.process import Interrupts, outside_loop, signals_to
from support.predict_server import PredictServer

ROWS = [{"id": n, "name": f"n{n}"} for n in range(100_000)]
BOUND_S = 30


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EPKIT_TARGET", raising=False)
    (tmp_path / "rows.json").write_text('{"data": [{"id": 1, "name": "n1"}]}')
    with PredictServer() as running:
        yield running


def load(server):
    return {"seconds": 60, "payloads": ["rows.json"], "validate": False}


async def ask_until(server, requests=20):
    """Wait until the server has received some requests."""
    while server.requests < requests:  # noqa: ASYNC110 - it counts on a thread of its own
        await asyncio.sleep(0.01)


def test_a_bench_that_is_cancelled_returns_its_partial_report(server, caplog):
    async def main():
        bench = asyncio.ensure_future(epkit.bench(server.url, **load(server)))
        await ask_until(server)
        bench.cancel()
        report = await asyncio.wait_for(bench, BOUND_S)
        return report, bench.cancelling()

    report, cancelling = asyncio.run(main())

    assert (True, 0) == (report.run.partial, cancelling)
    assert 20 <= report.counts.ok == report.counts.sent
    assert any("interrupted after" in record.getMessage() for record in caplog.records)


def test_a_bench_that_is_cancelled_before_its_first_request_is_cancelled(server, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        begun.set()
        go.wait(BOUND_S)

    monkeypatch.setattr("epkit.api.depth_of", slow)

    async def main():
        bench = asyncio.ensure_future(epkit.bench(server.url, **load(server)))
        await asyncio.to_thread(begun.wait, BOUND_S)
        bench.cancel()
        try:
            await bench
        finally:
            go.set()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert 0 == server.requests


def test_predictions_that_are_cancelled_end_with_those_that_came(server):
    async def main():
        job = epkit.score(server.url, ROWS, validate=False, batch_rows=10)

        async def every():
            return [prediction async for prediction in job]

        found = asyncio.ensure_future(every())
        await ask_until(server)
        found.cancel()
        return await asyncio.wait_for(found, BOUND_S), job

    found, job = asyncio.run(main())

    assert 0 < len(found) < len(ROWS)
    assert [f"p{n}" for n in range(len(found))] == found
    assert (len(found), int(signal.SIGINT)) == (job.summary.rows, job.summary.stopped_by)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot signal itself there")
@pytest.mark.parametrize("nearby", [False, True], ids=["alone", "in a running loop"])
def test_ctrl_c_ends_a_blocking_call_with_what_there_is(server, nearby):
    """In a script, and in a notebook's cell, in which a loop runs already."""
    calls = [
        lambda: epkit.run_bench(server.url, **load(server)),
        lambda: epkit.run_score(server.url, ROWS, validate=False, batch_rows=10),
    ]

    def interrupt() -> None:
        asyncio.run(asyncio.wait_for(ask_until(server), BOUND_S))
        os.kill(os.getpid(), signal.SIGINT)

    async def inside(call):
        return call()

    before = signal.getsignal(signal.SIGINT)
    found = []
    for call in calls:
        server.requests = 0
        thread = threading.Thread(target=interrupt)
        thread.start()
        found.append(asyncio.run(inside(call)) if nearby else call())
        thread.join()
    report, predictions = found

    assert (True, True) == (report.run.partial, predictions.partial)
    assert 20 <= report.counts.ok
    assert [f"p{n}" for n in range(len(predictions))] == predictions
    assert 0 < len(predictions) < len(ROWS)
    assert before == signal.getsignal(signal.SIGINT)


def test_a_signal_between_two_blocks_waits_for_the_next():
    interrupts, caught = Interrupts(), []

    def work():
        with signals_to(caught.append):
            sent.append(interrupts.send(signal.SIGINT))
        sent.append(interrupts.send(signal.SIGTERM))
        with signals_to(caught.append):
            pass

    sent = [interrupts.send(signal.SIGHUP)]
    thread = threading.Thread(target=interrupts.over, args=(work,))
    thread.start()
    thread.join()

    assert [False, True, True] == sent
    assert [signal.SIGHUP, signal.SIGINT, signal.SIGTERM] == caught


def test_work_beside_a_loop_has_the_context_of_its_caller_and_raises_as_it_would_here():
    said = contextvars.ContextVar("said", default="nothing")

    def work():
        assert "cell" == said.get()
        return threading.current_thread() is threading.main_thread(), asyncio.run(asyncio.sleep(0, "done"))

    def fails():
        raise epkit.UsageError("no")

    async def main():
        said.set("cell")
        with pytest.raises(epkit.UsageError, match="no"):
            outside_loop(fails)
        return outside_loop(work)

    assert (False, "done") == asyncio.run(main())


class Kernel:
    """A kernel's part for a cell: a display that is updated; it stores everything that it gets."""

    def __init__(self, monkeypatch):
        self.shown = []
        shell, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        shell.get_ipython = lambda: types.SimpleNamespace(kernel=self)
        display.display = self.display
        monkeypatch.setitem(sys.modules, "IPython", shell)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def display(self, data, *, raw, display_id):
        self.shown.append(("new", data["text/plain"]))
        return self

    def update(self, data, *, raw):
        self.shown.append(("again", data["text/plain"]))


@pytest.fixture
def kernel(monkeypatch):
    monkeypatch.setattr(notebook, "EVERY_S", 0.0)
    return Kernel(monkeypatch)


def test_a_load_shows_in_a_cell_how_far_it_is_and_what_it_was(server, kernel):
    report = epkit.run_bench(server.url, **load(server) | {"seconds": 0.7})

    (first, text), *others = kernel.shown
    assert "new" == first
    assert ["requests", "throughput", "rows", "latency", "failed", "in"] == [
        line.split()[0] for line in text.splitlines()
    ]
    assert {"again"} == {kind for kind, _ in others}
    assert others[-1][1].startswith(f"{report.counts.sent:,} requests in 0.")


def test_a_job_shows_in_a_cell_how_far_it_is_and_what_it_was(server, kernel):
    epkit.run_score(server.url, ROWS[:30_000], validate=False, batch_rows=5)

    assert kernel.shown[0][1].endswith(" left")
    assert kernel.shown[-1][1].startswith("30,000 rows, ")


def test_a_pipeline_shows_in_a_cell_what_came_of_each_step(kernel, tmp_path, monkeypatch):
    from support.trained import bank_like

    monkeypatch.chdir(tmp_path)
    bank_like(300).write_csv("bank.csv")
    (tmp_path / "epkit.toml").write_text('[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\n')
    run = epkit.Pipeline.load("bank").run(to="data")

    assert kernel.shown[-1][1].startswith("data     ok ")
    assert 1 == len(kernel.shown[-1][1].splitlines()) == len(run.steps)


def test_a_display_that_fails_ends_no_load(server, kernel):
    def gone(data, *, raw):
        raise RuntimeError("the socket is closed")

    kernel.update = gone
    report = epkit.run_bench(server.url, **load(server) | {"seconds": 0.7})

    assert not report.run.partial
    assert 1 == len(kernel.shown)


def test_nothing_is_shown_where_there_is_no_kernel(server, capsys):
    assert not notebook.CellProgress(lambda: "over").active
    epkit.run_bench(server.url, **load(server) | {"seconds": 0.5})

    assert ("", "") == capsys.readouterr()
