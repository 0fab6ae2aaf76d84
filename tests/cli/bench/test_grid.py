"""Sweeps of batch sizes from the command line: `--sweep 'rows=…;c=…'`."""

import json
import shlex
import signal
import sys
import time

import pytest

from epkit.files import contracts
from support.cli_harness import complaint
from support.places import ROOT
from support.predict_server import PredictServer, plain, too_large

BANK = ROOT / "payloads" / "bank-rows.csv"
"""20 rows."""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "".join(f"{n},x\n" for n in range(7)))
    return str(path)


def sweep(cli, table, url, *flags, grid="rows=1,3,20;c=1,2", **more):
    usual = ["--sweep", grid, "-t", 0.3, "-p", table, "--wrap", "data", "--format", "json"]
    return cli("bench", *usual, *flags, url, **more)


def by_name(report):
    return {f"rows={one['rows']} c={one['concurrency']}": one for one in report["grid"]["points"]}


def test_a_sweep_finds_the_rows_of_a_request_and_ends_with_the_line_to_use(cli, table):
    with PredictServer(delay_s=0.01) as server:
        ran = sweep(cli, table, server.url, "--slo", "p99<5s")
        report = ran.report
        points = by_name(report)

        assert 0 == ran.code, ran.err
        assert ["rows=1 c=1", "rows=1 c=2", "rows=3 c=1", "rows=3 c=2", "rows=20 c=1", "rows=20 c=2"] == list(points)
        # Each request takes the same time whatever its size, so the most rows in flight score fastest.
        chosen = report["grid"]["points"][report["grid"]["chosen"]]
        assert (20, 2, "measured") == (chosen["rows"], chosen["concurrency"], chosen["state"])
        assert ("batch-rows", 20.0) == (report["search"]["kind"], report["search"]["value"])
        line = f"epkit score {shlex.quote(table)} --target {server.url} --wrap data --batch-rows 20 -c 2"
        assert line == report["grid"]["command"]
        assert points["rows=1 c=1"]["rows_per_s"] < points["rows=20 c=1"]["rows_per_s"] < chosen["rows_per_s"]
        assert pytest.approx(20 * report["throughput"]["ok_per_s"]) == report["throughput"]["rows_per_s"]
        assert 0 == report["counts"]["failed"]
        assert {20} == {int(payload["name"].split(", ")[1].split()[0]) for payload in report["run"]["payloads"]}
        # The recommended command works.
        words = shlex.split(report["grid"]["command"])[1:]
        assert 7 == len(cli(*words).out.splitlines())


def test_rows_of_the_table_are_sent_in_turn_and_each_body_is_made_once(cli, table):
    with PredictServer(delay_s=0.005) as server:
        assert 0 == sweep(cli, table, server.url, grid="rows=3,20").code
        sent = [[row["a"] for row in json.loads(body)["data"]] for body in server.bodies]

    bodies = {tuple(rows) for rows in sent}
    assert {(0, 1, 2), (3, 4, 5), (6, 0, 1)} == {rows for rows in bodies if len(rows) == 3}
    assert {tuple(n % 7 for n in range(20))} == {rows for rows in bodies if len(rows) == 20}


def test_a_size_that_the_server_refuses_is_out_and_the_others_go_on(cli, table):
    with PredictServer(too_large(3), delay_s=0.005) as server:
        ran = sweep(cli, table, server.url)
        points = by_name(ran.report)

    assert 0 == ran.code, ran.err
    refused = points["rows=20 c=1"]
    assert ("failed", 413, 0, 1) == (refused["state"], refused["failure"]["status"], refused["ok"], refused["rounds"])
    assert "requests failed, after round 1" in refused["words"]
    assert not refused["is_front"]
    assert 3 == ran.report["search"]["value"]


def test_a_size_whose_replies_do_not_come_is_out_in_the_time_of_its_point(cli, table):
    def behave(server, rows, body):
        server.delay_s = 30.0 if len(rows) == 20 else 0.005
        return plain(server, rows, body)

    with PredictServer(behave) as server:
        began = time.monotonic()
        ran = sweep(cli, table, server.url, grid="rows=3,20")

    assert time.monotonic() - began < 15
    slow = by_name(ran.report)["rows=20 c=1"]
    assert ("failed", 0) == (slow["state"], slow["ok"])
    assert slow["words"].startswith("requests took longer than the time of the point (-t): 0 were over by then")
    assert 0 == ran.code, ran.err


def test_no_point_that_keeps_the_objective_is_exit_code_5_and_said(cli, table):
    with PredictServer(delay_s=0.02) as server:
        ran = sweep(cli, table, server.url, "--slo", "p99<1ms", grid="rows=1,3")

    assert 5 == ran.code
    assert "no point keeps p99<1ms (2 points in " in ran.lines[-1]
    assert (None, "") == (ran.report["grid"]["chosen"], ran.report["grid"]["command"])
    assert {"missed"} == {one["state"] for one in by_name(ran.report).values()}


def test_a_server_that_refuses_all_is_exit_code_4(cli, table):
    with PredictServer(too_large(0)) as server:
        ran = sweep(cli, table, server.url, grid="rows=1,3")

    assert 4 == ran.code
    assert {"failed"} == {one["state"] for one in by_name(ran.report).values()}


def test_bodies_are_made_of_the_contract_where_no_file_is_given(cli, tmp_path):
    schema = str(ROOT / "swagger" / "bank.swagger2.json")
    flags = ["--sweep", "rows=1,3", "-t", 0.2, "--schema", schema, "--format", "json", "--check", "contract"]
    with PredictServer() as server:
        ran = cli("bench", *flags, server.url)
        bodies = [json.loads(body) for body in server.bodies]

    assert 0 == ran.code, ran.err
    example = contracts.load(schema).example
    assert {1, 3} == {len(body["data"]) for body in bodies}
    assert example["data"][:1] == bodies[next(i for i, body in enumerate(bodies) if len(body["data"]) == 1)]["data"]
    assert ran.report["grid"]["command"].startswith(f"epkit score FILE --target {server.url} --schema {schema} ")


def test_a_dry_run_says_how_long_the_whole_takes_and_sends_nothing(cli, table):
    with PredictServer() as server:
        ran = cli("bench", "--sweep", "c=1,2;rows=1,3", "-t", 5, "-p", table, "--wrap", "data", "--dry-run", server.url)

        assert 0 == server.requests
    assert "4 points, 5 s for each in 5 rounds: at most 29.2 s in all" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["-n", 5], "-n contradicts --sweep rows=: -t says how long each point is measured"),
        (["--rate", 5], "--rate and --sweep contradict each other"),
        (["--stages", "1s@c=1"], "--stages and --sweep contradict each other"),
        (["--find-max", "p99<1s"], "--sweep and --find-max contradict each other"),
        (["--until", "ci(p99)<5%"], "--until needs a constant load"),
        (["--repeat", 2], "--repeat needs equal runs"),
        (["--arrivals", "poisson"], "--arrivals poisson needs a rate"),
        (["--abort-on-slo"], "--abort-on-slo contradicts --sweep rows="),
        (["--batch-rows", 5], "--batch-rows contradicts --sweep rows=: the sweep sets the rows of a body"),
        (["--expect", "golden.json"], "--expect contradicts --sweep rows="),
        (["-p", "other.csv"], "--sweep rows=: the rows come from one file"),
    ],
)
def test_what_a_sweep_cannot_be_joined_with_is_refused_in_one_line(cli, table, flags, said):
    ran = sweep(cli, table, "http://127.0.0.1:1/score", *flags, grid="rows=1,3")

    assert said in complaint(ran, 2)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "for how long is each point measured? Give -t"),
        (["-t", 1, "-i"], "-i contradicts --sweep rows=: its bodies are made of rows"),
        (["-t", 1, "-u", "rows.csv"], "-u contradicts --sweep rows="),
        (["-t", 1, "-p", "gen:rows=5"], "-p gen:rows=5: --sweep rows= takes rows from a file"),
        (["-t", 1, "-p", "-"], "-p -: --sweep rows= takes rows from a file"),
        (["-t", 1, "-p", "missing.csv"], "missing.csv: no such file"),
    ],
)
def test_bodies_that_cannot_be_had_are_refused_in_one_line(cli, flags, said):
    ran = cli("bench", "--sweep", "rows=1,3", "--no-validate", *flags, "http://127.0.0.1:1/score")

    assert said in complaint(ran, 2)


def test_a_body_of_one_row_cannot_be_swept(cli, table):
    ran = cli("bench", "--sweep", "rows=1,3", "-t", 1, "-p", table, "--wrap", "data:row", "http://127.0.0.1:1/score")

    assert "--sweep rows=3: a body holds one row" in complaint(ran, 2)


def test_the_line_holds_no_secret(cli, table):
    flags = ["-H", "Authorization: Bearer sesame-1234", "-A", "me:sesame-5678", "-H", "X-Team: blue"]
    with PredictServer() as server:
        ran = sweep(cli, table, f"{server.url}?code=sesame-9012", *flags, grid="rows=1,3")
    command = ran.report["grid"]["command"]

    assert 0 == ran.code, ran.err
    assert "sesame" not in ran.out + ran.err
    assert "-H 'Authorization: Bearer ***' -H 'X-Team: blue'" in command
    assert f"--target '{server.url}?code=***'" in command
    assert "leaves out -A" in ran.report["grid"]["notes"][0]


def test_a_saved_sweep_is_reported_and_its_samples_are_those_of_the_run_that_confirmed(cli, table, tmp_path):
    run, samples = tmp_path / "run.epkit", tmp_path / "samples.csv"
    with PredictServer(delay_s=0.005) as server:
        report = sweep(cli, table, server.url, "--save", run, "--samples", samples, grid="rows=1,3").report
    again = cli("report", str(run), "--format", "json").report

    assert report == again
    assert report["counts"]["sent"] == len(samples.read_text().splitlines()) - 1
    assert cli("report", str(run)).out.endswith(f"{report['grid']['command']}\n")
    assert 0 == cli("compare", str(run), str(run)).code


def test_workers_share_each_point(cli, table):
    with PredictServer(delay_s=0.005) as server:
        ran = sweep(cli, table, server.url, "--workers", 2, grid="rows=1,3;c=1,2")

    assert 0 == ran.code, ran.err
    assert {"rows=1 c=1", "rows=3 c=2"} <= by_name(ran.report).keys()
    assert all(one["ok"] for one in by_name(ran.report).values())
    assert "have nothing to do" not in ran.err
    assert " --workers 2 " in ran.report["grid"]["command"]


def test_a_warmup_is_made_once_and_in_no_point(cli, table):
    with PredictServer(delay_s=0.005) as server:
        report = sweep(cli, table, server.url, "--warmup", 50, grid="rows=1,3").report
        counted = sum(one["sent"] for one in by_name(report).values())

    assert "50" == report["plan"]["warmup"]
    assert server.requests >= counted + 50


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_sweep_that_is_interrupted_reports_what_there_is(cli, table):
    with PredictServer(delay_s=0.02) as server:
        flags = ["--sweep", "rows=1,3,20", "-t", 10, "-p", table, "--wrap", "data", "--format", "json"]
        with cli.start("bench", *flags, server.url) as process:
            deadline = time.monotonic() + 60
            while server.requests < 20:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            ran = cli.finished(process)
    points = by_name(ran.report).values()

    assert 130 == ran.code
    assert ran.report["run"]["partial"]
    assert 3 == len(points)
    assert "never tried: the sweep was interrupted" in {point["words"] for point in points}
    assert "epkit: " in ran.lines[-1]
    assert "interrupted after" in ran.lines[-1]
