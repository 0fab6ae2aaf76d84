"""Real Dask clusters in difficult states: missing, wrong, killed, stopped, disconnected, or observed by others."""

import contextlib
import os
import signal
import sys
import time
import urllib.error
from pathlib import Path

import pytest

import epkit
from support.cli_harness import assert_no_canary, complaint, forms
from support.dask_cluster import DaskCluster, free_port, until
from support.hosts import SECONDS_AHEAD, network
from support.predict_server import PredictServer

pytest.importorskip("distributed", reason="needs the extra cluster")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def own():
    """A cluster of two workers that the test may damage."""
    with DaskCluster(2) as cluster:
        yield cluster


def start(cli, rows, url, cluster, *flags):
    address = cluster if isinstance(cluster, str) else cluster.address
    return cli.start("bench", "-p", rows, "--no-validate", "--format", "json", "--cluster", address, *flags, url)


def lost(report):
    return [worker["name"] for worker in report["workers"] if worker["lost"]]


# Which workers there are.


def test_a_scheduler_that_is_not_there_is_told_in_a_line(cli, rows, fault_server):
    address = f"tcp://127.0.0.1:{free_port()}"
    cli.environ["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "1s"
    said = complaint(cli.spawn("bench", "-p", rows, "--cluster", address, fault_server.url("ok")), 2)

    assert said.startswith(f"--cluster {address}: no scheduler answers there")
    assert 0 == fault_server.connections


def test_a_cluster_without_workers_is_told_in_a_line(cli, rows, fault_server):
    with DaskCluster(0) as cluster:
        said = complaint(cli.spawn("bench", "-p", rows, "--cluster", cluster.address, fault_server.url("ok")), 2)

    assert f"--cluster {cluster.address}: it has no workers" == said


def test_an_address_needs_no_scheme(cli, rows, fault_server, cluster):
    address = cluster.address.removeprefix("tcp://")
    assert 0 == cli.spawn("bench", "-p", rows, "-n", 2, "-c", 2, "--cluster", address, fault_server.url("ok")).code


def test_without_the_extra_it_is_named(cli, rows, fault_server, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = complaint(cli("bench", "-p", rows, "--cluster", "tcp://h:1", fault_server.url("ok")), 2)

    assert "--cluster needs Dask: pip install 'epkit[cluster]', here and on the workers" == said


def python_without(directory: Path, version: str | None) -> str:
    """Return an interpreter with the same packages as this one, but without epkit or with another version of it."""
    packages = directory / "packages"
    packages.mkdir()
    for path in {Path(entry) for entry in sys.path if entry.endswith("site-packages")}:
        for each in path.iterdir():
            if "epkit" not in each.name.lower() and each.suffix != ".pth" and not (packages / each.name).exists():
                (packages / each.name).symlink_to(each)
    if version is not None:
        metadata = packages / f"epkit-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: epkit\nVersion: {version}\n")
    python = directory / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return str(python)


@pytest.mark.parametrize(
    ("version", "found"),
    [(None, "it has no epkit"), ("9.9.9", f"it has epkit 9.9.9, and this is {epkit.__version__}")],
)
def test_workers_without_this_epkit_are_refused_by_name(cli, rows, fault_server, tmp_path, version, found):
    other = tmp_path / "other"
    other.mkdir()
    with DaskCluster(1, python=python_without(other, version)) as cluster:
        none = cli.spawn("bench", "-p", rows, "-n", 4, "-c", 2, "--cluster", cluster.address, fault_server.url("ok"))
        assert 0 == fault_server.connections
        cluster._python = sys.executable
        cluster.add_worker()
        until(lambda: cluster.seen() >= 2, "a fit one is there")
        one = cli.spawn("bench", "-p", rows, "-n", 4, "-c", 2, "--cluster", cluster.address, fault_server.url("ok"))

    assert 2 == none.code
    refused, said = none.lines
    assert refused.startswith("epkit: tcp://")
    assert f" is not used: {found}: pip install 'epkit[cluster]=={epkit.__version__}' on the workers" in refused
    assert f"epkit: --cluster {cluster.address}: none of its workers can be used" == said
    assert (0, 1) == (one.code, len(one.lines)), one.err
    assert found in one.lines[0]
    assert 4 == fault_server.requests["ok"], "the one that is fit did it all"


# What may happen to workers.


def test_who_is_killed_with_its_dask_worker_is_missed_by_name(cli, rows, fault_server, own):
    with start(cli, rows, fault_server.url("delay?ms=20"), own, "-n", 400, "-c", 4) as process:
        until(lambda: fault_server.requests["delay"] >= 60, "requests are under way")
        own.workers[0].kill()
        ran = cli.finished(process)

    assert 0 == ran.code, ran.err
    assert 1 == len(lost(ran.report))
    assert ran.report["run"]["partial"]
    assert 200 < ran.report["counts"]["ok"] < 400


def test_without_its_scheduler_a_run_ends_with_what_was_told(cli, rows, fault_server, own):
    with start(cli, rows, fault_server.url("delay?ms=20"), own, "-n", 4000, "-c", 4) as process:
        until(lambda: fault_server.requests["delay"] >= 200, "requests are under way")
        own.scheduler.kill()
        ran = cli.finished(process)

    assert 0 == ran.code, ran.err
    assert 2 == len(lost(ran.report)) == len(ran.lines)
    assert 50 <= ran.report["counts"]["ok"] < 4000
    assert all("is gone from the cluster" in line for line in ran.lines)


@pytest.mark.long
def test_a_client_that_is_killed_leaves_no_load_behind(cli, rows, fault_server, own):
    with start(cli, rows, fault_server.url("delay?ms=20"), own, "-t", 300, "-c", 4) as process:
        until(lambda: fault_server.requests["delay"] >= 20, "requests are under way")
        ours = [pid for worker in own.workers for pid in own.processes(worker)]
        assert 2 == len(ours)
        process.kill()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in ours), "the load ends", seconds=20)


@pytest.mark.long
def test_a_worker_that_is_slow_to_answer_holds_up_nobody(cli, rows, fault_server, own):
    """Its Dask worker pauses for two seconds; the process next to it does not pause, and loses nothing."""
    with start(cli, rows, fault_server.url("delay?ms=10"), own, "-n", 800, "-c", 4) as process:
        until(lambda: fault_server.requests["delay"] >= 60, "requests are under way")
        own.workers[0].send_signal(signal.SIGSTOP)
        time.sleep(2)
        own.workers[0].send_signal(signal.SIGCONT)
        ran = cli.finished(process)

    assert (0, []) == (ran.code, lost(ran.report)), ran.err
    assert 800 == ran.report["counts"]["ok"] == fault_server.requests["delay"]


@pytest.mark.long
def test_hosts_have_clocks_of_their_own_and_are_aligned_by_what_was_measured(cli, rows):
    with (
        network(2, ahead=True) as hosts,
        DaskCluster(2, host=hosts[0].here, prefixes=[host.enter for host in hosts]) as cluster,
        PredictServer(host=hosts[0].here) as server,
        start(cli, rows, server.url, cluster, "--insecure-cluster", "--rate", 50, "-n", 100) as process,
    ):
        report = cli.finished(process).report

    behind, ahead = sorted(report["workers"], key=lambda worker: worker["clock_offset_ms"])
    assert 100 == report["counts"]["ok"]
    assert abs(behind["clock_offset_ms"]) <= behind["clock_error_ms"] + 1
    assert abs(ahead["clock_offset_ms"] - SECONDS_AHEAD * 1000) <= ahead["clock_error_ms"] + 1
    assert {50} == {behind["sent"], ahead["sent"]}
    # By the server's own clock both began at the same time, with one request each per 20 ms.
    assert server.times[-1] - server.times[0] == pytest.approx(99 / 50, abs=0.25)
    gaps = [after - before for before, after in zip(server.times, server.times[1:], strict=False)]
    assert sorted(gaps)[50] == pytest.approx(0.02, abs=0.01), "the two take turns"


@pytest.mark.long
def test_a_host_that_is_cut_off_is_missed_by_name(cli, rows):
    with (
        network(2) as hosts,
        DaskCluster(2, host=hosts[0].here, prefixes=[host.enter for host in hosts]) as cluster,
        PredictServer(host=hosts[0].here, delay_s=0.02) as server,
    ):
        cli.patience_s = 60
        with start(cli, rows, server.url, cluster, "--insecure-cluster", "-n", 400, "-c", 4, "-s", 5) as process:
            until(lambda: server.requests >= 60, "requests are under way")
            hosts[1].cut()
            ran = cli.finished(process)

    (name,) = lost(ran.report)
    assert name.startswith(hosts[1].there)
    assert 0 == ran.code, ran.err
    assert 200 < ran.report["counts"]["ok"] < 400
    assert any("has not answered for 10 s" in line or "is gone" in line for line in ran.lines)


@pytest.mark.long
def test_what_only_this_machine_reaches_is_not_for_workers_on_others(cli, rows, fault_server):
    with (
        network(1) as hosts,
        DaskCluster(1, host=hosts[0].here, prefixes=[hosts[0].enter]) as cluster,
    ):
        said = complaint(
            cli.spawn("bench", "-p", rows, "--cluster", cluster.address, "--insecure-cluster", fault_server.url("ok")),
            2,
        )

    assert said.startswith("127.0.0.1 is reachable on this machine only, but the workers are on others")


# What a cluster reveals.


def test_a_key_shows_nowhere_in_a_cluster(cli, rows, fault_server, canary):
    """Logs with everything that can be logged, the dashboard, the names of tasks, files, arguments and environments."""
    with DaskCluster(2, verbose=True) as cluster:
        cli.environ["BANK_KEY"] = canary
        cli.write("epkit.toml", f'[endpoints.bank]\nuri = "{fault_server.url("echo")}"\nkey_env = "BANK_KEY"')
        with start(cli, rows, "bank", cluster, "-n", 400, "-c", 4, "-v", 2, "--save", "run.epkit") as process:
            until(lambda: fault_server.requests["echo"] >= 20, "requests are under way")
            for path in ("info/main/workers.html", "status", "tasks", "workers", "json/counts.json",
                         "info/main/logs.html", "metrics", "individual-task-stream"):  # fmt: skip
                with contextlib.suppress(urllib.error.HTTPError):  # a page that this version of Dask does not have
                    assert_no_canary(cluster.page(path).encode(), path)
            for worker in cluster.workers:
                for pid in (worker.pid, *cluster.processes(worker)):
                    for name in ("cmdline", "environ"):
                        assert_no_canary(Path(f"/proc/{pid}/{name}").read_bytes(), f"{name} of a worker")
            ran = cli.finished(process)
        scored = cli.spawn("score", rows, "--target", "bank", "--no-validate", "--cluster", cluster.address)
        assert 4 == scored.code, "an echo is no prediction"
        assert "Message from" in cluster.logs(), "every message is logged"
        assert_no_canary(cluster.logs().encode(), "the cluster's logs")
        for path in cluster.directory.rglob("*"):
            if path.is_file():
                assert_no_canary(path.read_bytes(), path.name)

    assert 4 == ran.code
    assert f"Bearer {canary}" == fault_server.seen[0].header("authorization"), "it did reach the endpoint"
    assert "***" in ran.err + ran.out
    assert forms(canary)[0] not in os.fsencode(cluster.logs())
