import platform

import pytest

from epkit import __version__
from support.cli_harness import complaint
from support.places import ROOT


def test_0_when_every_request_succeeded(cli, rows, fault_server):
    ran = cli("bench", "-n", 3, "-p", rows, fault_server.url("ok"))

    assert (0, "") == (ran.code, ran.err)
    assert "3 of 3 succeeded" == ran.out.splitlines()[-1]


def test_1_with_a_traceback_for_a_bug(cli, rows, fault_server, monkeypatch):
    monkeypatch.setattr("epkit.reporters.run.text.render", lambda *_, **__: 1 / 0)

    ran = cli("bench", "-p", rows, fault_server.url("ok"))

    assert 1 == ran.code
    assert "Traceback" in ran.lines[0]
    assert "ZeroDivisionError: division by zero" == ran.lines[-2]
    assert "epkit: this is a bug in epkit; please report it with the lines above" == ran.lines[-1]


def test_2_for_a_flag_that_does_not_exist(cli):
    said = complaint(cli("bench", "--turbo"), 2)

    assert said.startswith("no such option: --turbo")
    assert said.endswith("(see epkit bench --help)")


def test_4_when_nothing_succeeded(cli, rows, fault_server):
    said = complaint(cli("bench", "-n", 3, "-p", rows, fault_server.url("404")), 4)

    assert said.startswith(f"{fault_server.url('404')}: none of 3 requests succeeded: 404: nothing is at this path")
    assert said.endswith("(the server says: Not Found)")


def test_4_when_the_only_request_failed(cli, rows, fault_server):
    assert ": the only request failed: 404: " in complaint(cli("bench", "-p", rows, fault_server.url("404")), 4)


def test_5_when_some_failed(cli, rows, fault_server):
    said = complaint(cli("bench", "-n", 9, "-p", rows, fault_server.url("flaky")), 5)

    assert said.startswith(f"{fault_server.url('flaky')}: 3 of 9 requests failed: 503: ")


def test_5_names_the_most_frequent_failure_when_they_are_of_several_kinds(cli, fault_server):
    good = cli.write("good.json", '{"data": [{"age": 1}, {"age": 2}]}')
    three = cli.write("three.json", '{"data": [{"age": 1}, {"age": 2}, {"age": 3}]}')

    ran = cli("bench", "-n", 12, "-p", good, "-p", three, fault_server.url("flaky"))

    assert "8 of 12 requests failed, most of them for this reason: " in complaint(ran, 5)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_no_failure(cli, flag):
    ran = cli("bench", flag)

    assert (0, "") == (ran.code, ran.err)
    assert "Usage: epkit bench [OPTIONS] [TARGET]" == ran.out.splitlines()[0]


def test_no_command_shows_the_help_on_stderr(cli):
    ran = cli()

    assert (2, "") == (ran.code, ran.out)
    assert "Usage: epkit [OPTIONS] COMMAND [ARGS]..." == ran.lines[0]


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["bench", "-V"]])
def test_the_version_is_shown(cli, arguments):
    ran = cli(*arguments)

    assert (0, f"epkit {__version__}\n", "") == (ran.code, ran.out, ran.err)


@pytest.mark.parametrize("arguments", [["--version", "-v"], ["-vV"], ["version", "-v"]])
def test_the_version_is_shown_with_what_it_runs_on(cli, arguments):
    cli.environ["EPKIT_ENGINE"] = "python"
    ran = cli.spawn(*arguments)

    python = f"Python {platform.python_version()} ({platform.python_implementation()})"
    system = f"{platform.system()} {platform.machine()}"
    lines = [f"epkit {__version__}", python, system, "engine: wire (EPKIT_ENGINE=python)"]
    assert (0, lines, "") == (ran.code, ran.out.splitlines(), ran.err)


def test_an_engine_that_does_not_exist_is_refused(cli):
    cli.environ["EPKIT_ENGINE"] = "rust"

    assert 'EPKIT_ENGINE=rust: must be "python", or not set' == complaint(cli.spawn("--version", "-v"), 2)


def test_a_flag_for_details_belongs_to_a_command(cli):
    assert "-v: give it after the command, or with --version" == complaint(cli("-v", "bench"), 2)


@pytest.mark.parametrize(("command", "code"), [("validate", 3), ("sample", 0)])
def test_a_reader_of_stdout_that_is_gone_changes_nothing_about_the_code(cli, command, code):
    body = [ROOT / "payloads" / "broken-empty-rows.json"] if command == "validate" else []
    with cli.start(command, *body, "--schema", ROOT / "swagger" / "bank.swagger2.json") as process:
        process.stdout.close()
        process.stdout = None
        ran = cli.finished(process)

    assert code == ran.code
    assert ["epkit: stdout was closed before everything was written"] == ran.lines
