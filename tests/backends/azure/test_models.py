"""Models of several kinds at Azure: MLflow's without a script, registered ones, the best child of a job."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import scoring_server
from support.azure_cloud import arm, model_files
from support.azure_cloud.cloud import Cloud
from support.azure_cloud.state import WORKSPACE
from support.backend_hosts import CONDA, Host, require
from support.cli_harness import Cli

LOGGED = Path(__file__).parents[1] / "mlflow_model"
"""A classifier of scikit-learn, as MLflow 3.17.2 logged it."""

SCRIPT = b"def init():\n    pass\n\n\ndef run(data):\n    return data\n"
AUTOML = {
    "outputs/model.pkl": b"a pickle",
    "outputs/scoring_file_v_1_0_0.py": SCRIPT,
    "outputs/scoring_file_v_2_0_0.py": SCRIPT,
    "outputs/scoring_file_pbi_v_1_0_0.py": SCRIPT,
    "outputs/conda_env_v_1_0_0.yml": CONDA.encode(),
    "outputs/mlflow-model/MLmodel": (LOGGED / "MLmodel").read_bytes(),
    "outputs2/model.pkl": b"of a neighbour",
}


@pytest.fixture
def v2(cloud: Cloud, cli: Cli) -> Host:
    require("azureml")
    return Host(kind="azureml", cli=cli, cloud=cloud)


@pytest.fixture
def v1(cloud: Cloud, cli: Cli) -> Host:
    require("azureml-v1")
    return Host(kind="azureml-v1", cli=cli, cloud=cloud)


@pytest.fixture
def logged(cli: Cli) -> str:
    shutil.copytree(LOGGED, cli.directory / "logged")
    return "logged"


def deploy(host: Host, *arguments: object) -> str:
    """Create `bank`; return the output."""
    ran = host.run("deploy", "create", "bank", "--backend", host.kind, *arguments)

    assert 0 == ran.code, ran.err
    return ran.err


def complaint(host: Host, code: int, *arguments: object) -> str:
    ran = host.run("deploy", "create", "bank", "--backend", host.kind, *arguments)

    assert code == ran.code, ran.err
    assert "Traceback" not in ran.err
    return ran.lines[-1].removeprefix("epkit: ")


def sent(host: Host, path: str) -> dict:
    """Return the properties of the last resource that was put at a path."""
    assert host.cloud is not None
    return host.cloud.sent("PUT", path)[-1].json["properties"]


def uploaded(host: Host) -> list[str]:
    assert host.cloud is not None
    return sorted("/".join(name.split("/")[3:]) for name in host.cloud.state.blobs if "LocalUpload" in name)


def test_a_model_of_mlflows_is_deployed_without_script_and_environment(v2: Host, logged: str):
    said = deploy(v2, "--model", logged)

    assert "--model logged: opened by mlflow.sklearn; serving it runs the code in its files, as a pickle does" in said
    assert "mlflow_model" == sent(v2, "/models/bank/versions/[^/]+")["modelType"]
    deployment = sent(v2, "/deployments/blue")
    assert deployment["model"].endswith("/models/bank/versions/1")
    assert not {"codeConfiguration", "environmentId"} & {name for name, value in deployment.items() if value}
    assert {"MLmodel", "model.pkl"} <= {name.rpartition("/")[2] for name in uploaded(v2)}


def test_what_would_be_sent_of_a_model_of_mlflows_has_no_script(v2: Host, logged: str):
    plan = v2.document("deploy", "create", "bank", "--model", logged, "--backend", "azureml", "--dry-run")

    assert [
        "create the endpoint, unless it is there", "register the model", "create the deployment",
        "send it the traffic, if it is the first",
    ] == [step["step"] for step in plan["steps"]]  # fmt: skip
    assert "mlflow_model" == plan["steps"][1]["type"]
    assert "scoringScript" not in plan["steps"][2]


def test_an_environment_for_a_model_of_mlflows_is_refused(v2: Host, logged: str):
    assert complaint(v2, 2, "--model", logged, "--environment", "model/conda.yml").startswith(
        "--environment: with --entry FILE; an MLflow model names its own packages"
    )


def test_a_script_of_ones_own_serves_a_model_of_mlflows_as_any_other(v2: Host, logged: str):
    deploy(v2, "--model", logged, "--entry", "model/score.py", "--environment", "model/conda.yml")

    assert "custom_model" == sent(v2, "/models/bank/versions/[^/]+")["modelType"]
    assert "score.py" == sent(v2, "/deployments/blue")["codeConfiguration"]["scoringScript"]


def test_a_model_of_mlflows_takes_over_from_one_with_a_script(v2: Host, logged: str):
    v2.seed("bank")
    ran = v2.run("deploy", "update", "bank", "--model", logged)

    assert 0 == ran.code, ran.err
    deployment = sent(v2, "/deployments/green")
    assert not {"codeConfiguration", "environmentId"} & {name for name, value in deployment.items() if value}
    assert {"A": "b"} == deployment["environmentVariables"]


def test_a_model_with_a_script_does_not_take_over_from_mlflows_without_one(v2: Host):
    v2.seed("bank")
    assert v2.cloud is not None
    properties = v2.cloud.state.deployments["bank", "blue"]["properties"]
    del properties["codeConfiguration"], properties["environmentId"]
    ran = v2.run("deploy", "update", "bank", "--model", "model")

    assert 2 == ran.code
    assert ran.lines[-1].endswith("and has no script and no environment to keep: --entry FILE --environment FILE")
    assert [] == v2.cloud.sent("PUT", "/deployments/green")


def test_sdk_v1_says_why_it_deploys_no_model_of_mlflows(v1: Host, logged: str):
    assert (
        "--model logged: the SDK v1 deploys MLflow models only with a script: --entry FILE, or --backend azureml"
        == (complaint(v1, 2, "--model", logged))
    )


REGISTERED = f"{WORKSPACE}/models/scorer/versions/"


@pytest.mark.parametrize(("reference", "version"), [("azureml:scorer:3", "3"), ("azureml:scorer@latest", "4")])
def test_a_registered_model_is_deployed_as_it_is_there(v2: Host, reference: str, version: str):
    assert v2.cloud is not None
    for each in ("3", "4"):
        model_files.put_model(v2.cloud.state, "scorer", each, "custom_model", "m/scorer")
    deploy(v2, "--model", reference, "--entry", "model/score.py", "--environment", "model/conda.yml")

    assert REGISTERED + version == sent(v2, "/deployments/blue")["model"]
    assert [] == v2.cloud.sent("PUT", "/models/[^/]+/versions/[^/]+")


def test_a_registered_model_of_mlflows_needs_no_script(v2: Host):
    assert v2.cloud is not None
    model_files.put_model(v2.cloud.state, "scorer", "3", "mlflow_model", "m/scorer")
    deploy(v2, "--model", "azureml:scorer:3")

    deployment = sent(v2, "/deployments/blue")
    assert REGISTERED + "3" == deployment["model"]
    assert not {"codeConfiguration", "environmentId"} & {name for name, value in deployment.items() if value}


def test_a_registered_model_that_is_not_mlflows_needs_a_script(v2: Host):
    assert v2.cloud is not None
    model_files.put_model(v2.cloud.state, "scorer", "3", "custom_model", "m/scorer")

    assert "--entry FILE: which script opens azureml:scorer:3? Only an MLflow model needs none" == (
        complaint(v2, 2, "--model", "azureml:scorer@latest")
    )


def test_a_registered_model_that_is_not_there_is_told(v2: Host):
    assert "azureml:scorer:9: ResourceNotFound: models/scorer:9 was not found." in complaint(
        v2, 6, "--model", "azureml:scorer:9"
    )


@pytest.mark.parametrize(("reference", "version"), [("azureml:scorer:3", 3), ("azureml:scorer@latest", 4)])
def test_sdk_v1_deploys_a_registered_model_too(v1: Host, reference: str, version: int):
    assert v1.cloud is not None
    for each in (3, 4):
        v1.cloud.state.assets[f"scorer:{each}"] = {
            "id": f"scorer:{each}", "name": "scorer", "version": each, "framework": "Custom",
            "createdTime": "2026-01-01T00:00:00+00:00", "url": "aml://asset/a", "mimeType": "x", "kvTags": {},
        }  # fmt: skip
    deploy(v1, "--model", reference, "--entry", "model/score.py", "--environment", "model/conda.yml")

    (made,) = v1.cloud.sent("POST", "/services")
    assert [f"scorer:{version}"] == made.json["environmentImageRequest"]["modelIds"]
    assert [] == v1.cloud.sent("POST", "/models")


@pytest.mark.parametrize("arguments", [("--job", "brave_key"), ("--model", "azureml:jobs/brave_key/outputs")])
def test_the_best_child_of_a_job_is_deployed_with_its_own_script_and_environment(v2: Host, arguments: tuple[str, str]):
    assert v2.cloud is not None
    model_files.put_job(v2.cloud.state, "brave_key", best="brave_key_7")
    model_files.put_files(v2.cloud.state, "brave_key_7", AUTOML)
    said = deploy(v2, *arguments)

    assert "the best child of brave_key is brave_key_7" in said
    assert "a pickle, made by AutoML: serving it runs the code in it" in said
    assert "scoring_file_v_2_0_0.py" == sent(v2, "/deployments/blue")["codeConfiguration"]["scoringScript"]
    assert "azureml-defaults" in sent(v2, "/environments/bank/versions/[^/]+")["condaFile"]
    contents = [content for name, content in v2.cloud.state.blobs.items() if "LocalUpload" in name]
    assert b"a pickle" in contents
    assert b"of a neighbour" not in contents


def test_a_directory_below_the_outputs_of_a_run_is_taken_alone(v2: Host):
    assert v2.cloud is not None
    model_files.put_files(v2.cloud.state, "brave_key_7", AUTOML)
    deploy(v2, "--model", "azureml:jobs/brave_key_7/outputs/mlflow-model")

    assert "mlflow_model" == sent(v2, "/models/bank/versions/[^/]+")["modelType"]
    assert ["MLmodel"] == [name.rpartition("/")[2] for name in uploaded(v2)]


def test_a_job_that_runs_still_or_is_not_there_is_told(v2: Host):
    assert v2.cloud is not None
    model_files.put_job(v2.cloud.state, "brave_key", status="Running")

    assert "its status is Running, and it has no best model: wait until it is done" in complaint(
        v2, 6, "--job", "brave_key"
    )
    assert "azureml:jobs/other/outputs: there is no such model" in complaint(v2, 6, "--job", "other")
    assert [] == v2.cloud.sent("PUT", ".*")


def test_a_name_among_the_files_that_leads_elsewhere_is_refused(v2: Host):
    assert v2.cloud is not None
    model_files.put_files(v2.cloud.state, "run", {"outputs/../../../evil": b"x"})

    assert 'is not accepted as the name of a file: it has a part that is empty, "." or ".."' in complaint(
        v2, 2, "--job", "run"
    )


@pytest.mark.parametrize("text", ["azureml:", "azureml:a b:1", "azureml:jobs/x", "azureml:jobs/x/../y"])
def test_a_reference_that_is_none_is_refused_before_anything_is_sent(v2: Host, text: str):
    assert v2.cloud is not None
    assert complaint(v2, 2, "--model", text).startswith(f"--model {text}: azureml:NAME:VERSION, ")
    assert [] == v2.cloud.requests


@pytest.fixture
def here(v2: Host, cli: Cli) -> Iterator[Host]:
    """This machine, with a workspace in reach; endpoints end with the test."""
    scoring_server.require()
    yield v2
    cli.spawn("deploy", "delete", "bank", "--backend", "local")


def test_a_registered_model_is_fetched_for_an_endpoint_on_this_machine(here: Host):
    assert here.cloud is not None
    model_files.put_model(here.cloud.state, "scorer", "3", "custom_model", "m/scorer")
    for file in (Path(__file__).parents[1] / "models").iterdir():
        if file.is_file():
            here.cloud.state.blobs[f"{arm.CONTAINER}/m/scorer/{file.name}"] = file.read_bytes()
    ran = here.cli.spawn(
        "deploy", "create", "bank", "--model", "azureml:scorer@latest", "--entry", "model/score.py", "--format", "json"
    )

    assert 0 == ran.code, ran.err
    made = json.loads(ran.out)
    assert {"result": [34]} == made["scored"]["reply"]
    assert "azureml:scorer@latest" == made["endpoint"]["deployments"][0]["model"]
    assert "canary-" not in ran.out + ran.err
