"""`epkit validate` and `epkit sample` from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from epkit.cli.commands import sample, validate
from epkit.errors import EpkitError

APP = typer.Typer(pretty_exceptions_enable=False)
validate.register(APP)
sample.register(APP)

ROW = {"age": 17, "job": "admin."}
ITEMS = {
    "type": "object",
    "required": ["age", "job"],
    "properties": {"age": {"type": "integer"}, "job": {"type": "string"}},
}
BODY = {"type": "object", "properties": {"data": {"type": "array", "items": ITEMS}}, "example": {"data": [ROW]}}
CONTRACT = {
    "swagger": "2.0",
    "paths": {
        "/score": {
            "post": {
                "parameters": [{"in": "body", "schema": BODY}],
                "responses": {"200": {"schema": {"type": "array", "items": {"type": "string"}}}},
            }
        }
    },
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EPKIT_TARGET", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    Path("swagger.json").write_text(json.dumps(CONTRACT))
    Path("good.json").write_text(json.dumps({"data": [ROW]}))
    Path("bad.json").write_text(json.dumps({"data": [{"age": "old", "jab": "x"}]}))
    Path("rows.csv").write_text("age,job\n1,a\nold,b\n")
    Path("reply.json").write_text('["yes"]')


def run(*arguments: str, **options: Any) -> tuple[int, Result]:
    """Run a command like `main`: an expected error of epkit becomes an exit code."""
    result = CliRunner().invoke(APP, arguments, standalone_mode=False, **options)
    if isinstance(result.exception, EpkitError):
        return result.exception.exit_code, result
    if hasattr(result.exception, "format_message"):
        return 2, result
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.return_value or result.exit_code, result


SCHEMA = ("--schema", "swagger.json")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("validate", *SCHEMA), 0),
        (("validate", "good.json", *SCHEMA), 0),
        (("validate", "bad.json", *SCHEMA), 3),
        (("validate", "good.json", "bad.json", *SCHEMA), 3),
        (("validate", "rows.csv", *SCHEMA), 3),
        (("validate", "gone.json", *SCHEMA), 2),
        (("validate", "good.json", "--schema", "gone.json"), 2),
        (("validate", "good.json", *SCHEMA, "--path", "/nope"), 2),
        (("validate", "good.json", *SCHEMA, "--path", "/score"), 0),
        (("validate", "reply.json", "--reply", *SCHEMA), 0),
        (("validate", "reply.json", "--reply", "--rows", "2", *SCHEMA), 3),
        (("validate", "--reply", *SCHEMA), 2),
        (("validate", "good.json", "--schema", "http://127.0.0.1:9/swagger.json"), 4),
        (("validate", "--format", "nope"), 2),
        (("sample", *SCHEMA), 0),
        (("sample", *SCHEMA, "--rows", "0"), 2),
        (("sample", *SCHEMA, "-o", "gone/x.json"), 2),
    ],
)
def test_each_outcome_has_its_exit_code(arguments: tuple[str, ...], code: int) -> None:
    exit_code, _ = run(*arguments)

    assert code == exit_code


def test_a_violation_is_a_line_with_its_place() -> None:
    _, result = run("validate", "bad.json", *SCHEMA)

    assert [
        'bad.json:1:11  /data/0  required  column "job" is missing: there is "jab": did you mean "job"? (row 0)',
        'bad.json:1:26  /data/0/jab  additionalProperties  unknown column "jab": did you mean "job"? (row 0)',
        'bad.json:1:19  /data/0/age  type  "old" is not an integer (row 0)',
        "bad.json: invalid: 3 errors",
    ] == result.stdout.splitlines()


@pytest.mark.parametrize(("format_", "start"), [("json", "{"), ("sarif", "{"), ("junit", "<?xml"), ("text", "good")])
def test_each_format_is_printed(format_: str, start: str) -> None:
    _, result = run("validate", "good.json", *SCHEMA, "--format", format_)

    assert result.stdout.startswith(start)


def test_strict_makes_warnings_errors_and_as_declared_knows_none() -> None:
    Path("warned.json").write_text(json.dumps({"data": [ROW], "more": 1}))
    codes = [run("validate", "warned.json", *SCHEMA, *flag)[0] for flag in ([], ["--strict"], ["--as-declared"])]

    assert [0, 3, 0] == codes


def test_stdin_is_read() -> None:
    code, result = run("validate", "-", *SCHEMA, input='{"data": []}')

    assert (3, True) == (code, result.stdout.startswith("stdin:1:10"))


def test_a_sample_is_valid_and_the_same_for_the_same_seed() -> None:
    bodies = [run("sample", *SCHEMA, "--rows", "4", "--seed", seed)[1].stdout for seed in ("1", "1", "2")]
    run("sample", *SCHEMA, "--rows", "4", "--seed", "1", "-o", "made.json")

    assert bodies[0] == bodies[1] != bodies[2]
    assert bodies[0] == Path("made.json").read_text()
    assert 0 == run("validate", "made.json", *SCHEMA, "--strict")[0]


def test_the_targets_own_contract_is_found_in_the_configuration() -> None:
    entry = 'uri = "https://localhost:9/score"\nswagger = "swagger.json"\nauth = "none"\n'
    Path("epkit.toml").write_text(f'default = "bank"\n[endpoints.bank]\n{entry}')
    codes = [run("validate", "good.json", *target)[0] for target in ([], ["--target", "bank"])]

    assert [0, 0] == codes


@pytest.mark.parametrize("command", ["validate", "sample"])
def test_the_help_has_an_example(command: str) -> None:
    _, result = run(command, "--help")

    assert f"epkit {command}" in result.stdout
