"""Repeats and searches that are interrupted between two runs, when no engine waits for signals."""

import io
import signal

import pytest

from epkit.flows.bench import bench as flow
from epkit.flows.bench import find_max, repeat
from epkit.flows.bench import run as one_run
from epkit.flows.context import Context
from epkit.flows.target.request_options import RequestOptions


class Terminated(KeyboardInterrupt):
    number = signal.SIGTERM


@pytest.fixture
def context(tmp_path):
    return Context(environ={}, cwd=tmp_path, note=print)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('{"data": [{"age": 17}, {"age": 87}]}', encoding="utf-8")
    return str(path)


def run(fault_server, context, rows, **more):
    request = RequestOptions(payloads=(rows,), validate=False)
    return flow.bench(flow.BenchOptions(target=fault_server.url("ok"), request=request, **more), context, io.BytesIO())


@pytest.fixture
def interrupted(monkeypatch):
    """Interrupt before the run with the number `at` begins."""

    def arm(at):
        real, calls = one_run.run, []

        def interrupting(*arguments, **more):
            calls.append(None)
            if len(calls) == at:
                raise Terminated
            return real(*arguments, **more)

        for module in (repeat, find_max):
            monkeypatch.setattr(module, "run", interrupting)

    return arm


def test_repeats_report_the_runs_that_there_were(fault_server, context, rows, interrupted):
    interrupted(3)
    result = run(fault_server, context, rows, requests=2, repeat=5)

    assert 2 == len(result.runs)
    assert signal.SIGTERM is result.stopped_by
    assert 143 == flow.exit_code(result)


def test_a_search_reports_the_probes_that_there_were(fault_server, context, rows, interrupted):
    interrupted(3)
    result = run(fault_server, context, rows, find_max="p99<1s", time_limit_s=20.0)

    assert ["probe 1", "probe 2"] == [phase.name for phase in result.report.phases]
    assert signal.SIGTERM is result.stopped_by
    assert "the search was interrupted" in result.report.search.words


@pytest.mark.parametrize("more", [{"requests": 2, "repeat": 5}, {"find_max": "p99<1s", "time_limit_s": 2.0}])
def test_before_the_first_there_is_nothing_to_report(fault_server, context, rows, interrupted, more):
    interrupted(1)

    with pytest.raises(Terminated):
        run(fault_server, context, rows, **more)


def test_each_run_has_its_own_arrivals(fault_server, context, rows):
    result = run(fault_server, context, rows, requests=20, rate=200.0, arrivals="poisson", repeat=2, seed=5)

    assert [5, 6] == [report.run.seed for report in result.runs]
