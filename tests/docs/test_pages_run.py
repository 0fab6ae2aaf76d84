"""README and manual are correct: their commands run, and the quoted output equals the real one."""

import contextlib
import io
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from epkit.cli import app
from epkit.core.train.sample import sample_table
from support.pages import PAGES, Block, Command, blocks, commands, name_of, read
from support.places import ROOT

ELSEWHERE = re.compile(r"\b(HOST|prod)\b| bank$|https?://|^epkit (docs|deploy|logs|train|pipeline)\b")
"""Commands that need the reader's own endpoint, run until they are ended, take minutes, or leave something behind."""


def here(block: Block) -> list[Command]:
    """Return the commands of a block that can run on any machine."""
    return [one for one in commands(block) if one.line.startswith("epkit ") and not ELSEWHERE.search(one.line)]


BLOCKS = [(page, block) for page in PAGES for block in blocks(page, "console") if here(block)]


@pytest.fixture(autouse=True)
def _as_at_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Change to a directory with all files that the commands name; their outputs are deleted."""
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


def shape(line: str) -> str:
    """Return a line without the parts that vary between runs: numbers, their widths, whether epkit is compiled."""
    line = line.replace("wire+c engine", "wire engine")
    return re.sub(r"\s+", " ", re.sub(r"\d[\w.:,-]*", "0", line)).strip()


def is_quoted(quoted: Sequence[str], printed: Sequence[str]) -> bool:
    """Tell whether *quoted* equals the printed lines; a line of `…` matches any number of lines."""
    if not quoted:
        return not printed
    if quoted[0] == "…":
        return any(is_quoted(quoted[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and quoted[0] == printed[0] and is_quoted(quoted[1:], printed[1:])


def test_a_wrong_quotation_is_seen():
    assert is_quoted(["a", "…", "d"], ["a", "b", "c", "d"])
    assert is_quoted(["…"], ["a"])
    assert not is_quoted(["a", "…", "d"], ["a", "b", "c"])
    assert not is_quoted(["a"], ["a", "b"])
    assert not is_quoted(["a", "b"], ["a"])
    assert shape("Connect:  0.251  1 connection") == shape("Connect: 12.0 14 connection")
    assert shape("p90 needs 36") != shape("p99 wants 36")


def test_there_are_commands_of_each_kind():
    lines = [one.line for _, block in BLOCKS for one in here(block)]
    elsewhere = [
        one.line for page in PAGES for block in blocks(page, "console") for one in commands(block)
        if one.line.startswith("epkit ") and ELSEWHERE.search(one.line)
    ]  # fmt: skip

    assert {"bench", "check", "compare", "report", "sample", "score", "validate"} <= {line.split()[1] for line in lines}
    assert {"docs", "deploy", "logs", "init"} <= {line.split()[1] for line in elsewhere}


def test_the_two_commands_stay_in_the_readme():
    lines = [one.line for block in blocks(ROOT / "README.md", "console") for one in commands(block)]

    assert 'pip install ".[local]" && epkit bench -n 10' in lines
    assert "pip install nox && nox -s tests" in lines


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= 6000


@pytest.mark.parametrize(
    ("page", "block"), BLOCKS, ids=[f"{name_of(page)}: {here(block)[0].line}" for page, block in BLOCKS]
)
def test_commands_run_and_print_what_is_quoted(page: Path, block: Block):
    for command in here(block):
        code, out = run(command.line)
        if "NOT VALID: the client was the limit" in out:  # this machine is busy with other tests
            code, out = run(command.line)
        quoted, printed = list(command.printed), out.splitlines()
        if command.line.split()[1] in ("bench", "check", "report", "pipeline"):  # times and ports
            quoted, printed = list(map(shape, quoted)), list(map(shape, printed))

        assert (command.line, command.code) == (command.line, code)
        if command.printed and not is_quoted(quoted, printed):
            assert quoted == printed


SCORE, VALIDATE = ROOT / "docs" / "score.md", ROOT / "docs" / "validate.md"


def test_a_table_of_rows_becomes_a_table_of_predictions():
    (command,) = [
        one.line for block in blocks(SCORE, "console") for one in here(block) if one.line.endswith("-o predictions.csv")
    ]
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
    table = read(VALIDATE).partition("| payload | mistake | server | epkit |")[2].partition("\n\n")[0]
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
    """Tell whether *part* is *whole* with parts left out: at the end of a list, and anywhere in an object."""
    if isinstance(part, dict):
        return all(key in whole and holds(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(part) <= len(whole) and all(map(holds, whole, part))
    return whole == part


def test_the_contract_and_the_payload_that_are_shown_are_those_of_the_files():
    contract, payload = (json.loads(re.sub(", …", "", block.text)) for block in blocks(VALIDATE, "json"))

    assert holds(json.loads((ROOT / "swagger/bank.swagger2.json").read_bytes())["definitions"], contract)
    assert holds(json.loads((ROOT / "payloads/bank-two-rows.json").read_bytes()), payload)


def test_the_python_that_is_shown_runs():
    # The example in pipeline.md needs a pipeline, so `tests/test_api.py` runs it. That of train.md runs below. The
    # reference only shows signatures.
    shown = [p for p in PAGES if p.stem not in ("pipeline", "train") and p.parent.name != "reference"]
    (block,) = [block for page in shown for block in blocks(page, "python")]
    out = io.StringIO()

    with contextlib.redirect_stdout(out):
        exec(block.text, {})

    assert "there are no rows" in out.getvalue()
    assert re.search(r"^[\d.]+ 0 \(Threshold\(", out.getvalue(), re.MULTILINE)
    assert "| p90 | " in out.getvalue()


def test_the_python_that_trains_runs():
    pytest.importorskip("lightgbm", reason="needs the extra train")
    (block,) = blocks(ROOT / "docs" / "train.md", "python")
    Path("bank.csv").write_text(sample_table(rows=300))
    out = io.StringIO()

    with contextlib.redirect_stdout(out):
        exec(block.text, {})

    assert re.match(r"0\.\d+ True\n", out.getvalue())
    assert Path("model/card.json").is_file()
