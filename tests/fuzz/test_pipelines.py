"""The files of a pipeline, damaged or made up: read, or refused in one line; a run continues or reports why not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from epkit.core.pipeline.document import step_to_plain, to_document
from epkit.files import model_directory
from support.cli_harness import Cli
from support.fuzzing import changed, damaged, fuzz, text_of
from support.hand_pipeline import MODELS, make_project
from support.pipeline_runs import pipeline_run

STORE = ".epkit/pipelines/bank"
CONFIG = '[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\ngate = ["AUC>=0.8"]\n'
KEYS = {"data": "a" * 32, "train": "c" * 32, "gate": "e" * 32}
RUN = pipeline_run(1)
JOURNAL: list[dict[str, Any]] = [
    {"run": 2, **{k: v for k, v in to_document(RUN).items() if k in ("pipeline", "version", "user", "by", "why")},
     "started_at": RUN.started_at, "parameters": {"data": "bank.csv"}, "asked": {}, "champion": 1},
    {"begun": "data", "key": KEYS["data"]},
    {"ended": step_to_plain(RUN.steps[0])},
    {"begun": "train", "key": KEYS["train"]},
    {"ended": step_to_plain(RUN.steps[1])},
    {"begun": "gate", "key": KEYS["gate"]},
]  # fmt: skip
COMMANDS = [
    ("list", "bank"),
    ("show", "bank", "1"),
    ("run", "bank", "--from", "gate"),
    ("show", "bank", "2", "--format", "markdown", "--junit", "run.xml"),
    ("compare", "bank", "1", "2"),
    ("list", "bank", "--format", "json", "--html", "history.html"),
    ("run", "bank", "--dry-run"),
    ("show", "bank", "1", "--html", "run.html"),
    ("compare", "bank", "1", "2", "--format", "json"),
    ("cancel", "bank"),
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """A project, and the files of its pipeline: by path, as JSON; a journal as a list of lines."""
    make_project(tmp_path)
    (tmp_path / "epkit.toml").write_text(CONFIG)
    model = tmp_path / STORE / "cache" / KEYS["train"] / "model"
    model.parent.mkdir(parents=True)
    shutil.copytree(tmp_path / MODELS / "one", model)
    crowned = {
        "run": 1, "keys": KEYS, "model": f"cache/{KEYS['train']}/model", "sha256": model_directory.digest(model),
        "endpoint": None, "table": "0" * 64,
    }  # fmt: skip
    return {
        "champion.json": crowned,
        "runs/1/report.json": to_document(RUN),
        "runs/1/run.jsonl": [*JOURNAL, {"over": 0}],
        "runs/2/run.jsonl": JOURNAL,
        f"cache/{KEYS['train']}/step.json": step_to_plain(RUN.steps[1]),
    }


def written(value: Any) -> bytes:
    lines = value if isinstance(value, list) else [value]
    return b"".join(text_of(line) + b"\n" for line in lines)


@st.composite
def stores(draw: st.DrawFn, files: dict[str, Any]) -> dict[str, bytes]:
    made = {name: written(value) for name, value in files.items()}
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(made)))
        match draw(st.integers(0, 5)):
            case 0:
                made[name] = draw(damaged(made[name]))
            case 1:
                made[name] = draw(st.sampled_from((b"", b"null\n", b" " * 2_000_000, b"\xff\xfe\n", b"[" * 100_000)))
            case _:
                made[name] = written(draw(changed(files[name])))
    return made


def put(directory: Path, made: dict[str, bytes]) -> None:
    for run in (directory / STORE / "runs").glob("*"):
        shutil.rmtree(run)
    for name, data in made.items():
        path = directory / STORE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_what_a_pipeline_keeps_is_read_or_refused_in_one_line(tmp_path: Path, files: dict[str, Any]):
    cli = Cli(directory=tmp_path, environ={"HOME": str(tmp_path)})

    def check(example: tuple[tuple[str, ...], dict[str, bytes]]) -> None:
        command, made = example
        put(tmp_path, made)
        ran = cli("pipeline", *command)

        assert ran.code in (0, 2, 5), (command, ran.err)
        assert "Traceback" not in ran.err, ran.err
        assert all(line.startswith("epkit: ") for line in ran.lines), ran.err
        assert "\x1b" not in ran.out + ran.err

    fuzz("pipelines", st.tuples(st.sampled_from(COMMANDS), stores(files)), check)


def test_what_is_whole_is_read(tmp_path: Path, files: dict[str, Any]):
    """Otherwise the fuzzer might test only refusals."""
    cli = Cli(directory=tmp_path, environ={"HOME": str(tmp_path)})
    put(tmp_path, {name: written(value) for name, value in files.items()})
    listed = json.loads(cli("pipeline", "list", "bank", "--format", "json").out)
    ran = cli("pipeline", "run", "bank", "--from", "gate")

    assert [("ok", 1), ("unfinished", 2)] == [(run["state"], run["run"]) for run in listed[0]["runs"]]
    assert "needs data, which was not done with this table and configuration" in ran.err
