"""A bench with several workers behaves like a bench with one: the same requests, one report, the same exit codes."""

import csv
import json
import os
import signal
import sys
import time
from collections import Counter

import pytest

import epkit
from epkit.flows.bench.saving import Recording
from epkit.flows.bench.workers import fleet
from support.cli_harness import complaint
from support.dask_cluster import children_of, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def bench(cli, rows, url, *flags, **more):
    return cli.spawn("bench", "-p", rows, "--no-validate", "--format", "json", *flags, url, **more)


def ours(process, cluster=None) -> list[int]:
    """Return the worker processes of a command, or of its cluster."""
    found = []
    for top in [process.pid] if cluster is None else [worker.pid for worker in cluster.workers]:
        for pid in children_of(top):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found += [pid] if b"epkit.flows.bench.workers.main" in file.read() else []
            except OSError:
                continue
    return found


@pytest.fixture
def of_crew(crew, request):
    """Return a function that finds the worker processes of a command with the flags of `crew`."""
    cluster = request.getfixturevalue("cluster") if crew[0] == "--cluster" else None
    return lambda process: ours(process, cluster)


def test_two_do_what_one_would(cli, rows, fault_server, crew):
    ran = bench(cli, rows, fault_server.url("ok"), "-n", 101, "-c", 5, *crew)
    report = ran.report
    one, other = report["workers"]

    assert 0 == ran.code, ran.err
    assert 101 == report["counts"]["ok"] == fault_server.requests["ok"]
    assert {51, 50} == {one["sent"], other["sent"]}
    assert 5 == report["http"]["connections"] == fault_server.connections == report["generator"]["max_in_flight"]
    assert 101 == report["latency_ms"]["service"]["count"]
    assert 2 == report["plan"]["workers"]
    assert 5 == report["plan"]["concurrency"]
    assert report["validity"]["valid"]
    assert not report["run"]["partial"]
    assert 101 * len((cli.directory / rows).read_bytes()) < report["http"]["bytes_out"]
    assert 0 <= report["generator"]["start_spread_ms"] < 1000
    assert 0.0 == min(one["start_ms"], other["start_ms"])
    assert all(worker["lag_ms"]["max"] >= 0 and worker["host"] for worker in (one, other))
    assert (crew[0] == "--cluster") == (one["clock_error_ms"] > 0)


def test_payloads_go_round_among_all(cli, fault_server, crew):
    cli.write("bodies.jsonl", "".join(f'{{"data": [{{"n": {i}}}]}}\n' for i in range(7)))
    ran = cli.spawn("bench", "-p", "bodies.jsonl", "--no-validate", "--check", "status", "-n", 70, "-c", 4,
                    "--format", "json", *crew, fault_server.url("ok"))  # fmt: skip

    assert 70 == ran.report["counts"]["ok"]
    assert [10] * 7 == list(Counter(seen.body for seen in fault_server.seen).values())


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_an_open_loop_is_the_one_schedule(cli, rows, fault_server, crew, arrivals):
    flags = ["--rate", 100, "-n", 60, "--arrivals", arrivals, "--seed", 5, "--samples"]
    two = bench(cli, rows, fault_server.url("ok"), *flags, "two.csv", *crew)
    one = bench(cli, rows, fault_server.url("ok"), *flags, "one.csv")

    def due(name):
        return sorted(float(row["due_ms"]) for row in csv.DictReader(cli.read(name).splitlines()))

    assert due("one.csv") == due("two.csv")
    assert 60 == two.report["counts"]["ok"] == one.report["counts"]["ok"]
    assert abs(two.report["run"]["duration_s"] - one.report["run"]["duration_s"]) < 0.5


def test_phases_begin_together_also_where_they_end_with_a_number(cli, rows, fault_server, crew):
    flags = ["--warmup", 20, "--sweep", "c=1,2,4", "-n", 40]
    report = bench(cli, rows, fault_server.url("delay?ms=5"), *flags, *crew).report
    warmup, *steps = report["phases"]

    assert (20, False) == (warmup["sent"], warmup["measured"])
    assert [40, 40, 40] == [step["sent"] for step in steps]
    assert [1, 2, 4] == [step["max_in_flight"] for step in steps]
    assert 120 == report["counts"]["ok"] == sum(worker["sent"] for worker in report["workers"])
    assert 140 == fault_server.requests["delay"]
    # 40 requests of 5 ms take 0.2 s one after the other, and 0.05 s four at a time: mutual waiting must not count.
    assert steps[0]["duration_s"] > 2 * steps[2]["duration_s"]


def test_what_is_saved_says_the_same_again(cli, rows, fault_server, crew):
    ran = bench(cli, rows, fault_server.url("ok"), "-n", 50, "-c", 4, "--save", "run.epkit", "--html", "r.html", *crew)

    assert ran.report == cli("report", "run.epkit", "--format", "json").report
    assert "Workers" in cli.read("r.html")


def test_failures_are_counted_and_told_as_one_would(cli, rows, fault_server, crew):
    ran = bench(cli, rows, fault_server.url("flaky?each=5"), "-n", 50, "-c", 2, *crew)
    report = ran.report

    assert 5 == ran.code
    assert report["counts"]["failed"] == fault_server.requests["flaky"] - report["counts"]["ok"] > 0
    assert report["counts"]["failed"] == sum(failure["count"] for failure in report["failures"])
    assert report["counts"]["failed"] == sum(worker["failed"] for worker in report["workers"])


def test_a_key_that_is_refused_is_told_as_one_would(cli, rows, fault_server, crew, canary):
    ran = bench(cli, rows, fault_server.url("401"), "-n", 8, "-c", 2, "-H", f"Authorization: Bearer {canary}", *crew)
    alone = bench(cli, rows, fault_server.url("401"), "-n", 8, "-c", 2, "-H", f"Authorization: Bearer {canary}")

    assert complaint(alone, 4) == complaint(ran, 4)


def test_the_contract_is_checked_by_each(cli, fault_server, crew):
    """The replies of this server do not conform to its contract."""
    ran = cli.spawn("bench", "-n", 20, "-c", 2, "--check", "contract", "--format", "json", *crew,
                    fault_server.url("wrong-count"))  # fmt: skip
    alone = cli.spawn("bench", "-n", 20, "-c", 2, "--check", "contract", "--format", "json",
                      fault_server.url("wrong-count"))  # fmt: skip

    assert alone.failures == ran.failures
    assert alone.code == ran.code


def test_tls_and_the_files_that_it_needs_reach_the_workers(cli, rows, fault_server, crew):
    url = fault_server.url("ok", tls="mutual")
    flags = ["-f", "TLS1.3", "--cacert", fault_server.cacert, "-E", fault_server.client_cert]
    ran = bench(cli, rows, url, "-n", 8, "-c", 2, *flags, *crew)

    assert 8 == ran.report["counts"]["ok"], ran.err
    assert ran.report["http"]["tls"].startswith("TLSv1.3")


def test_the_other_engine_works_too(cli, rows, fault_server, crew):
    report = bench(cli, rows, fault_server.url("ok"), "-n", 20, "-c", 4, "--engine", "httpx", *crew).report

    assert (20, "httpx", 2) == (report["counts"]["ok"], report["tool"]["engine"], len(report["workers"]))


def test_runs_that_are_repeated_use_the_same_workers(cli, rows, fault_server, crew):
    ran = cli.spawn("bench", "-p", rows, "--no-validate", "-n", 20, "-c", 2, "--repeat", 2, "--format", "json", *crew,
                    "--against", fault_server.url("ok-chunked"), fault_server.url("ok"))  # fmt: skip

    assert [20] * 4 == [run["counts"]["ok"] for run in json.loads(ran.out)["runs"]]
    assert (40, 40) == (fault_server.requests["ok"], fault_server.requests["ok-chunked"])


def test_the_highest_rate_is_looked_for_by_all(cli, rows, fault_server, crew):
    ran = bench(cli, rows, fault_server.url("delay?ms=5"), "--find-max", "p90<500ms", "-t", 6, "-c", 4, *crew)

    assert 0 == ran.code, ran.err
    assert "find-max" == ran.report["search"]["kind"]
    assert ran.report["search"]["value"] > 0
    assert 2 == len(ran.report["workers"])


def test_an_objective_that_is_lost_ends_the_run_for_all(cli, rows, fault_server, crew):
    ran = bench(
        cli, rows, fault_server.url("500"), "-n", 100_000, "-c", 4, "--abort-on-slo", "--slo", "failed<1%", *crew
    )

    assert 4 == ran.code
    assert ran.report["run"]["partial"]
    assert fault_server.requests["500"] == ran.report["counts"]["failed"] < 100_000
    assert "ended early: failed<1% could no longer be met" in ran.report["warnings"]


def test_an_estimate_that_is_tight_ends_the_run_for_all(cli, rows, fault_server, crew):
    ran = bench(cli, rows, fault_server.url("delay?ms=2"), "-c", 8, "--until", "ci(p50)<80%", "-t", 15, *crew)

    assert 0 == ran.code, ran.err
    assert ran.report["search"]["confirmed"]
    assert ran.report["run"]["duration_s"] < 14
    assert not ran.report["run"]["partial"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_once_waits_for_what_is_in_flight(cli, rows, fault_server, crew, number, code):
    url = fault_server.url("delay?ms=300")
    with cli.start("bench", "-n", 1000, "-c", 4, "-p", rows, "--format", "json", *crew, url) as process:
        until(lambda: fault_server.requests["delay"] >= 4, "requests are under way")
        process.send_signal(number)
        ran = cli.finished(process)

    sent = fault_server.requests["delay"]
    assert code == ran.code
    assert [f"epkit: {url}: interrupted after {sent} requests; the report covers those"] == ran.lines
    assert {} == ran.failures
    assert (sent, True) == (ran.report["counts"]["ok"], ran.report["run"]["partial"])
    assert sent < 1000


def test_twice_ends_at_once(cli, rows, fault_server, crew):
    with cli.start("bench", "-n", 9, "-c", 2, "-p", rows, *crew, fault_server.url("never")) as process:
        until(lambda: fault_server.requests["never"] >= 2, "requests are under way")
        ran = cli.interrupted_twice(process)

    assert 130 == ran.code
    assert "   (transport: 2)" in ran.out.splitlines()


def test_a_worker_that_is_killed_is_missed_by_name_and_the_others_go_on(cli, rows, fault_server, crew, of_crew):
    url = fault_server.url("delay?ms=20")
    with cli.start("bench", "-n", 400, "-c", 4, "-p", rows, "--format", "json", *crew, url) as process:
        until(lambda: fault_server.requests["delay"] >= 60, "requests are under way")
        victim = of_crew(process)[0]
        os.kill(victim, signal.SIGKILL)
        ran = cli.finished(process)
    report = ran.report
    (lost,) = (worker for worker in report["workers"] if worker["lost"])
    (left,) = (worker for worker in report["workers"] if not worker["lost"])

    assert 0 == ran.code, "what there is of the run went well"
    assert "was killed by signal 9" == lost["lost"]
    assert 200 == left["sent"]
    assert report["counts"]["sent"] == lost["sent"] + 200 <= fault_server.requests["delay"]
    assert report["run"]["partial"]
    assert not report["validity"]["valid"]
    reason = f"{lost['name']} ({lost['host']}) was lost after {lost['sent']} of its 200 requests"
    assert any(line.startswith(reason) for line in report["validity"]["reasons"])
    said = "lost: it was killed by signal 9; the report covers what it had sent until then"
    assert [f"epkit: {lost['name']}: {said}"] == ran.lines
    assert lost["sent"] > 0


def test_a_lost_worker_makes_a_strict_run_fail(cli, rows, fault_server):
    url = fault_server.url("delay?ms=20")
    with cli.start("bench", "-n", 400, "-c", 4, "-p", rows, "--strict", "--workers", 2, url) as process:
        until(lambda: fault_server.requests["delay"] >= 20, "requests are under way")
        os.kill(ours(process)[1], signal.SIGKILL)
        ran = cli.finished(process)

    assert 5 == ran.code
    assert "PARTIAL: 1 of 2 workers lost; " in ran.out
    assert "  lost" in ran.out


def test_who_waits_at_a_gate_does_not_wait_for_a_lost_one(cli, rows, fault_server):
    url = fault_server.url("delay?ms=20")
    flags = ["--warmup", 100, "-n", 100, "-c", 4, "--format", "json", "--workers", 2]
    with cli.start("bench", "-p", rows, *flags, url) as process:
        until(lambda: fault_server.requests["delay"] >= 20, "the warm-up is under way")
        os.kill(ours(process)[0], signal.SIGKILL)
        ran = cli.finished(process)

    assert 50 == ran.report["counts"]["ok"], "the half of who is left"


def test_no_worker_outlives_the_command(cli, rows, fault_server):
    with cli.start("bench", "-t", 60, "-c", 4, "-p", rows, "--workers", 2, fault_server.url("delay?ms=20")) as process:
        until(lambda: fault_server.requests["delay"] >= 20, "requests are under way")
        workers = ours(process)
        assert 2 == len(workers)
        process.kill()
        process.wait()
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), "they end by themselves")


def test_the_key_is_in_nothing_that_shows_of_a_worker(cli, rows, fault_server, canary):
    """The key is neither in its arguments nor in its environment; any process of the user can read these."""
    cli.environ["BANK_KEY"] = canary
    cli.write("epkit.toml", f'[endpoints.bank]\nuri = "{fault_server.url("delay?ms=50")}"\nkey_env = "BANK_KEY"')
    with cli.start("bench", "-n", 200, "-c", 4, "-p", rows, "--no-validate", "--workers", 2, "bank") as process:
        until(lambda: fault_server.requests["delay"] >= 4, "requests are under way")
        for pid in ours(process):
            for name in ("cmdline",):
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    assert canary.encode() not in file.read()
        process.send_signal(signal.SIGINT)
        assert 130 == cli.finished(process).code
    assert f"Bearer {canary}" == fault_server.seen[0].header("authorization")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--workers", 0], "--workers 0: the number of processes must be from 1 to 1024"),
        (["--workers", 3, "-n", 9, "-c", 2], "--workers 3: no more than 2 workers are of use"),
        (["--workers", 2, "-t", 1, "-c", 1], "--workers 2: no more than 1 workers are of use"),
        (["--workers", 2], "--workers 2: no more than 1 workers are of use"),
        (["--workers", 2, "--cluster", "tcp://h:1"], "--workers and --cluster contradict each other"),
    ],
)
def test_workers_that_cannot_be_had_are_refused_before_anything_is_started(cli, rows, fault_server, flags, words):
    assert words in complaint(cli("bench", "-p", rows, *flags, fault_server.url("ok")), 2)
    assert 0 == fault_server.connections


def test_each_has_a_request_in_flight_unless_it_is_said(cli, rows, fault_server, crew):
    report = bench(cli, rows, fault_server.url("ok"), "-n", 10, *crew).report

    assert (10, 2, [5, 5]) == (
        report["counts"]["ok"],
        report["plan"]["concurrency"],
        [worker["sent"] for worker in report["workers"]],
    )


def test_one_worker_is_this_process(cli, rows, fault_server):
    ran = bench(cli, rows, fault_server.url("ok"), "-n", 5, "--workers", 1)

    assert ([], 1) == (ran.report["workers"], ran.report["plan"]["workers"])


def test_a_name_without_an_address_is_told_as_one_would(cli, rows):
    said = complaint(
        cli("bench", "-p", rows, "--no-validate", "-n", 4, "-c", 2, "--workers", 2, "http://no.invalid/x"), 4
    )

    assert said.startswith("no.invalid: the name has no address")


def test_the_text_report_tells_each_worker(cli, rows, fault_server):
    out = cli("bench", "-p", rows, "-n", 40, "-c", 4, "--workers", 2, fault_server.url("ok")).out.splitlines()
    (place,) = (i for i, line in enumerate(out) if line.startswith("Workers "))

    assert ["worker", "1", "20", "0"] == out[place + 1].split()[:4]
    assert ["worker", "2", "20", "0"] == out[place + 2].split()[:4]
    assert out[place + 3].startswith("They began within ")
    assert "| worker 1 |" in cli("bench", "-p", rows, "-n", 4, "-c", 2, "--workers", 2, "--format", "markdown",
                                 fault_server.url("ok")).out  # fmt: skip


def test_a_plan_that_is_shared_is_shown_as_one(cli, rows, fault_server):
    out = cli("bench", "-p", rows, "-n", 40, "-c", 4, "--workers", 2, "--dry-run", fault_server.url("ok")).out

    assert "40 requests, 4 in flight, 60 s for each, connections kept, among 2 workers. No load was sent." in out


def test_python_asks_for_workers_too(fault_server, cli, rows, monkeypatch):
    monkeypatch.chdir(cli.directory)
    report = epkit.run_bench(fault_server.url("ok"), requests=20, concurrency=4, payloads=[rows], workers=2)

    assert (20, 2) == (report.counts.ok, len(report.workers))


def test_a_saved_run_that_is_cut_off_tells_what_its_workers_had_spent(cli, rows, fault_server):
    flags = ["-t", 60, "-c", 4, "--workers", 2, "--save", "run.epkit"]
    with cli.start("bench", "-p", rows, *flags, fault_server.url("delay?ms=5")) as process:
        until(lambda: fault_server.requests["delay"] >= 1500, "requests are under way")
        process.kill()
    report = cli("report", "run.epkit", "--format", "json").report

    assert report["run"]["partial"]
    assert report["counts"]["ok"] > 500
    assert 5 < report["generator"]["cpu_us_per_request"] < 5000
    assert 2 == report["plan"]["workers"]


def test_who_was_held_up_itself_misses_nobody(cli, rows, fault_server, monkeypatch):
    """The process is held up as if by Ctrl-Z: it reads all messages of that time afterwards."""
    monkeypatch.setattr(fleet, "SILENT_S", 2.5)
    real, slept = Recording.tick, []

    def tick(recording):
        if not slept:
            slept.append(True)
            time.sleep(3.5)
        real(recording)

    monkeypatch.setattr(Recording, "tick", tick)
    flags = ["-t", 5, "-c", 4, "--workers", 2, "--save", "run.epkit", "--format", "json"]
    ran = cli("bench", "-p", rows, "--no-validate", *flags, fault_server.url("delay?ms=20"))

    assert slept
    assert 0 == ran.code, ran.err
    assert [None, None] == [worker["lost"] for worker in ran.report["workers"]]
