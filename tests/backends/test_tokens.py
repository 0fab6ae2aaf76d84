"""Scoring with tokens of AAD and of Azure ML that are renewed during a bench: no request is lost, no token shown."""

import json
import re
from typing import Any

import pytest

from support.azure_cloud import arm, mms
from support.azure_cloud.cloud import Cloud
from support.backend_hosts import require
from support.cli_harness import Cli, complaint

CASES = {
    "aad": ("azureml", "aad", "bank.westeurope.inference.ml.azure.com"),
    "aml_token of a managed endpoint": ("azureml", "aml_token", "bank.westeurope.inference.ml.azure.com"),
    "aml_token of AKS": ("azureml-v1", "aml_token", "bank.westeurope.azurecontainer.io"),
}
FIRST, *MORE = (pytest.param(name, marks=[pytest.mark.long] if name != "aad" else []) for name in CASES)
"""Each takes ten seconds, in which tokens with a lifetime of four seconds are replaced."""


def prepare(cli: Cli, cloud: Cloud, case: str, token_s: int = 3600) -> list[object]:
    backend, auth, host = CASES[case]
    require(backend)
    if backend == "azureml":
        arm.endpoint(cloud.state, "bank", "blue", auth="AADToken" if auth == "aad" else "AMLToken")
    else:
        cloud.state.services["bank"] = mms.aks_service("bank")
    cloud.state.token_s = token_s
    cli.write(
        "epkit.toml",
        f'[endpoints.bank]\nuri = "https://{host}/score"\nauth = "{auth}"\nbackend = "{backend}"\nservice = "bank"\n',
    )
    return ["bench", "--connect-to", cloud.direct, "--cacert", cloud.cacert, "bank"]


@pytest.mark.parametrize("case", [FIRST, *MORE])
def test_a_token_is_replaced_in_the_middle_of_a_run_and_no_request_is_lost(cli: Cli, cloud: Cloud, case: str):
    command = prepare(cli, cloud, case, token_s=4)
    ran = cli.spawn(*command, "-t", 7, "-c", 4, "--format", "json", "-v", 2)
    sent = {request.headers["authorization"] for request in cloud.sent("POST", "/score")}

    assert 0 == ran.code, ran.err
    assert {} == ran.failures
    assert ran.report["counts"]["ok"] > 100
    assert len(sent) >= 3
    assert not [value for value in sent if value.removeprefix("Bearer ") in ran.out + ran.err]
    assert "canary" not in ran.out + ran.err


@pytest.mark.parametrize("case", [FIRST, MORE[0]])
def test_a_token_is_replaced_in_the_middle_of_a_score_and_no_row_is_lost(cli: Cli, cloud: Cloud, case: str):
    prepare(cli, cloud, case, token_s=4)
    port = cloud.direct.rpartition(":")[2]
    cli.write("epkit.toml", re.sub(r"https://[^/]+/", f"https://localhost:{port}/", cli.read("epkit.toml")))
    cli.write("rows.csv", "age\n" + "".join(f"{age}\n" for age in range(350)))
    ran = cli.spawn(
        *("score", "rows.csv", "--target", "bank", "-o", "out.jsonl", "--batch-rows", 1, "--rate", 50),
        *("--no-validate", "--wrap", "data", "--cacert", cloud.cacert),
    )
    sent = {request.headers["authorization"] for request in cloud.sent("POST", "/score")}

    assert 0 == ran.code, ran.err
    assert 350 == len(cli.read("out.jsonl").splitlines())
    assert len(sent) >= 3
    assert "canary" not in ran.out + ran.err


def test_aad_is_asked_for_the_audience_of_azure_ml(cli: Cli, cloud: Cloud):
    ran = cli.spawn(*prepare(cli, cloud, "aad"), "-n", 1, "--format", "json")
    asked = cloud.sent("POST", "/oauth2/v2.0/token")

    assert 0 == ran.code, ran.err
    assert ["https://ml.azure.com/.default"] == [form(request.body)["scope"] for request in asked]


def form(body: bytes) -> dict[str, Any]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(body.decode()))


def test_a_login_that_is_refused_is_told_in_one_line(cli: Cli, cloud: Cloud):
    command = prepare(cli, cloud, "aad")
    cli.environ["AZURE_CLIENT_SECRET"] = "canary-wrong-secret"
    ran = cli.spawn(*command, "-n", 1)

    assert 2 == ran.code
    found = 'endpoints.bank: auth = "aad": AADSTS7000215: Invalid client secret provided.; no login at Azure: az login'
    assert found in ran.lines[-1]
    assert "canary" not in ran.err


def test_tokens_of_azure_ml_need_a_backend_that_gives_them_out(cli: Cli):
    cli.write("epkit.toml", '[endpoints.bank]\nuri = "https://h.example/score"\nauth = "aml_token"\n')
    said = complaint(cli("bench", "bank"), 2)

    assert 'which backend issues the tokens? backend = "azureml" or backend = "azureml-v1"' in said


def test_a_token_of_one_s_own_asks_nobody(cli: Cli, cloud: Cloud):
    command = prepare(cli, cloud, "aad")
    cloud.state.tokens["own"] = 2**40
    ran = cli.spawn(*command, "-n", 2, "-H", "Authorization: Bearer own", "--format", "json")

    assert 0 == ran.code, ran.err
    assert [] == cloud.sent("POST", "/oauth2/v2.0/token")
    assert 2 == json.loads(ran.out)["counts"]["ok"]


def test_keys_are_not_asked_of_an_endpoint_that_takes_tokens(cli: Cli, cloud: Cloud):
    prepare(cli, cloud, "aml_token of a managed endpoint")
    said = cli.spawn("deploy", "keys", "bank")

    assert 2 == said.code
    assert "epkit: bank: it takes tokens, and has no keys" == said.lines[-1]


def test_the_swagger_of_an_endpoint_that_takes_tokens_is_fetched_with_one(cli: Cli, cloud: Cloud):
    prepare(cli, cloud, "aml_token of a managed endpoint")
    ran = cli.spawn("deploy", "swagger", "bank", "-X", cloud.proxy)

    assert 0 == ran.code, ran.err
    assert "/score" in json.loads(cli.read("swagger/bank.json"))["paths"]
