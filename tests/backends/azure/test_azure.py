"""The Azure backends: their requests, and their errors. Both genuine SDKs run against the emulated cloud."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from support.azure_cloud import arm, mms
from support.azure_cloud.cloud import Cloud
from support.azure_cloud.http import Reply, refusal
from support.azure_cloud.state import NAME, WORKSPACE
from support.backend_hosts import SDKS, Host, require
from support.cli_harness import Cli


@pytest.fixture(params=SDKS)
def azure(request: pytest.FixtureRequest, cloud: Cloud, cli: Cli) -> Host:
    """A host for each of the SDKs."""
    require(request.param)
    return Host(kind=request.param, cli=cli, cloud=cloud)


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


def refused(host: Host, status: int, code: str, message: str) -> Reply:
    """Return an error in the format of the backend's service."""
    if host.kind == "azureml":
        return refusal(status, code, message)
    headers = {"x-ms-request-id": "r", "Set-Cookie": "canary-cookie"}
    return Reply(status=status, body={"code": code, "statusCode": status, "message": message}, headers=headers)


def service(host: Host) -> str:
    """Return a regular expression for the path of the endpoint `bank` at its backend."""
    return "onlineEndpoints/bank" if host.kind == "azureml" else "services/bank"


def found(host: Host, code: int, *arguments: object) -> str:
    """Run a command that fails; return its last line, which must be the only one and must not contain headers."""
    ran = host.run(*arguments)

    assert code == ran.code, ran.err
    assert "" == ran.out
    assert "Traceback" not in ran.err
    assert not re.search(r"Headers|x-ms-|b'|\{", ran.lines[-1]), ran.lines[-1]
    return ran.lines[-1].removeprefix("epkit: ")


ANSWERS = {
    401: ("InvalidAuthenticationToken", "The token is not yours.", "az login again"),
    403: ("AuthorizationFailed", "You may not read this.", "ask for the role"),
    409: ("Conflict", "Something else is going on.", "wait until that is over"),
    429: ("TooManyRequests", "Slow down.", "wait a minute"),
    500: ("InternalServerError", "We broke.", ""),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_a_refusal_is_one_line_of_code_message_and_advice_and_takes_seconds(azure: Host, status: int):
    azure.seed("bank")
    code, message, advice = ANSWERS[status]
    the(azure).fail("GET", service(azure) + "(/logs|/deployments)?$", refused(azure, status, code, message))
    began = time.monotonic()
    said = found(azure, 6, "logs", "show", "bank")

    # azureml-core replaces the service's message for 403 with its own.
    if not (azure.kind == "azureml-v1" and status == 403):
        assert f"bank: {code}: {message}" in said
        assert advice in said
    assert said.startswith("bank: ")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_that_passes_is_waited_for(azure: Host, status: int):
    azure.seed("bank")
    the(azure).fail("GET", service(azure) + "$", refused(azure, status, "Busy", "Not now."), times=1)

    assert 0 == azure.run("deploy", "show", "bank").code


def test_a_connection_that_is_dropped_once_is_made_again(azure: Host):
    azure.seed("bank")
    the(azure).fail("GET", service(azure) + "$", Reply(drop=True), times=1)

    assert 0 == azure.run("deploy", "show", "bank").code


def test_a_connection_that_is_always_dropped_is_told(azure: Host):
    azure.seed("bank")
    the(azure).fail("GET", service(azure) + "$", Reply(drop=True))

    assert found(azure, 6, "deploy", "show", "bank").startswith("bank: Azure cannot be reached: ")


def test_a_workspace_that_is_not_there_is_told(azure: Host):
    azure.cli.write("config.json", azure.cli.read("config.json").replace(NAME, "nowhere"))
    said = found(
        azure, 6, "deploy", "create", "bank", "--model", "model", "--entry", "score.py", "--backend", azure.kind
    )

    assert "nowhere" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no config.json here or above: download it"),
        ("{", "config.json: not JSON: "),
        ("[]", "config.json: not a workspace's: it lacks subscription_id, resource_group, workspace_name"),
        ('{"subscription_id": "s", "resource_group": 1}', "it lacks resource_group, workspace_name"),
    ],
)
def test_a_config_json_that_is_none_is_told(azure: Host, content: str | None, said: str):
    if content is None:
        (azure.cli.directory / "config.json").unlink()
    else:
        azure.cli.write("config.json", content)

    assert said in found(azure, 2, "deploy", "list", "--backend", azure.kind)
    assert [] == the(azure).requests


def test_another_workspace_than_the_one_of_epkit_toml_is_refused(azure: Host):
    azure.seed("bank")
    azure.cli.write("config.json", azure.cli.read("config.json").replace(NAME, "other"))

    assert f"it is of the workspace other, but epkit.toml says {NAME}" in found(azure, 2, "deploy", "show", "bank")


@pytest.mark.parametrize("place", [".azureml", "aml_config"])
def test_config_json_is_found_where_the_sdks_look(azure: Host, place: str):
    (azure.cli.directory / place).mkdir()
    (azure.cli.directory / "config.json").rename(azure.cli.directory / place / "config.json")

    assert 0 == azure.run("deploy", "list", "--backend", azure.kind).code


def test_without_a_login_the_message_says_how_to_log_in(azure: Host):
    azure.cli.environ["AZURE_CLIENT_SECRET"] = "canary-wrong"

    assert "AADSTS7000215: Invalid client secret provided.; no login at Azure: az login" in found(
        azure, 2, "deploy", "list", "--backend", azure.kind
    )


def test_without_any_login_no_browser_is_opened(azure: Host):
    for name in [name for name in azure.cli.environ if name.startswith("AZURE_") and name != "AZURE_CONFIG_DIR"]:
        del azure.cli.environ[name]

    assert found(azure, 2, "deploy", "list", "--backend", azure.kind).startswith("no login at Azure: az login, or set ")


@pytest.mark.parametrize("outcome", ["Failed", "Cancelled"])
def test_a_creation_that_does_not_succeed_shows_the_end_of_the_services_log(azure: Host, outcome: str):
    cloud = the(azure)
    cloud.state.outcome = "Canceled" if azure.kind == "azureml" and outcome == "Cancelled" else outcome
    cloud.state.failure = {"code": "ImageBuildFailure", "message": "no such package as nmpy"}
    cloud.state.logs = [*(f"line {number}" for number in range(100)), "ModuleNotFoundError: nmpy"]
    if azure.kind == "azureml":
        arm.endpoint(cloud.state, "bank")
    ran = azure.create("bank")

    assert 6 == ran.code
    assert "ImageBuildFailure: no such package as nmpy" in ran.lines[-1]
    assert "epkit: log: ModuleNotFoundError: nmpy" in ran.lines
    assert "epkit: log: line 0" not in ran.lines
    assert not (azure.cli.directory / "epkit.toml").exists()


def test_an_update_that_fails_is_told(azure: Host):
    azure.seed("bank")
    the(azure).state.outcome = "Failed"
    the(azure).state.failure = {"code": "ServiceBusy", "message": "try later"}

    assert "bank: ServiceBusy: try later" in found(azure, 6, "logs", "enable", "bank")


def test_slow_operations_are_waited_for(azure: Host):
    azure.seed("bank")
    the(azure).state.polls = 2 if azure.kind == "azureml" else 1

    assert True is azure.document("logs", "enable", "bank")["endpoint"]["app_insights"]


def test_a_row_that_is_refused_is_told_after_the_endpoint_is_written_down(azure: Host):
    the(azure).fail("POST", "^/score$", Reply(status=502, body=b"the model raised"), times=9)
    ran = azure.create("bank")

    assert 4 == ran.code
    assert "bank: it is deployed, but a row is not scored: status 502: the model raised" in ran.lines[-1]
    assert "[endpoints.bank]" in azure.cli.read("epkit.toml")


def test_a_git_remote_with_credentials_stays_at_home(azure: Host):
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")
    azure.seed("bank")
    remote = "https://me:canary-git-password@git.example/risk.git"
    for command in (["init", "-q"], ["remote", "add", "origin", remote]):
        subprocess.run([git, *command], cwd=azure.cli.directory, check=True)
    assert 0 == azure.create("another").code
    assert 0 == azure.run("logs", "enable", "bank").code

    bodies = b"".join(request.body for request in the(azure).requests)
    assert b"git.example" not in bodies
    assert b"canary-git-password" not in bodies


def test_home_need_not_be_set(azure: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    azure.seed("bank")
    azure.cli.environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    del azure.cli.environ["HOME"]
    monkeypatch.delenv("HOME")

    ran = azure.run("deploy", "show", "bank")

    assert 0 == ran.code, ran.err


def test_a_model_may_lie_outside_of_the_working_directory(azure: Host, tmp_path: Path):
    shutil.move(azure.cli.directory / "model", tmp_path / "elsewhere")
    arguments = ["--model", tmp_path / "elsewhere", "--entry", "score.py", "--backend", azure.kind]
    ran = azure.run("deploy", "create", "bank", *arguments)

    assert 0 == ran.code, ran.err
    assert any(blob.endswith("elsewhere/weights.json") for blob in the(azure).state.blobs)


def test_the_environment_is_the_conda_file_and_nothing_else(azure: Host):
    azure.cli.write("mine.yml", "name: mine\nchannels: [conda-forge]\ndependencies: [python=3.12]\n")
    assert 0 == azure.create("bank", "--environment", "mine.yml").code

    if azure.kind == "azureml":
        (sent,) = the(azure).sent("PUT", "/environments/bank/versions/1")
        assert {"name": "mine", "channels": ["conda-forge"], "dependencies": ["python=3.12"]} == _yaml(
            sent.json["properties"]["condaFile"]
        )
    else:
        (sent,) = the(azure).sent("POST", "/services")
        conda = sent.json["environmentImageRequest"]["environment"]["python"]["condaDependencies"]
        assert {"name": "mine", "channels": ["conda-forge"], "dependencies": ["python=3.12"]} == conda


def _yaml(text: str) -> object:
    import yaml

    return yaml.safe_load(text)


def test_a_conda_file_that_brings_no_server_is_noted(azure: Host):
    azure.cli.write("model/conda.yml", "dependencies: [python=3.12]\n")
    ran = azure.create("bank")

    assert 0 == ran.code, ran.err
    assert "conda.yml: it names no azureml-" in ran.err
    assert "without the server nothing answers in the container" in ran.err


def test_without_a_conda_file_it_is_asked_for(azure: Host):
    (azure.cli.directory / "model" / "conda.yml").unlink()
    ran = azure.create("bank")

    assert 2 == ran.code
    assert "--environment FILE: which packages does the script need?" in ran.lines[-1]
    assert [] == the(azure).sent("PUT", ".*") + the(azure).sent("POST", "/services")


def test_requests_are_not_read_from_application_insights(azure: Host):
    azure.seed("bank")

    assert "which the SDK does not read: az monitor app-insights query" in found(
        azure, 2, "logs", "show", "bank", "--requests"
    )


# -- requests of SDK v2


def body_of(host: Host, path: str) -> dict:
    (sent,) = the(host).sent("PUT", path)
    return sent.json


@pytest.mark.parametrize("on", [True, False])
def test_v2_sends_back_every_setting_of_a_deployment_but_the_one_that_changes(v2: Host, on: bool):
    v2.seed("bank")
    before = the(v2).state.deployments["bank", "blue"]
    before["properties"]["appInsightsEnabled"] = not on
    before["properties"]["requestSettings"]["requestTimeout"] = "PT1.5S"
    v2.document("logs", "enable" if on else "disable", "bank")
    body = body_of(v2, "/onlineEndpoints/bank/deployments/blue")

    expected = {key: value for key, value in before["properties"].items() if key != "provisioningState"}
    assert {**expected, "appInsightsEnabled": on} == body["properties"]
    assert "PT0.5S" == body["properties"]["requestSettings"]["maxQueueWait"]
    assert {key: before[key] for key in ("sku", "tags", "location")} == {
        key: body[key] for key in ("sku", "tags", "location")
    }


def test_v2_says_so_where_the_service_changes_more_than_it_was_asked_to(v2: Host):
    v2.seed("bank")
    kept = the(v2).state.deployments
    real = dict(kept["bank", "blue"])

    real_answer = the(v2).answer

    def answer(request):
        reply = real_answer(request)
        if request.method == "PUT":
            kept["bank", "blue"]["properties"]["instanceType"] = "Standard_F2s_v2"
        return reply

    the(v2).answer = answer  # type: ignore[method-assign]
    try:
        said = found(v2, 6, "logs", "enable", "bank")
    finally:
        del the(v2).answer

    assert "bank: the service changed more than it was asked to: properties.instanceType" == said
    assert "Standard_DS3_v2" == real["properties"]["instanceType"]


def test_v2_divides_the_traffic_and_sends_back_every_other_setting(v2: Host):
    arm.endpoint(the(v2).state, "bank", "blue", "green")
    before = the(v2).state.endpoints["bank"]
    arguments = ["bank", "--traffic", "blue=90,green=10", "--backend", "azureml"]
    shown = v2.document("deploy", "update", *arguments)["endpoint"]
    body = body_of(v2, "/onlineEndpoints/bank")

    assert {"blue": 90, "green": 10} == {each["name"]: each["traffic"] for each in shown["deployments"]}
    read_only = ("provisioningState", "scoringUri", "swaggerUri")
    expected = {key: value for key, value in before["properties"].items() if key not in read_only}
    assert {**expected, "traffic": {"blue": 90, "green": 10}} == body["properties"]
    assert before["tags"] == body["tags"]


def test_v2_adds_a_deployment_without_traffic_to_an_endpoint_that_is_there(v2: Host):
    v2.seed("bank")
    ran = v2.create(
        "bank", "--deployment", "green", "--instances", 3, "--instance-type", "Standard_F4s_v2", "--format", "json"
    )
    body = body_of(v2, "/deployments/green")

    assert 0 == ran.code, ran.err
    assert {"blue": 100, "green": 0} == {
        each["name"]: each["traffic"] for each in json.loads(ran.out)["endpoint"]["deployments"]
    }
    assert ("Standard_F4s_v2", 3) == (body["properties"]["instanceType"], body["sku"]["capacity"])
    assert "green" == the(v2).sent("POST", "/score")[0].headers["azureml-model-deployment"]


def test_v2_gives_the_first_deployment_all_the_traffic(v2: Host):
    assert 0 == v2.create("bank").code

    assert {"blue": 100} == the(v2).state.endpoints["bank"]["properties"]["traffic"]
    assert "azureml-model-deployment" not in the(v2).sent("POST", "/score")[0].headers


def test_v2_wants_a_deployment_named_where_there_are_two(v2: Host):
    arm.endpoint(the(v2).state, "bank", "blue", "green")
    bank = ["bank", "--backend", "azureml"]

    assert "bank: it has the deployments blue, green: --deployment NAME" == found(v2, 2, "logs", "show", *bank)
    shown = v2.document("logs", "enable", *bank, "--deployment", "green")["endpoint"]
    assert {"blue": False, "green": True} == {each["name"]: each["app_insights"] for each in shown["deployments"]}


def test_v2_knows_no_deployment_that_is_not_there(v2: Host):
    v2.seed("bank")

    assert "bank: no deployment gren; there is blue" == found(
        v2, 2, "deploy", "update", "bank", "--traffic", "blue=90,gren=10"
    )
    assert "ResourceNotFound" in found(v2, 6, "logs", "show", "bank", "--deployment", "gren")


def test_v2_names_an_environment_that_is_there_by_its_whole_id(v2: Host):
    assert 0 == v2.create("bank", "--environment", "azureml:sklearn:7").code

    assert (
        f"{WORKSPACE}/environments/sklearn/versions/7"
        == body_of(v2, "/deployments/blue")["properties"]["environmentId"]
    )
    assert [] == the(v2).sent("PUT", "/environments/.*")


def test_v2_asks_for_the_storage_initializer_s_log_with_init(v2: Host):
    v2.seed("bank")

    assert ["fetching the model"] == v2.document("logs", "show", "bank", "--init", "--tail", 7)["lines"]
    assert [{"containerType": "StorageInitializer", "tail": 7}] == [
        each.json for each in the(v2).sent("POST", "/getLogs")
    ]


# -- requests of SDK v1


def test_v1_does_what_the_course_does(v1: Host):
    v1.seed("bank")
    v1.document("logs", "enable", "bank")
    (patch,) = the(v1).sent("PATCH", "/services/bank")

    assert "application/json-patch+json" == patch.headers["content-type"]
    assert {"op": "replace", "path": "/appInsightsEnabled", "value": True} in patch.json
    assert {"/appInsightsEnabled", "/properties/azureml.git.dirty"} == {change["path"] for change in patch.json}


def test_v1_creates_a_service_on_aci_with_keys(v1: Host):
    assert 0 == v1.create("bank", "--enable-app-insights").code
    (sent,) = the(v1).sent("POST", "/services")

    assert ("ACI", True, True) == (sent.json["computeType"], sent.json["authEnabled"], sent.json["appInsightsEnabled"])
    assert ["bank:1"] == sent.json["environmentImageRequest"]["modelIds"]
    (model,) = the(v1).sent("POST", "/models")
    assert "bank" == model.json["name"]


def test_v1_creates_a_service_on_a_cluster_of_aks(v1: Host):
    assert 0 == v1.create("bank", "--compute", "aks:cluster", "--instances", 3).code
    (sent,) = the(v1).sent("POST", "/services")

    assert ("AKS", "cluster", 3) == (sent.json["computeType"], sent.json["computeName"], sent.json["numReplicas"])


def test_v1_takes_a_conda_file_for_an_environment(v1: Host):
    ran = v1.create("bank", "--environment", "azureml:sklearn:7")

    assert 2 == ran.code
    assert "--environment azureml:sklearn:7: with azureml-v1 it is a conda file" in ran.lines[-1]


@pytest.mark.parametrize("compute", ["aks", "aci:x", "vm"])
def test_v1_has_two_kinds_of_compute(v1: Host, compute: str):
    ran = v1.create("bank", "--compute", compute)

    assert 2 == ran.code
    assert "aci, or aks:CLUSTER" in ran.lines[-1]


def test_v1_says_so_where_a_deletion_fails(v1: Host):
    """The SDK itself does not check it."""
    v1.seed("bank")
    the(v1).state.outcome = "Failed"

    assert "bank: it is not deleted; its state is Healthy" == found(v1, 6, "deploy", "delete", "bank")
    assert "[endpoints.bank]" in v1.cli.read("epkit.toml")


def test_v1_lists_every_page_and_every_kind_of_compute(v1: Host):
    the(v1).state.services |= {"bank": mms.service("bank"), "risk": mms.aks_service("risk")}
    listed = v1.document("deploy", "list", "--backend", "azureml-v1")["endpoints"]

    assert {"bank": ("aci", "key"), "risk": ("aks", "aml_token")} == {
        each["name"]: (each["compute"], each["auth"]) for each in listed
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy", "update", "bank", "--traffic", "blue=100"], "a web service of SDK v1 has no deployments"),
        (["logs", "show", "bank", "--deployment", "green"], "a web service of SDK v1 has no deployments"),
    ],
)
def test_v1_has_no_deployments(v1: Host, arguments: list[str], said: str):
    v1.seed("bank")

    assert said in found(v1, 2, *arguments)


def test_v1_shows_a_key_that_is_replaced_nowhere(v1: Host):
    v1.seed("bank")
    old = v1.key
    said = v1.document("deploy", "keys", "bank", "--regenerate", "primary")

    assert f"{v1.key}\n" == Path(said["key_file"]).read_text() != f"{old}\n"


# -- following


def test_new_lines_are_followed(azure: Host):
    azure.seed("bank")
    with azure.cli.start("logs", "show", "bank", "--follow", "--tail", 1) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        the(azure).state.logs.append("one more")
        second = process.stdout.readline()
        process.terminate()
        ran = azure.cli.finished(process)

    assert (b"line 8\n", b"one more\n") == (first, second)
    assert 143 == ran.code


def test_an_unknown_host_is_refused_and_remembered(cloud: Cloud):
    import http.client

    proxy = http.client.HTTPConnection(cloud.proxy.removeprefix("http://"), timeout=5)
    proxy.set_tunnel("elsewhere.example", 443)
    with pytest.raises(OSError, match="403"):
        proxy.connect()

    assert ["elsewhere.example"] == cloud.unknown
    cloud.unknown.clear()
