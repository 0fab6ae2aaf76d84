"""`--save`, `report` and `compare` from the command line."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.resources import files
from xml.etree import ElementTree

import pytest

from support.cli_harness import complaint, validator
from support.places import DATA

RUNS = DATA / "runs"


@pytest.fixture
def bench(cli, rows, fault_server):
    def run(*arguments, name="ok", n=9):
        return cli("bench", "-n", n, "-p", rows, "--no-validate", *arguments, fault_server.url(name))

    return run


@pytest.mark.parametrize("format_", ["text", "ab", "json", "markdown"])
@pytest.mark.parametrize("name", ["ok", "flaky", "404"])
def test_a_report_is_equal_to_what_the_run_printed(cli, bench, name, format_):
    ran = bench("--save", "x.epkit", "--format", format_, "--slo", "p99<1ms", name=name)

    again = cli("report", "x.epkit", "--format", format_)
    assert (0, ran.out) == (again.code, again.out)


@pytest.mark.parametrize("limit", ["p90<1s", "p50<1ms"])
def test_a_search_is_saved_as_what_it_printed_and_of_its_probes_the_one_that_it_is_about(
    cli, rows, fault_server, limit
):
    flags = ["--save", "x.epkit", "--samples", "s.csv", "--format", "json", "--html", "r.html"]
    url = fault_server.url("delay?ms=5")
    ran = cli("bench", "-p", rows, "--no-validate", "--find-max", limit, "-t", 3, *flags, url)
    again = cli("report", "x.epkit", "--format", "json", "--samples", "again.csv", "--html", "again.html")

    report = json.loads(ran.out)
    assert ran.out == again.out
    assert (None if limit == "p50<1ms" else report["plan"]["rate"]) == report["search"]["value"]
    assert 1 < len(report["phases"]) or limit == "p50<1ms"
    assert cli.read("s.csv") == cli.read("again.csv")
    assert report["counts"]["sent"] == cli.read("s.csv").count("\n") - 1
    assert cli.read("r.html") == cli.read("again.html")


def test_samples_of_a_search_are_those_of_the_run_that_it_reports(cli, rows, fault_server):
    flags = ["--find-max", "p90<1s", "-t", 2, "--samples", "s.csv", "--format", "json"]
    ran = cli("bench", "-p", rows, "--no-validate", *flags, fault_server.url("delay?ms=5"))

    assert json.loads(ran.out)["counts"]["sent"] == cli.read("s.csv").count("\n") - 1
    assert {"rows.json", "s.csv"} == {path.name for path in cli.directory.iterdir()}


def test_the_files_of_a_run_are_written_again_as_they_were(cli, bench):
    wanted = [("-e", "e.csv"), ("-g", "g.tsv"), ("--html", "r.html"), ("--junit", "j.xml"), ("--samples", "s.csv")]
    bench("--save", "x.epkit", *(word for flag, name in wanted for word in (flag, name)))
    cli("report", "x.epkit", *(word for flag, name in wanted for word in (flag, f"again-{name}")))

    for _, name in wanted:
        assert cli.read(name) == cli.read(f"again-{name}")


@pytest.mark.parametrize(("name", "sent"), [("format-1", 60), ("sweep", 120)])
def test_the_files_of_earlier_versions_are_read_for_ever(cli, name, sent):
    """format-1 is from the first version; sweep is from an early version, with two workers in three phases."""
    ran = cli("report", str(RUNS / f"{name}.epkit"), "--format", "json")
    document = json.loads(ran.out)
    then = json.loads((RUNS / f"{name}.json").read_text(encoding="utf-8"))

    def holds(old, new):
        """Tell whether the new report contains the old one; new fields may be added."""
        if isinstance(old, dict):
            return all(key in new and holds(value, new[key]) for key, value in old.items())
        if isinstance(old, list):
            return len(old) == len(new) and all(map(holds, old, new))
        return old == new

    validator().validate(document)
    assert holds(then, document)
    assert sent == document["counts"]["sent"]


def test_a_run_that_the_epkit_before_saved_is_printed_as_it_printed_it(cli):
    ran = cli("report", str(RUNS / "sweep.epkit"))

    assert (RUNS / "sweep.txt").read_text(encoding="utf-8") == ran.out


def test_every_sample_of_the_first_version_is_read_for_ever(cli):
    cli("report", str(RUNS / "format-1.epkit"), "--samples", "s.csv", "--html", "r.html")

    assert 61 == len(cli.read("s.csv").splitlines())
    assert "Percentiles" in cli.read("r.html")


def test_a_run_killed_in_the_middle_is_reported_to_its_last_second(cli, rows, fault_server):
    command = [sys.executable, "-m", "epkit", "bench", "-t", "30", "-p", rows, "--no-validate", "--save", "k.epkit"]
    path = cli.directory / "k.epkit"
    running = subprocess.Popen(
        [*command, "--slo", "failed<50%", fault_server.url("delay?ms=5")],
        cwd=cli.directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"STAT") >= 3) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()

    ran = cli("report", "k.epkit", "--format", "json")
    document = ran.report
    assert 0 == ran.code
    assert document["run"]["partial"]
    assert document["run"]["duration_s"] > 1.5
    assert document["counts"]["sent"] > 100 * document["run"]["duration_s"] / 2
    assert ["failed<50%"] == [threshold["expression"] for threshold in document["thresholds"]]
    assert "this run was cut off" in " ".join(document["warnings"])
    assert "this run was cut off" in ran.err
    assert "PARTIAL" in cli("report", "k.epkit", "--html", "k.html").out
    assert "Percentiles" in cli.read("k.html")
    assert "this run was cut off" in complaint(cli("compare", "k.epkit", "k.epkit"), 2)


def test_a_missed_objective_is_exit_5_and_said(bench):
    ran = bench("--slo", "p99<1us", "--format", "json")

    assert "missed p99<1us: observed" in complaint(ran, 5)
    assert [("p99<1us", False), ("failed==0", True)] == [
        (each["expression"], each["passed"]) for each in ran.report["thresholds"]
    ]


def test_an_objective_may_allow_failures(bench):
    ran = bench("--slo", "failed<50%", name="flaky")

    assert (0, "") == (ran.code, ran.err)
    assert 5 == bench("--slo", "failed<10%", name="flaky").code
    assert 5 == bench("--slo", "p99<10s", name="flaky").code


def test_an_objective_that_cannot_be_read_ends_before_anything_is_sent(bench, fault_server):
    assert "--slo 'p99<5': column 6: p99 is a time" in complaint(bench("--slo", "p99<5"), 2)
    assert 0 == fault_server.connections


def test_junit_has_a_case_an_objective(cli, bench):
    bench("--slo", "p99<1us", "--slo", "ok==9", "--junit", "j.xml")
    suite = ElementTree.fromstring(cli.read("j.xml"))[0]

    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert {"p99<1us": ["failure"], "ok==9": [], "failed==0": [], "the run is valid": []} == cases


def test_samples_are_traced_to_their_payload(cli, fault_server):
    cli.write("rows.jsonl", '{"data": [{"age": 17}]}\n{"data": [{"age": 1}, {"age": 2}]}\n')
    cli("bench", "-n", 4, "-p", "rows.jsonl", "--no-validate", "--samples", "s.csv", fault_server.url("404"))
    table = list(csv.DictReader(cli.read("s.csv").splitlines()))

    assert [("rows.jsonl:1", "1"), ("rows.jsonl:2", "2")] * 2 == [(row["payload"], row["rows"]) for row in table]
    assert {("status", "404")} == {(row["failure"], row["status"]) for row in table}
    assert all(float(row["service_ms"]) > 0 for row in table)


def test_samples_as_parquet_are_the_same(cli, bench):
    import polars

    bench("--samples", "s.parquet", "--save", "x.epkit")
    cli("report", "x.epkit", "--samples", "s.csv")

    whole = polars.read_parquet(cli.directory / "s.parquet")
    assert whole.columns == polars.read_csv(cli.directory / "s.csv").columns
    assert 9 == whole.height


@pytest.fixture
def arms(cli, bench):
    """Directories of three runs each: `fast`, and `slow`, which is slower by 80 ms."""
    for arm, name in (("fast", "ok"), ("slow", "delay?ms=80")):
        (cli.directory / arm).mkdir()
        for i in range(3):
            assert 0 == bench("--save", f"{arm}/{i}.epkit", name=name).code
    return cli


def test_a_slower_arm_fails_its_gate(arms):
    ran = arms("compare", "fast", "slow", "--fail-if", "p50>+5%", "--format", "json")
    document = json.loads(ran.out)

    assert "slow: p50>+5%: the change is beyond the limit" in complaint(ran, 5)
    assert not document["passed"]
    assert "slower" == {metric["name"]: metric["verdict"] for metric in document["metrics"]}["p50"]
    assert 0 == arms("compare", "slow", "fast", "--fail-if", "p50>+5%").code


def test_a_comparison_is_shown_in_every_way(arms):
    text = arms("compare", "fast", "slow", "--html", "c.html").out
    markdown = arms("compare", "fast", "slow", "--format", "markdown").out

    # The mean of nine requests may be dominated by an outlier; their median is not.
    assert re.search(r"The new one is worse in .*\bp50\b", " ".join(text.split()))
    assert all(len(line) <= 80 for line in text.splitlines() if "%" not in line)
    assert re.match(r"### epkit compare: The new one is worse in .*\bp50\b", markdown)
    assert "| **slower** |" in markdown
    assert "<svg" in arms.read("c.html")


def test_one_run_an_arm_gives_no_verdict_and_no_gate(arms):
    ran = arms("compare", "fast/0.epkit", "slow/0.epkit")

    assert (0, True) == (ran.code, "No verdict: no run-to-run information" in ran.out)
    gated = arms("compare", "fast/0.epkit", "slow/0.epkit", "--fail-if", "p99>+5%")
    assert "no verdict is possible with 1 run an arm" in complaint(gated, 2)


def test_runs_of_another_plan_or_payload_are_refused_unless_forced(arms, bench):
    bench("--save", "longer.epkit", n=10)
    said = complaint(arms("compare", "fast/0.epkit", "longer.epkit"), 2)

    assert "differ in more than the target: requests: 9 and 10" in said
    assert 0 == arms("compare", "fast/0.epkit", "longer.epkit", "--force").code


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("report",), "name a run"),
        (("report", "nope.epkit"), "nope.epkit: no such file"),
        (("report", "rows.json"), "rows.json: not a saved run"),
        (("report", "x.epkit", "--format", "xml"), "--format xml: not one of"),
        (("report", "x.epkit", "--run", "2"), "x.epkit holds 1 run"),
        (("report", "x.epkit", "--html", "no/where.html"), "there is no directory no"),
        (("compare", "x.epkit"), "x.epkit holds one arm, and a comparison needs two"),
        (("compare", "x.epkit", "x.epkit", "--format", "ab"), "--format ab: not one of"),
        (("compare", "x.epkit#blue", "x.epkit"), "no run of the arm blue"),
        (("compare", "x.epkit", "x.epkit", "--fail-if", "p99"), "--fail-if 'p99': column 4"),
        (("compare", "x.epkit", "x.epkit", "--threshold", "200"), "--threshold 200"),
        (("bench", "--save", "no/where.epkit", "-n", "1"), "there is no directory no"),
        (("bench", "--samples", "x.json", "-n", "1"), "not one of .csv, .parquet"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(cli, bench, arguments, why):
    bench("--save", "x.epkit")

    assert why in complaint(cli(*arguments), 2)


def test_the_schema_is_printed(cli):
    assert files("epkit.core.report").joinpath("report.schema.json").read_text() == cli("report", "--json-schema").out


def test_two_arms_in_one_file_are_compared(cli, bench):
    bench("--save", "a.epkit")
    bench("--save", "b.epkit")
    from epkit.files.runs import RunWriter, read

    with RunWriter(str(cli.directory / "both.epkit")) as writer:
        for arm in ("a", "b", "a", "b"):
            (run,) = read(str(cli.directory / f"{arm}.epkit"))
            writer.begin(run.section.head.parts, arm=arm)
            for block in run.blocks():
                writer.add(block)
            writer.end(run.section.report, run.section.histograms)

    ran = cli("compare", "both.epkit")
    assert (0, True) == (ran.code, "both.epkit#a, 2 runs" in ran.out)
    assert ran.out.partition("\n\n")[2] == cli("compare", "both.epkit#a", "both.epkit#b").out.partition("\n\n")[2]
    assert "name one, as in both.epkit#b" in complaint(cli("compare", "both.epkit", "a.epkit"), 2)
    assert 4 == cli("report", "both.epkit").out.count("Concurrency Level")
    assert 1 == cli("report", "both.epkit", "--run", 3).out.count("Concurrency Level")
    assert "--run N picks one" in complaint(cli("report", "both.epkit", "--html", "x.html"), 2)


def test_a_name_may_hold_what_marks_an_arm(cli, bench):
    bench("--save", "run#1.epkit")

    assert 0 == cli("report", "run#1.epkit").code
