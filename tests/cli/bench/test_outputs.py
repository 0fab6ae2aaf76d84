"""The outputs of a run: formats, files, the dry run, the traffic of -v, the stored failures."""

import csv
import json

import pytest

from support.canary import CANARY
from support.cli_harness import Ran, validator


@pytest.fixture
def bench(cli, rows, fault_server):
    def run(*arguments, name="ok") -> Ran:
        return cli("bench", "-n", 9, "-p", rows, *arguments, fault_server.url(name))

    return run


def test_the_text_report_is_of_80_columns_and_ends_with_the_verdict(bench):
    lines = bench(name="flaky").out.splitlines()

    assert [] == [line for line in lines if len(line) > 80]
    assert "FAILED: 3 of 9 requests: 503 Service Unavailable" == lines[-1]


def test_no_word_of_a_failure_is_said_twice(bench):
    report = bench(name="flaky").out

    assert 1 == report.count("every replica is")
    assert "Service Unavailable)" not in report


def test_the_report_is_without_escapes_in_a_pipe(bench):
    assert "\x1b" not in bench().out


def test_json_is_the_whole_of_stdout_and_keeps_the_schema(bench):
    ran = bench("--format", "json")

    assert "epkit.report/1" == json.loads(ran.out)["format"]
    assert [] == list(validator().iter_errors(json.loads(ran.out)))


def test_json_has_the_reason_and_what_to_do(bench):
    (failure,) = bench("--format", "json", name="401").report["failures"]

    assert ("status", 9, 401, "Unauthorized") == tuple(failure[key] for key in ("kind", "count", "status", "detail"))
    assert "EPKIT_KEY" in failure["advice"]


def test_ab_prints_abs_layout(bench):
    lines = bench("--format", "ab").out.splitlines()

    assert lines[0].startswith("This is epkit ")
    assert "Benchmarking 127.0.0.1 (be patient).....done" == lines[2]
    assert "Failed requests:        0" in lines
    assert "              min  mean[+/-sd] median   max" in lines


def test_markdown_is_a_table(bench):
    lines = bench("--format", "markdown", name="flaky").out.splitlines()

    assert "### epkit bench: FAILED: 3 of 9 requests: 503 Service Unavailable" == lines[0]
    assert "| failed | 3 of 9 | |" in lines


def test_e_writes_the_percentiles(cli, bench):
    bench("-e", "x.csv")

    rows = list(csv.reader(cli.read("x.csv").splitlines()))
    assert ["Percentage served", "Time in ms"] == rows[0]
    assert [str(percent) for percent in range(101)] == [percent for percent, _ in rows[1:]]


def test_g_writes_a_line_a_request(cli, bench):
    bench("-g", "x.tsv")

    lines = cli.read("x.tsv").splitlines()
    assert "starttime\tseconds\tctime\tdtime\tttime\twait" == lines[0]
    assert 9 == len(lines) - 1


def test_e_overwrites_what_was_there_as_ab_does(cli, bench):
    cli.write("x.csv", "old")
    bench("-e", "x.csv")

    assert cli.read("x.csv").startswith("Percentage served,")


def test_dry_run_shows_the_request_and_sends_no_load(cli, rows, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY
    ran = cli(
        "bench", "--dry-run", "-n", 100, "-c", 4, "-t", 10, "-p", rows, "-C", f"session={CANARY}", "-A", f"user:{CANARY}",
        fault_server.url(f"ok?sig={CANARY}"),
    )  # fmt: skip

    assert (0, "") == (ran.code, ran.err)
    assert 0 == fault_server.requests["ok"]
    assert "POST /fault/ok?sig=*** HTTP/1.1" == ran.out.splitlines()[0]
    assert {"Cookie: ***", "Authorization: Basic ***"} <= set(ran.out.splitlines())
    assert (
        f"{fault_server.url('ok?sig=***')}: 100 requests for at most 10 s, 4 in flight, 60 s for each, "
        "connections kept. No load was sent."
    ) == ran.out.splitlines()[-1]


def test_dry_run_says_how_many_payloads_there_are(cli, fault_server):
    name = cli.write("many.jsonl", '{"data": []}\n{"data": []}\n{"data": []}\n')

    ran = cli("bench", "--dry-run", "--no-validate", "-p", name, fault_server.url("ok"))

    assert "(and 2 more, one a payload)" in ran.out.splitlines()


def test_v_4_shows_request_and_reply_and_no_credential(cli, rows, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY

    ran = cli("bench", "-v", 4, "-p", rows, "-C", f"session={CANARY}", fault_server.url("ok"))

    assert "INFO: POST header == " == ran.lines[0]
    assert {"Authorization: Bearer ***", "Cookie: ***", "HTTP/1.1 200 OK", "LOG: Response code = 200"} <= set(ran.lines)
    assert r'"{\"result\": [\"yes\", \"no\"]}"' in ran.lines


def test_v_1_shows_what_failed(bench):
    ran = bench("-v", 1, name="flaky")

    assert ["WARNING: Response code not 2xx (503)"] * 3 == ran.lines[:-1]


def test_v_1_shows_why_a_connection_failed(bench):
    ran = bench("-v", 1, name="close-before")

    assert ["LOG: transport: closed before a byte of the reply"] * 9 == ran.lines[:-1]


def test_v_shows_no_control_characters_of_the_server(cli, rows, fault_server):
    ran = cli("bench", "-v", 4, "-p", rows, fault_server.url("not-json"))

    assert all(line.isprintable() for line in ran.lines)


def test_keep_failures_writes_the_first_reply_of_each_kind(cli, rows, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY

    cli("bench", "-n", 9, "-p", rows, "--keep-failures", "kept", fault_server.url("flaky"))

    assert ["status-503.txt"] == [path.name for path in (cli.directory / "kept").iterdir()]
    text = cli.read("kept/status-503.txt")
    assert text.startswith("3 times\n\nHTTP/1.1 503 Service Unavailable\n")
    assert text.endswith('\n\n{"message": "Service Unavailable"}\n')


def test_keep_failures_has_a_word_for_those_without_a_reply(cli, rows, fault_server):
    cli("bench", "-n", 2, "-p", rows, "--keep-failures", "kept/here", fault_server.url("close-before"))

    assert "2 times: closed before a byte of the reply\n" == cli.read("kept/here/transport.txt")


def test_keep_failures_keeps_nothing_where_nothing_failed(cli, rows, fault_server):
    cli("bench", "-n", 2, "-p", rows, "--keep-failures", "kept", fault_server.url("ok"))

    assert [] == list((cli.directory / "kept").iterdir())


def test_check_status_looks_at_nothing_but_the_status(bench):
    assert 0 == bench("--check", "status", name="error-in-200").code
    assert 4 == bench("--check", "reply", name="error-in-200").code


def test_the_seed_stands_in_the_report(bench):
    assert 7 == bench("--seed", 7, "--format", "json").report["run"]["seed"]


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_the_engine_stands_in_the_report(bench, engine):
    ran = bench("--engine", engine, "--format", "json")

    assert (0, engine) == (ran.code, ran.report["tool"]["engine"].removesuffix("+c"))


def test_the_deployments_and_the_servers_own_time_are_told(bench):
    ran = bench("--format", "json", name="azure")

    assert {"blue": 5, "green": 4} == {name: said["ok"] for name, said in ran.report["deployments"].items()}
    assert 8.452 == ran.report["latency_ms"]["server"]["median"]
