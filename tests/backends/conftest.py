"""What the tests of the backends share: a directory of one's own, and nothing left running."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import scoring_server
from cli_harness import Cli
from epkit.backends.local_state import Homes

MODELS = Path(__file__).parent / "models"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line in a project of its own, with a home of its own."""
    (tmp_path / "project").mkdir()
    (tmp_path / "home").mkdir()
    cli = Cli(directory=tmp_path / "project")
    cli.environ |= {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": ""}
    return cli


@pytest.fixture
def model(cli: Cli) -> str:
    """A model with its script, by its name in the project."""
    shutil.copytree(MODELS, cli.directory / "model")
    return "model"


@pytest.fixture
def local(cli: Cli, model: str) -> Iterator[Cli]:
    """The command line where endpoints may be made on this machine; all are ended with the test."""
    scoring_server.require()
    yield cli
    for home in Homes(cli.environ):
        cli("deploy", "delete", home.path.name, "--backend", "local")
