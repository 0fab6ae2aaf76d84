"""A pipeline that epkit itself publishes, and runs that `epkit pipeline trigger` starts: never two runs per request."""

import os
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from epkit.files.pipelines import PipelineStore
from support.cli_harness import Cli, complaint
from support.pipeline_server import until

pytest.importorskip("uvicorn", reason="needs the extra docs")


@pytest.fixture
def published(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The command line with a published `bank`; the training is reused."""
    cli.environ |= {"HOME": str(tmp_path_factory.mktemp("home")), "XDG_STATE_HOME": ""}
    cli.write("epkit.toml", cli.read("epkit.toml") + 'publishable = ["train.runs", "train.seed"]\n')
    ran = cli("pipeline", "publish", "bank")

    assert 0 == ran.code, ran.err
    yield cli
    cli("pipeline", "unpublish", "bank")


def test_one_key_is_one_run_and_two_at_once_are_two(published: Cli):
    first = published("pipeline", "trigger", "bank", "--idempotency-key", "k-1", "--why", "new rows", "--wait")
    again = published("pipeline", "trigger", "bank", "--idempotency-key", "k-1", "--why", "new rows")

    assert 0 == first.code, first.err
    assert again.out.strip() == first.out.splitlines()[-1].split()[0]
    with (
        published.start("pipeline", "trigger", "bank", "--wait") as one,
        published.start("pipeline", "trigger", "bank", "--wait") as other,
    ):
        assert [0, 0] == [published.finished(each).code for each in (one, other)]
    assert 3 == len(published("pipeline", "status", "bank").out.splitlines())
    assert "data " in published("pipeline", "logs", "bank", again.out.strip()).out
    refused = complaint(published("pipeline", "trigger", "bank", "--set", "gate=[]"), 2)
    assert "may be set: only train.runs" in refused


def test_a_missed_gate_is_5_and_a_wrong_key_shows_nothing(published: Cli):
    published.write("epkit.toml", published.read("epkit.toml").replace("AUC>=0.8", "AUC>=0.99999999"))

    missed = published("pipeline", "trigger", "bank", "--wait")

    assert 5 == missed.code, missed.out + missed.err
    assert "Failed: " in missed.out
    published.write("wrong.key", "wrong-key-of-nobody-1")
    wrong = published("pipeline", "trigger", "bank", "--key-file", "wrong.key")
    assert "401: the key or token is not accepted" in complaint(wrong, 4)


def test_a_run_that_is_killed_and_a_pipeline_that_is_gone_are_one_line_each(published: Cli):
    run = published("pipeline", "trigger", "bank", "--set", "train.runs=6", "--set", "train.seed=7").out.strip()
    lock = PipelineStore(Path(published.directory), "bank").lock()
    until(lambda: lock.holder()[1] is not None)
    os.kill(lock.holder()[1] or 0, signal.SIGKILL)

    ended = published("pipeline", "status", "bank", run, "--wait")

    assert 6 == ended.code, ended.out + ended.err
    assert "Failed: " in ended.out
    url = tomllib.loads(published.read("epkit.toml"))["published"]["bank"]["url"]
    published("pipeline", "unpublish", "bank")
    published.write("bank.key", "a-key-of-what-was-there-1")
    gone = complaint(published("pipeline", "trigger", url, "--key-file", "bank.key"), 4)
    assert "nothing was sent, so no run has begun" in gone
    assert "no published pipeline in epkit.toml" in complaint(published("pipeline", "trigger", "bank"), 2)
