"""epkit as a library."""

import asyncio
import inspect
import json
import shlex
from pathlib import Path

import pytest

import epkit
from support.fault_server import FaultServer
from support.places import ROOT
from support.predict_server import PredictServer
from support.proxy_server import Proxy
from support.trained import bank_like

TWO_ROWS = '{"data": [{"age": 17}, {"age": 87}]}'


@pytest.fixture
def payload(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EPKIT_TARGET", raising=False)
    path = tmp_path / "rows.json"
    path.write_text(TWO_ROWS)
    return str(path)


def test_every_public_name_is_there():
    assert all(getattr(epkit, name) is not None for name in epkit.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        epkit.trian  # noqa: B018


def test_a_bench_returns_its_report(fault_server: FaultServer, payload: str):
    report = epkit.run_bench(fault_server.url("ok"), requests=5, payloads=[payload])

    assert (5, 5) == (report.counts.sent, report.counts.ok)
    assert report.latency_ms.service is not None


def test_a_bench_takes_a_load_as_the_command_line_does(fault_server: FaultServer, payload: str):
    url = fault_server.url("ok")
    report = epkit.run_bench(url, rate=100, requests=20, warmup="5", payloads=[payload])
    stages = epkit.run_bench(url, stages="100ms@c=1,100ms@c=2", payloads=[payload])

    assert ("open", 100.0, 20) == (report.plan.model, report.plan.rate, report.counts.sent)
    assert ["warm-up", "measure"] == [phase.name for phase in report.phases]
    assert ["c=1", "c=2"] == [phase.load for phase in stages.phases]


def test_a_bench_runs_beside_a_running_loop(fault_server: FaultServer, payload: str):
    async def both() -> tuple[epkit.Report, epkit.Report]:
        url = fault_server.url("ok")
        first, second = await asyncio.gather(
            epkit.bench(url, requests=3, payloads=[payload]), epkit.bench(url, requests=4, payloads=[payload])
        )
        return first, second

    reports = asyncio.run(both())

    assert [3, 4] == [report.counts.ok for report in reports]


def test_a_payload_that_breaks_the_contract_is_not_sent(fault_server: FaultServer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text('{"data": [{"age": "old"}]}')

    with pytest.raises(epkit.ContractError, match=r"bad.json:1:19: .*not an integer"):
        epkit.run_bench(fault_server.url("ok"), payloads=["bad.json"])

    assert 0 == fault_server.requests["ok"]


def test_a_contract_is_loaded_asked_and_sampled():
    contract = epkit.Contract.load(ROOT / "swagger" / "bank.swagger2.json")

    assert not contract.validate({"data": []}).valid
    assert contract.validate(contract.sample(rows=5)).valid


def test_a_run_is_held_against_objectives_and_checked_as_deep_as_asked(fault_server: FaultServer, payload: str):
    report = epkit.run_bench(
        fault_server.url("ok"), requests=5, payloads=[payload], slos=["p99<60s", "ok_per_s>999999999"], check="status"
    )

    shown = {threshold.expression: threshold.passed for threshold in report.thresholds}
    assert (True, False) == (shown["p99<60s"], shown["ok_per_s>999999999"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"check": "closely"}, "check closely: not one of status, reply, contract, expect"),
        ({"slos": ["p99<fast"]}, "p99<fast"),
        ({"save": "nowhere/x.epkit"}, "nowhere"),
        ({"proxy": "host:port"}, "-X: .*port"),
        ({"expect": "nothing.json"}, "nothing.json"),
    ],
)
def test_what_makes_no_sense_is_refused(fault_server: FaultServer, payload: str, options, words: str):
    with pytest.raises(epkit.UsageError, match=words):
        epkit.run_bench(fault_server.url("ok"), requests=1, payloads=[payload], **options)

    assert 0 == fault_server.requests["ok"]


def test_saved_runs_are_read_and_compared(fault_server: FaultServer, payload: str):
    for arm in ("before", "after"):
        Path(arm).mkdir()
        for n in range(3):
            report = epkit.run_bench(fault_server.url("ok"), requests=20, payloads=[payload], save=f"{arm}/{n}.epkit")
            assert (report,) == epkit.load_reports(f"{arm}/{n}.epkit")
    found = epkit.compare("before", "after", fail_if=["p99>+900000%"])

    assert (3, 3, True) == (len(found.base.reports), len(epkit.load_reports("after")), found.passed)
    assert "epkit.comparison/1" == json.loads(epkit.render(found, "json"))["format"]
    assert epkit.render(found).startswith("Base:")
    assert "| p99 " in epkit.render(found, "markdown")
    with pytest.raises(epkit.UsageError, match="no run of the arm x"):
        epkit.load_reports("before/0.epkit#x")


def test_a_report_is_written_as_the_command_line_does(fault_server: FaultServer, payload: str):
    report = epkit.run_bench(fault_server.url("ok"), requests=5, payloads=[payload])

    assert 5 == json.loads(epkit.render(report, "json"))["counts"]["ok"]
    assert "Complete requests:      5\n" in epkit.render(report)
    assert epkit.render(report, "markdown").startswith("#")
    with pytest.raises(epkit.UsageError, match="format pdf: not one of text, markdown, json"):
        epkit.render(report, "pdf")


def test_both_forms_of_a_bench_take_the_same(fault_server: FaultServer, payload: str):
    assert inspect.signature(epkit.run_bench) == inspect.signature(epkit.bench)
    assert "await epkit.bench" in (epkit.bench.__doc__ or "")


def test_rows_and_loads_go_through_a_proxy_and_tls(fault_server: FaultServer, payload: str):
    url = fault_server.url("ok", tls="valid")
    with Proxy() as proxy:
        through = {"proxy": f"127.0.0.1:{proxy.port}", "cacert": str(fault_server.cacert), "validate": False}
        report = epkit.run_bench(url, requests=2, payloads=[payload], **through)
        predictions = epkit.run_score(url, payload, **through)

    assert ("wire", 2, 2) == (report.tool.engine.removesuffix("+c"), report.counts.ok, len(predictions))
    # The load, the rows, and the contract that describes their form.
    assert [f"CONNECT 127.0.0.1:{fault_server.tls['valid']} HTTP/1.1"] * 3 == [line for line, _ in proxy.seen]
    with pytest.raises(epkit.EndpointError, match="certificate"):
        epkit.run_score(url, payload, validate=False)
    assert 2 == len(epkit.run_score(url, payload, validate=False, insecure=True))


def test_a_target_from_a_file_above_is_a_warning(
    fault_server: FaultServer, payload: str, tmp_path: Path, monkeypatch, caplog
):
    (tmp_path / "epkit.toml").write_text(f'[endpoints.bank]\nuri = "{fault_server.url("ok")}"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    epkit.run_bench("bank", requests=1, payloads=[payload], validate=False)

    (said,) = [record for record in caplog.records if "which was found above" in record.getMessage()]
    assert ("epkit", "WARNING") == (said.name, said.levelname)


def test_a_pipeline_is_run_and_its_runs_are_read(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bank_like(300).write_csv("bank.csv")
    Path("epkit.toml").write_text('[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\n')
    pipeline = epkit.Pipeline.load("bank")
    run = pipeline.run(to="data", why="a look")

    assert ("ok", 0, "python", "a look") == (run.state, run.exit_code, run.by, run.why)
    assert [("data", "ok")] == [(step.step, step.state) for step in run.steps]
    assert (run,) == pipeline.runs()
    with pytest.raises(epkit.UsageError, match='no pipeline has the name "x"; one of bank'):
        epkit.Pipeline.load("x")


def test_a_sweep_of_batch_sizes_is_in_the_report(payload: str):
    with PredictServer(delay_s=0.005) as server:
        report = epkit.run_bench(server.url, sweep="rows=1,3", seconds="300ms", payloads=[payload])

    assert report.grid is not None
    assert [(1, 1), (3, 1)] == [(point.rows, point.concurrency) for point in report.grid.points]
    assert report.grid.chosen == 1
    assert report.throughput.rows_per_s == pytest.approx(3 * report.throughput.ok_per_s)
    assert shlex.split(report.grid.command)[-4:] == ["--batch-rows", "3", "-c", "1"]
