"""epkit as a library."""

import asyncio
from pathlib import Path

import pytest

import epkit
from fault_server import FaultServer

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
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        epkit.train  # noqa: B018


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
    contract = epkit.Contract.load(Path(__file__).parents[1] / "swagger" / "bank.swagger2.json")

    assert not contract.validate({"data": []}).valid
    assert contract.validate(contract.sample(rows=5)).valid
