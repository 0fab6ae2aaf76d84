"""The README is true: its commands run, what it quotes is what they print."""

import contextlib
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from epkit.cli import app
from support.places import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    (line.removeprefix("$ ").partition("  #")[0].strip(), block)
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("$ epkit ")
]
ELSEWHERE = re.compile(r"\b(HOST|prod)\b|https?://|epkit docs")
"""Commands that need an endpoint of the reader's own, or run until they are ended."""
HERE = [(command, block) for command, block in COMMANDS if not ELSEWHERE.search(command)]


@pytest.fixture(autouse=True)
def _as_at_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work where everything is that the commands name, and what they write goes away."""
    for name in ("payloads", "swagger", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    for name in ("EPKIT_TARGET", "EPKIT_KEY"):
        monkeypatch.delenv(name, raising=False)


def run(command: str) -> tuple[int, str]:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = app.run(shlex.split(command)[1:])
    out.flush()
    return code, out.buffer.getvalue().decode()  # type: ignore[attr-defined]


def test_there_are_commands_of_each_kind():
    verbs = {command.split()[1] for command, _ in HERE}

    assert {"bench", "score", "validate"} <= verbs
    assert len(COMMANDS) > len(HERE)


@pytest.mark.parametrize(("command", "block"), HERE, ids=[command for command, _ in HERE])
def test_a_command_runs_and_prints_what_is_quoted(command: str, block: str):
    code, out = run(command)

    assert 0 == code
    quoted = [line for line in block.splitlines() if not line.startswith("$ ")]
    if quoted:
        assert quoted == out.splitlines()


@pytest.mark.parametrize(("command", "block"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_every_flag_that_is_named_exists(command: str, block: str):
    words = shlex.split(command)
    # `deploy` and `logs` have commands of their own.
    command = " ".join(words[1:3] if words[1] in ("deploy", "logs") else words[1:2])
    _, out = run(f"epkit {command} --help")

    for word in words[2:]:
        if word.startswith("-") and word != "-":
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", out), word


def test_a_table_of_rows_becomes_a_table_of_predictions():
    command = next(command for command, _ in HERE if command.endswith("-o predictions.csv"))
    code, _ = run(command)
    lines = Path("predictions.csv").read_text().splitlines()
    rows = (ROOT / "payloads" / "bank-rows.csv").read_text().splitlines()

    assert 0 == code
    assert rows == [line.rpartition(",")[0] for line in lines]
    assert ["prediction", {"no", "yes"}] == [
        lines[0].rpartition(",")[2],
        {line.rpartition(",")[2] for line in lines[1:]},
    ]


def mistakes() -> list[list[str]]:
    table = README.partition("| payload | mistake | server | epkit |")[2].partition("\n\n")[0]
    return [[cell.strip(" `") for cell in row.strip("|").split(" | ")] for row in table.splitlines()[2:]]


@pytest.mark.parametrize(("name", "server", "words"), [(name, server, words) for name, _, server, words in mistakes()])
def test_each_common_mistake_is_said_as_the_table_says(name: str, server: str, words: str):
    code, out = run(f"epkit validate payloads/{name} --schema swagger/bank.swagger2.json")
    place, _, message = words.partition(" ")
    (line,) = [line for line in out.splitlines() if line.endswith(f"  {message}")]
    answers = (ROOT / "payloads/README.md").read_text(encoding="utf-8")
    (answer,) = re.findall(rf"`{name}` .*?\b([45]00|200(?: with an error)?)\W*$", answers, re.MULTILINE)

    assert line.startswith(f"payloads/{name}:{place}  ")
    assert (0 if message.startswith("warning") else 3) == code
    assert server == ("error" if "error" in answer else answer)


def test_every_broken_payload_is_among_the_mistakes():
    assert {file.name for file in ROOT.glob("payloads/broken-*.json")} <= {name for name, *_ in mistakes()}


def holds(whole: Any, part: Any) -> bool:
    """Whether *part* is *whole* with something left out, at the end of a list and anywhere in an object."""
    if isinstance(part, dict):
        return all(key in whole and holds(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(part) <= len(whole) and all(map(holds, whole, part))
    return whole == part


def test_the_contract_and_the_payload_that_are_shown_are_those_of_the_files():
    contract, payload = (
        json.loads(re.sub(", …", "", text)) for text in re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    )

    assert holds(json.loads((ROOT / "swagger/bank.swagger2.json").read_bytes())["definitions"], contract)
    assert holds(json.loads((ROOT / "payloads/bank-two-rows.json").read_bytes()), payload)


def test_the_python_that_is_shown_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    out = io.StringIO()

    with contextlib.redirect_stdout(out):
        exec(code, {})

    assert "there are no rows" in out.getvalue()
    assert re.search(r"^[\d.]+ 0 \(Threshold\(", out.getvalue(), re.MULTILINE)
    assert "| p90 | " in out.getvalue()


def test_every_file_that_is_named_is_there():
    named = re.findall(r"`((?:src|payloads|swagger|tests|benchmarks)/[\w./-]+|[A-Z]+\.md)`", README)

    assert named
    assert [] == [name for name in named if not (ROOT / name).exists()]
