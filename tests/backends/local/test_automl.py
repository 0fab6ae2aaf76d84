"""A directory that AutoML wrote, deployed on this machine: only the directory is named."""

import json
import pickle
import shutil
from pathlib import Path

import pytest

from support.cli_harness import Cli

WRITTEN = Path(__file__).parents[1] / "automl_model"


@pytest.fixture
def outputs(local: Cli) -> Path:
    folder = local.directory / "outputs"
    shutil.copytree(WRITTEN, folder)
    (folder / "model.pkl").write_bytes(pickle.dumps({"limit": 40, "old": "yes", "young": "no"}))
    return folder


def test_what_automl_wrote_is_deployed_with_its_newest_script(local: Cli, outputs: Path):
    ran = local("deploy", "create", "bank", "--model", "outputs", "--format", "json")

    assert 0 == ran.code, ran.err
    assert ["no"] == json.loads(ran.out)["scored"]["reply"]["Results"]
    assert "epkit: --model outputs: a pickle, made by AutoML: serving it runs the code in it" in ran.lines
    needs = next(line for line in ran.lines if "it needs" in line)
    assert "azureml-train-automl-runtime==1.59.0" in needs
    assert "azureml-defaults" not in needs
    assert any("pip install azureml-train-automl-runtime==1.59.0 " in line for line in ran.lines)

    (outputs / "model.pkl").write_bytes(pickle.dumps({"limit": 10, "old": "yes", "young": "no"}))
    updated = local("deploy", "update", "bank", "--model", "outputs", "--format", "json")
    assert 0 == updated.code, updated.err
    assert ["yes"] == json.loads(updated.out)["scored"]["reply"]["Results"]
