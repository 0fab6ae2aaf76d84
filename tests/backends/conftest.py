"""Common parts of the backends' tests: a separate directory, an emulated cloud, and an end to all processes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from epkit.backends.local.state import Homes
from support import scoring_server
from support.azure_cloud.cloud import Certificates, Cloud, environment
from support.backend_hosts import CONDA, KINDS, Host, require, workspace_config
from support.cli_harness import Cli

MODELS = Path(__file__).parent / "models"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line in a separate project, with a separate home."""
    (tmp_path / "project").mkdir()
    (tmp_path / "home").mkdir()
    cli = Cli(directory=tmp_path / "project", patience_s=90)  # importing an SDK is slow on a busy machine
    cli.environ |= {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": ""}
    return cli


@pytest.fixture
def model(cli: Cli) -> str:
    """A model with its script, by its name in the project."""
    shutil.copytree(MODELS, cli.directory / "model")
    return "model"


@pytest.fixture
def local(cli: Cli, model: str) -> Iterator[Cli]:
    """The command line in a place where endpoints can be made on this machine; all of them end with the test."""
    scoring_server.require()
    yield cli
    for home in Homes(cli.environ):
        cli("deploy", "delete", home.path.name, "--backend", "local")


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Cloud(Certificates(tmp_path_factory.mktemp("ca"))) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: Cloud, cli: Cli, model: str) -> Iterator[Cloud]:
    """The emulated cloud, in which operations end at once; a test fails if it uses a host that is not emulated."""
    cli.environ |= environment(_cloud, Path(cli.environ["HOME"]))
    cli.write("config.json", workspace_config())
    cli.write("model/conda.yml", CONDA)
    _cloud.reset()
    _cloud.state.polls = 0
    yield _cloud

    assert [] == _cloud.unknown


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest) -> Host:
    """A host for each of the backends."""
    require(request.param)
    cloud = None if request.param == "local" else request.getfixturevalue("cloud")
    cli = request.getfixturevalue("local" if cloud is None else "cli")
    return Host(kind=request.param, cli=cli, cloud=cloud)
