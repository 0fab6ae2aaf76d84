"""`deploy update --model` at Azure: a second model with all settings of the serving one, then all the traffic."""

import pytest

from support.azure_cloud import arm
from support.azure_cloud.cloud import Cloud
from support.azure_cloud.state import WORKSPACE
from support.backend_hosts import Host, require
from support.cli_harness import Cli


@pytest.fixture
def v2(cloud: Cloud, cli: Cli) -> Host:
    require("azureml")
    return Host(kind="azureml", cli=cli, cloud=cloud)


@pytest.fixture
def v1(cloud: Cloud, cli: Cli) -> Host:
    require("azureml-v1")
    return Host(kind="azureml-v1", cli=cli, cloud=cloud)


def the(host: Host) -> Cloud:
    assert host.cloud is not None
    return host.cloud


def refused(host: Host, code: int, *more: object) -> str:
    ran = host.run("deploy", "update", "bank", *more)

    assert code == ran.code, ran.err
    assert "" == ran.out
    assert "Traceback" not in ran.err
    return ran.lines[-1].removeprefix("epkit: ")


def test_v2_moves_the_traffic_to_a_deployment_that_differs_in_its_model_alone(v2: Host):
    v2.seed("bank")
    v2.cli.write("epkit.toml", f"# mine\n{v2.cli.read('epkit.toml')}")
    configuration, blue = v2.cli.read("epkit.toml"), the(v2).state.deployments["bank", "blue"]
    made = v2.document("deploy", "update", "bank", "--model", "model")
    state = the(v2).state
    sent = the(v2).sent("PUT", "/deployments/green")[0].json

    assert [("green", 100)] == [(each["name"], each["traffic"]) for each in made["endpoint"]["deployments"]]
    assert 200 == made["scored"]["status"]
    assert {("bank", "green")} == state.deployments.keys()
    assert {"green": 100} == state.endpoints["bank"]["properties"]["traffic"]
    before = {name: value for name, value in blue["properties"].items() if name != "provisioningState"}
    assert sent["properties"].pop("model").startswith(f"{WORKSPACE}/models/bank/versions/")
    assert before.pop("model") == f"{WORKSPACE}/models/m/versions/3"
    assert before == sent["properties"]
    assert {name: blue[name] for name in ("sku", "tags", "location")} == {
        name: sent[name] for name in ("sku", "tags", "location")
    }
    changes = [
        (each.method, each.path.rpartition("/")[2])
        for each in the(v2).requests
        if "/onlineEndpoints/bank" in each.path and each.method in ("PUT", "DELETE")
    ]
    assert [("PUT", "green"), ("PUT", "bank"), ("DELETE", "blue")] == changes
    assert configuration == v2.cli.read("epkit.toml")
    assert "/score" in v2.cli.read("swagger/bank.json")


def test_v2_takes_another_script_and_environment_where_they_are_named(v2: Host):
    v2.seed("bank")
    v2.cli.write("elsewhere/entry.py", "def init(): pass\ndef run(data): return data\n")
    v2.cli.write("elsewhere/rows.csv", "a\n")
    v2.document(
        *("deploy", "update", "bank", "--model", "model", "--entry", "elsewhere/entry.py"),
        *("--environment", "model/conda.yml", "--deployment", "red"),
    )
    (sent,) = the(v2).sent("PUT", "/deployments/red")
    uploaded = " ".join(the(v2).state.blobs)

    assert "entry.py" == sent.json["properties"]["codeConfiguration"]["scoringScript"]
    assert f"{WORKSPACE}/codes/c/versions/1" != sent.json["properties"]["codeConfiguration"]["codeId"]
    assert f"{WORKSPACE}/environments/e/versions/1" != sent.json["properties"]["environmentId"]
    assert "entry.py" in uploaded
    assert "rows.csv" not in uploaded


def test_v2_takes_away_a_deployment_that_fails_and_the_old_one_serves_on(v2: Host):
    v2.seed("bank")
    the(v2).state.outcome = "Failed"
    the(v2).state.failure = {"code": "BadModel", "message": "It does not start."}
    said = refused(v2, 6, "--model", "model")

    assert said.startswith("bank/green: BadModel: It does not start.")
    assert {("bank", "blue")} == the(v2).state.deployments.keys()
    assert {"blue": 100} == the(v2).state.endpoints["bank"]["properties"]["traffic"]
    assert not (v2.cli.directory / "swagger").exists()


def test_v2_asks_for_a_name_where_both_are_taken_and_for_one_deployment_that_serves(v2: Host):
    arm.endpoint(the(v2).state, "bank", "blue", "green")
    model = ("--model", "model", "--backend", "azureml")

    assert (
        "bank: it has the deployments blue, green, and blue serves: "
        "--deployment NAME names another one, which is replaced if it is there"
    ) == refused(v2, 6, *model)
    the(v2).state.endpoints["bank"]["properties"]["traffic"] = {"blue": 50, "green": 50}
    assert "bank: its requests are divided among blue, green: epkit deploy update --traffic NAME=100 first" == (
        refused(v2, 6, *model)
    )


def test_v1_updates_the_service_with_the_model_and_its_script(v1: Host):
    assert 0 == v1.create("bank").code
    v1.document("deploy", "update", "bank", "--model", "model", "--entry", "score.py")
    (patch,) = the(v1).sent("PATCH", "/services/bank")
    request = {change["path"]: change["value"] for change in patch.json}["/environmentImageRequest"]

    assert ["bank:1"] == request["modelIds"]
    assert "azureml-defaults" in str(request["environment"]["python"]["condaDependencies"])
    assert [] != request["assets"]


def test_v1_asks_for_the_script_which_its_sdk_sends_each_time(v1: Host):
    v1.seed("bank")

    assert "--entry FILE: which script? SDK v1 sends it again with every model" == refused(v1, 2, "--model", "model")
