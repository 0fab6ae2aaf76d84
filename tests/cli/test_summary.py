"""`--summary`: the report as Markdown in the place where a build server shows it, with any other output."""

import json

import pytest

from epkit.cli.output.summary import MOST_BYTES, SHORTENED, fit
from support.build_servers import commands_in
from support.canary import CANARY
from support.cli_harness import complaint
from support.predict_server import Answer, PredictServer


@pytest.fixture
def github(cli):
    """The command line in a step of GitHub Actions."""
    cli.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(cli.directory / "summary.md")}
    return cli


@pytest.fixture
def azure(cli):
    """The command line in a step of Azure DevOps."""
    (cli.directory / "temp").mkdir()
    cli.environ |= {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(cli.directory / "temp")}
    return cli


def bench(cli, rows, url, *more):
    return cli("bench", "--no-validate", "-p", rows, "-n", 2, "--summary", *more, url)


def test_github_gets_one_report_behind_the_other(github, rows, fault_server):
    first = bench(github, rows, fault_server.url("ok"), "--format", "json")
    second = bench(github, rows, fault_server.url("500"))

    assert (0, 4) == (first.code, second.code)
    assert 2 == first.report["counts"]["sent"]
    assert "" == first.err
    summary = github.read("summary.md")
    assert 2 == summary.count("### epkit bench: ")
    assert summary.index("2 of 2 succeeded") < summary.index("FAILED: 2 of 2 requests")
    assert "\n\n### epkit bench: FAILED" in summary


def test_azure_is_told_of_a_file_on_stderr_and_stdout_stays_json(azure, rows, fault_server):
    ran = bench(azure, rows, fault_server.url("ok"), "--format", "json")

    assert (0, 2) == (ran.code, ran.report["counts"]["sent"])
    (path,) = (azure.directory / "temp").iterdir()
    assert [f"##vso[task.uploadsummary]{path}"] == ran.lines
    assert path.read_text().startswith("### epkit bench: 2 of 2 succeeded")


def test_elsewhere_it_is_refused_before_anything_is_sent(cli, rows, fault_server):
    said = complaint(bench(cli, rows, fault_server.url("ok")), 2)

    assert (
        "--summary: this is not a job of GitHub Actions (GITHUB_STEP_SUMMARY is not set) or Azure DevOps (TF_BUILD "
        "is not "
        "set): --format markdown prints the same"
    ) == said
    assert [] == fault_server.seen


@pytest.mark.parametrize("command", ["bench -n 1", "report x", "compare x", "validate", "drift a b",
                                     "train a --label y", "pipeline run a", "pipeline show a"])  # fmt: skip
def test_each_command_with_markdown_has_it(cli, command):
    assert "--summary" in complaint(cli(*command.split(), "--summary"), 2) or command == "pipeline show a"


def test_a_summary_that_cannot_be_written_is_refused_before_anything_is_sent(github, rows, fault_server):
    github.environ["GITHUB_STEP_SUMMARY"] = "no/summary.md"

    assert "--summary no/summary.md: there is no directory no" == complaint(
        bench(github, rows, fault_server.url("ok")), 2
    )
    assert [] == fault_server.seen


def test_a_file_that_is_full_is_left_as_it_is(github, rows, fault_server):
    github.write("summary.md", b"x" * MOST_BYTES)
    ran = bench(github, rows, fault_server.url("ok"))

    assert 0 == ran.code
    assert ran.err.endswith("it has 1,048,576 bytes of at most 1,048,576: nothing was added\n")
    assert "x" * MOST_BYTES == github.read("summary.md")


def test_what_is_too_long_ends_with_a_line_and_says_so(github, rows, fault_server):
    room = 300
    github.write("summary.md", b"x" * (MOST_BYTES - room - 1) + b"\n")
    bench(github, rows, fault_server.url("ok"))

    written = github.read("summary.md")
    assert MOST_BYTES - room < len(written.encode()) <= MOST_BYTES
    assert written.endswith(f" |{SHORTENED}"), written[-400:]


@pytest.mark.parametrize("room", range(0, 200, 7))
def test_a_text_is_cut_between_lines(room):
    text = "ä – ☃\n" * 20
    found = fit(text, room)

    assert len(found.encode()) <= room
    assert found == "" or found == text or found.endswith(f"☃{SHORTENED}")


OUTSIDE = "| </td><script>x</script> `a` @octocat ![x](https://h/x)\n\n# title"
ESCAPED = "\\| \\</td\\>\\<script\\>x\\</script\\> \\`a\\` \\@octocat !\\[x\\](https://h/x)"
IN_CODE = "| </td><script>x</script> 'a' @octocat ![x](https://h/x)"


def test_text_of_a_server_stays_text(github, rows):
    github.environ["EPKIT_KEY"] = CANARY
    body = json.dumps({"message": f"{CANARY} {OUTSIDE}"}).encode()
    with PredictServer(lambda *_: Answer(status=400, body=body)) as server:
        ran = bench(github, rows, server.url)

    assert 4 == ran.code
    lines = github.read("summary.md").splitlines()
    assert f"### epkit bench: FAILED: 2 of 2 requests: 400 \\*\\*\\* {ESCAPED}" == lines[0]
    assert f"- 2 × status: `400 *** {IN_CODE}`" in lines
    assert 2 == sum("octocat" in line for line in lines)


SCHEMA = {
    "swagger": "2.0", "info": {"title": "a", "version": "1"},
    "paths": {"/score": {"post": {
        "parameters": [{"in": "body", "name": "body", "schema": {
            "type": "object", "required": ["data"],
            "properties": {"data": {"type": "array", "items": {"type": "integer"}}},
        }}],
        "responses": {"200": {"description": "a", "schema": {"type": "object"}}},
    }}},
}  # fmt: skip


def test_a_validation_names_files_places_and_rules(github):
    schema = github.write("bank.json", json.dumps(SCHEMA))
    good, bad = github.write("good.json", '{"data": [1]}'), github.write("b`|<b>.json", '{"data": [1,\n "x"]}')
    ran = github("validate", good, bad, "--schema", schema, "--summary", "--format", "sarif")

    assert 3 == ran.code
    assert "2.1.0" == json.loads(ran.out)["version"]
    summary = github.read("summary.md")
    assert summary.startswith("### epkit validate: 1 of 2 files invalid\n\n`b'|<b>.json`: 1 error\n\n")
    assert "\n| 2:2 | /data/1 | type | " in summary
    assert summary.endswith("\ncontract: `bank.json`\n")
    assert "good.json" not in summary
    assert summary == github("validate", good, bad, "--schema", schema, "--format", "markdown").out


def test_valid_files_are_one_line(azure):
    schema = azure.write("bank.json", json.dumps(SCHEMA))
    ran = azure("validate", azure.write("good.json", '{"data": [1]}'), "--schema", schema, "--summary")

    assert 0 == ran.code
    (path,) = (azure.directory / "temp").iterdir()
    assert "### epkit validate: 1 file valid\n\ncontract: `bank.json`\n" == path.read_text()
    assert [f"##vso[task.uploadsummary]{path}"] == ran.lines
    assert ["##vso[task.uploadsummary]"] == commands_in(ran.err)


def test_a_report_and_a_comparison_have_one_too(github, rows, fault_server):
    for name in ("a", "b"):
        github("bench", "--no-validate", "-p", rows, "-n", 5, "--save", f"{name}.epkit", fault_server.url("ok"))
    report = github("report", "a.epkit", "--summary")
    compared = github("compare", "a.epkit", "b.epkit", "--summary", "--format", "json")

    assert (0, 0) == (report.code, compared.code)
    summary = github.read("summary.md")
    assert summary.startswith("### epkit bench: 5 of 5 succeeded")
    assert "\n\n### epkit compare: No verdict" in summary
