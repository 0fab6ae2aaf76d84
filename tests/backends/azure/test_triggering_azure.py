"""Published pipelines at Azure, without an SDK: requests with a token to SDK v1's service and to a batch endpoint."""

import json
from typing import Any

import pytest

from support.azure_cloud.cloud import Cloud
from support.azure_cloud.http import Reply
from support.azure_cloud.pipelines import URL, WORKSPACE_URL
from support.cli_harness import Cli, Ran, complaint

pytest.importorskip("azure.identity", reason="needs the extra azure")

BATCH = "https://bank-train.westeurope.inference.ml.azure.com/jobs"


@pytest.fixture
def epkit(cli: Cli, cloud: Cloud) -> Any:
    """`epkit("trigger", URL, …)` uses the emulated cloud; afterwards no token may be in any file or output."""

    def run(command: str, *arguments: object) -> Ran:
        ran = cli("pipeline", command, *arguments, "-X", cloud.proxy.removeprefix("http://"), "--cacert", cloud.cacert)

        assert "canary" not in ran.out + ran.err
        return ran

    return run


def test_a_published_pipeline_is_listed_and_shown_by_its_url(epkit: Any):
    assert f"p-1  Active  Bankmarketing Train  {URL}\n" == epkit("list", URL).out
    assert ["p-1"] == [each["id"] for each in json.loads(epkit("list", WORKSPACE_URL, "--format", "json").out)]
    shown = epkit("show", URL).out
    assert "Bankmarketing Train\n  id       p-1\n  status   Active\n" in shown
    assert "  --set threshold=0.91\n" in shown


def test_a_published_pipeline_is_triggered_and_followed(epkit: Any, cloud: Cloud):
    ran = epkit("trigger", URL, "--set", "threshold=0.92", "--experiment", "course", "--why", "nightly", "--wait")

    assert (0, "run-1  Finished") == (ran.code, ran.out.splitlines()[-1])
    (asked,) = cloud.sent("POST", "/PipelineRuns/PipelineSubmit/p-1")
    expected = {"ExperimentName": "course", "Description": "nightly", "ParameterAssignments": {"threshold": "0.92"}}
    assert expected == asked.json
    assert "which Azure does not look at" in ran.err
    assert "run-1  Finished\n" == epkit("status", URL, "run-1").out
    assert "run-1  Finished\n" == epkit("status", URL).out


def test_a_run_that_fails_at_azure_is_6_with_the_reason(epkit: Any, cloud: Cloud):
    cloud.state.stages = ["Failed"]

    ran = epkit("trigger", URL, "--wait")

    assert (6, "run-1  Failed: Step train failed\n") == (ran.code, ran.out)


def test_a_run_is_cancelled(epkit: Any, cloud: Cloud):
    cloud.state.stages = ["Running"]
    epkit("trigger", URL)

    assert "run-1 was asked to end\n" == epkit("cancel", URL).out
    assert 130 == epkit("status", URL, "run-1", "--wait").code


def test_a_token_that_ends_while_a_run_is_waited_for_is_replaced(epkit: Any, cloud: Cloud):
    cloud.state.token_s = 2
    cloud.state.stages = ["Running"] * 5 + ["Completed"]
    cloud.fail("GET", "/PipelineRuns/run-1$", Reply(status=401, body={"Error": {"Code": "TokenExpired"}}), times=1)

    ran = epkit("trigger", URL, "--wait")

    assert 0 == ran.code, ran.err
    assert len(cloud.sent("POST", "/oauth2/v2.0/token")) >= 2
    assert 1 == len(cloud.sent("POST", "/PipelineSubmit/p-1"))


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        (
            "p-0",
            2,
            "400: the server does not take this request: check --set (the server says: UserError: Pipeline p-0 is",
        ),
        (
            "p-9",
            4,
            "404: nothing is there: the pipeline is no longer published, or the URL is another one's (the server",
        ),
    ],
)
def test_a_pipeline_that_is_published_no_more_is_one_line(epkit: Any, name: str, code: int, said: str):
    assert said in complaint(epkit("trigger", URL.replace("p-1", name)), code)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_azure_is_asked_once_and_not_relied_on_for_idempotency(epkit: Any, cloud: Cloud, status: int):
    cloud.fail("POST", "/PipelineSubmit/p-1$", Reply(status=status, body={}, headers={"Retry-After": "1"}))

    line = complaint(epkit("trigger", URL), 4)

    assert 1 == len(cloud.sent("POST", "/PipelineSubmit/p-1"))
    assert (status >= 500) == ("Azure would begin a second one for a second request" in line)


def test_a_batch_endpoint_is_asked_for_a_run_of_a_deployment(epkit: Any, cloud: Cloud):
    job = {"id": "/subscriptions/s/jobs/batchjob-1", "name": "batchjob-1", "properties": {"status": "Running"}}
    done = {**job, "properties": {"status": "Completed", "experimentName": "bank-train"}}
    cloud.fail("POST", "^/jobs$", Reply(status=201, body=job))
    cloud.fail("GET", "^/jobs/batchjob-1$", Reply(body=job), times=1)
    cloud.fail("GET", "^/jobs/batchjob-1$", Reply(body=done))

    ran = epkit("trigger", BATCH, "--deployment", "v1", "--set", "train.runs=10", "--wait")

    assert (0, "batchjob-1  Completed") == (ran.code, ran.out.splitlines()[-1])
    (asked,) = cloud.sent("POST", "/jobs")
    assert "v1" == asked.headers["azureml-model-deployment"]
    assert cloud.state.knows(asked.headers["authorization"])
    assert {
        "inputData": {"train_runs": {"jobInputType": "Literal", "value": 10}},
        "properties": {"experimentName": "bank-train"},
    } == asked.json["properties"]
    assert "a batch endpoint lists no runs: name the run" in complaint(epkit("status", BATCH), 2)
    assert "a batch endpoint ends no runs: az ml job cancel --name batchjob-1" in complaint(
        epkit("cancel", BATCH, "batchjob-1"), 2
    )


def test_a_redirect_gets_no_token(epkit: Any, cloud: Cloud):
    elsewhere = {"Location": "https://evil.westeurope.azurecontainer.io/jobs"}
    cloud.fail("POST", "^/jobs$", Reply(status=307, body=b"", headers=elsewhere))

    assert "307: a redirect, which is not followed" in complaint(epkit("trigger", BATCH), 4)
    assert [] == [each for each in cloud.requests if each.host.startswith("evil.")]


@pytest.mark.parametrize(
    "url",
    [
        "http://bank.westeurope.inference.ml.azure.com/jobs",
        "https://bank.westeurope.inference.ml.azure.com:8443/jobs",
    ],
)
def test_a_token_is_not_even_asked_for_where_it_may_not_go(epkit: Any, cloud: Cloud, url: str):
    assert "a token of Azure's goes over https to *.azureml.ms" in complaint(epkit("trigger", url), 2)
    assert [] == cloud.requests


def test_a_token_goes_to_nobody_unchecked(epkit: Any, cloud: Cloud):
    assert "--insecure does not check who answers" in complaint(epkit("trigger", URL, "--insecure"), 2)
    assert [] == cloud.requests


@pytest.mark.parametrize(
    ("hosts", "code"),
    [("[]", 2), ('["other.example.com"]', 2), ('["bank.westeurope.azurecontainer.io"]', 4)],
)
def test_a_host_of_the_project_gets_the_token_if_it_is_named(epkit: Any, cli: Cli, cloud: Cloud, hosts: str, code: int):
    cloud.fail("POST", "^/jobs$", Reply(status=404, body={}))
    url = "https://bank.westeurope.azurecontainer.io/jobs"
    cli.write(
        "epkit.toml", f'aad_hosts = {hosts}\n[published.bank]\nurl = "{url}"\nauth = "aad"\nbackend = "azureml"\n'
    )

    complaint(epkit("trigger", "bank"), code)
    assert (code == 4) == bool(cloud.requests)


def test_a_key_of_the_environment_is_some_endpoints_and_does_not_go_to_azure(epkit: Any, cli: Cli, cloud: Cloud):
    cli.environ["EPKIT_KEY"] = "canary-of-another-endpoint-1"

    assert 0 == epkit("trigger", URL).code
    assert all("another-endpoint" not in each.headers.get("authorization", "") for each in cloud.requests)
