"""A pipeline whose endpoint is on this machine, with the genuine server; all its processes end with the module."""

from collections.abc import Iterator

import pytest

from epkit.backends.local.state import Homes
from epkit.process import child_environment
from support import scoring_server
from support.cli_harness import Cli
from support.hand_pipeline import HandPipeline, make_project, write_config

PATIENCE_S = 120


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandPipeline]:
    """The pipeline `bank`; its run 1 deployed the model `one` to the endpoint `bank`."""
    scoring_server.require()
    directory = tmp_path_factory.mktemp("pipeline")
    project, home = directory / "project", directory / "home"
    project.mkdir()
    home.mkdir()
    make_project(project)
    write_config(project, 'deploy = { endpoint = "bank" }', 'bench = { requests = 20, slo = ["p99<60s"] }')
    environ = {**child_environment(), "HOME": str(home), "XDG_STATE_HOME": ""}
    pipeline = HandPipeline(directory=project, environ=environ)
    yield pipeline
    cli = Cli(directory=project, environ={"HOME": str(home), "XDG_STATE_HOME": ""}, patience_s=PATIENCE_S)
    for each in Homes(environ):
        cli("deploy", "delete", each.path.name, "--backend", "local")
