"""Each extra alone, both and neither: this file runs in an environment of each kind (`nox -s azure tests`)."""

import importlib.util
import sys
from pathlib import Path

import pytest

from support.backend_hosts import SDKS, has, require, workspace_config
from support.cli_harness import Cli, complaint
from support.fault_server import FaultServer
from support.places import ROOT

EXTRAS = {"azureml": "azure-v2", "azureml-v1": "azure-v1"}


@pytest.mark.parametrize("backend", SDKS)
def test_a_missing_sdk_names_its_extra_and_one_that_is_there_is_used(cli: Cli, backend: str):
    ran = cli.spawn("deploy", "list", "--backend", backend)

    if has(SDKS[backend]):
        assert "no config.json here or above" in complaint(ran, 2)
    else:
        extra = EXTRAS[backend]
        said = f'the backend {backend} needs the extra {extra}: pip install "epkit[{extra}]"'
        assert said == complaint(ran, 2)


@pytest.mark.parametrize("backend", SDKS)
@pytest.mark.parametrize("missing", ["azure.identity", "the SDK"])
def test_half_an_extra_is_none(cli: Cli, backend: str, missing: str, monkeypatch: pytest.MonkeyPatch):
    cli.write("config.json", workspace_config())
    monkeypatch.setitem(sys.modules, SDKS[backend] if missing == "the SDK" else missing, None)

    assert f"needs the extra {EXTRAS[backend]}" in complaint(cli("deploy", "list", "--backend", backend), 2)


def test_a_token_of_aad_without_azure_identity_names_the_extra(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    cli.write("epkit.toml", '[endpoints.bank]\nuri = "https://h.example/score"\nauth = "aad"\n')
    monkeypatch.setitem(sys.modules, "azure.identity", None)

    assert 'needs the extra azure: pip install "epkit[azure]"' in complaint(cli("bench", "bank"), 2)


@pytest.mark.parametrize("backend", SDKS)
def test_an_sdk_that_is_alone_works_alone(cli: Cli, backend: str):
    """Import the parts that its backend uses, in another process."""
    if not has(SDKS[backend]):
        pytest.skip(f"needs {SDKS[backend]}: nox -s azure")
    cli.write("config.json", workspace_config())
    cli.environ |= {"HTTPS_PROXY": "http://127.0.0.1:9", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}
    cli.environ["AZURE_CLIENT_SECRET"] = "s"
    ran = cli.spawn("deploy", "list", "--backend", backend)

    assert ran.code in (2, 6), ran.err
    assert "Traceback" not in ran.err


def test_a_model_of_mlflows_names_the_extra_that_serves_it_here(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    require("local")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mlflow" else name)
    ran = cli("deploy", "create", "bank", "--model", Path(__file__).parent / "mlflow_model")

    assert 2 == ran.code
    assert ran.lines[-1] == (
        'epkit: an MLflow model on this machine needs MLflow\'s scoring server: pip install "epkit[mlflow]"'
    )


def test_both_sdks_live_in_one_process(cli: Cli):
    if not all(has(module) for module in SDKS.values()):
        pytest.skip("needs both SDKs: nox -s azure")
    import subprocess

    code = "import azureml.core, azure.ai.ml, azure.identity; print('both')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert "both\n" == found.stdout, found.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["deploy", "--help"], ["deploy", "create", "--help"], ["logs", "--help"]]
)
def test_help_imports_no_sdk(cli: Cli, arguments: list[str]):
    ran = cli.spawn(*arguments, prefix=["-X", "importtime"])
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.lines if "|" in line}

    assert 0 == ran.code
    assert set() == imported & {"azure", "azureml", "msal", "requests", "tomlkit", "numpy"}


def test_a_local_command_imports_no_sdk(cli: Cli):
    ran = cli.spawn("deploy", "list", prefix=["-X", "importtime"])
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.lines if "|" in line}

    assert 0 == ran.code
    assert set() == imported & {"azure", "azureml", "msal", "requests", "httpx"}


@pytest.mark.parametrize("command", ["bench", "score", "validate"])
def test_what_talks_to_endpoints_imports_no_sdk(cli: Cli, fault_server: FaultServer, command: str):
    """No SDK is imported even if both are installed."""
    url = fault_server.url("ok")
    schema = ROOT / "swagger" / "bank.swagger2.json"
    payload = cli.write("rows.json", '{"data": [{"age": 1}, {"age": 2}]}')
    arguments = {
        "bench": ["--no-validate", "-p", payload, url],
        "score": [payload, "--target", url, "--no-validate", "--wrap", "data"],
        "validate": [payload, "--schema", str(schema)],
    }
    ran = cli.spawn(command, *arguments[command], prefix=["-X", "importtime"])
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.lines if "|" in line}

    assert "epkit" in imported
    assert ran.code in (0, 3, 4), ran.err
    assert set() == imported & {"azure", "azureml", "msal", "requests", "tomlkit"}
