"""A pipeline that was run once, and is copied for each test, because a training takes seconds."""

import shutil

import pytest

from support.cli_harness import Cli
from support.trained import bank_like

TRAIN = "train = { runs = 2, workers = 1 }"
PIPELINE = f'[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\n{TRAIN}\ngate = ["AUC>=0.8", "AUC>=base-0.002"]\n'


@pytest.fixture(scope="session")
def ran_once(tmp_path_factory):
    """A directory in which `epkit pipeline run bank` was run once, and the output of that run."""
    pytest.importorskip("lightgbm", reason="needs the extra train")
    directory = tmp_path_factory.mktemp("pipeline")
    bank_like(1500).write_csv(directory / "bank.csv")
    (directory / "epkit.toml").write_text(PIPELINE)
    ran = Cli(directory=directory, environ={"LOGNAME": "ada"}, patience_s=150)("pipeline", "run", "bank")

    assert 0 == ran.code, ran.err
    return directory, ran


@pytest.fixture
def cli(tmp_path, ran_once):
    """The command line in a copy of that directory."""
    shutil.copytree(ran_once[0], tmp_path, dirs_exist_ok=True)
    return Cli(directory=tmp_path, environ={"LOGNAME": "ada"}, patience_s=150)


@pytest.fixture
def fresh(tmp_path):
    """The command line in a directory with a table and a pipeline that has never run."""
    pytest.importorskip("lightgbm", reason="needs the extra train")
    bank_like(400).write_csv(tmp_path / "bank.csv")
    (tmp_path / "epkit.toml").write_text(PIPELINE)
    return Cli(directory=tmp_path, environ={"LOGNAME": "ada"}, patience_s=150)
