"""The first `epkit.toml`: epkit itself can read it, and it contains no keys."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.url import parse
from epkit.endpoint.config import parse_config
from epkit.endpoint.starter import NAME, Starter, WorkspaceConfig, name_of, render, variable_of, without_credentials

URI = parse("https://bank.westeurope.azurecontainer.io/score")


def read(starter):
    return parse_config(render(starter).encode(), Path("/x/epkit.toml"))


def test_a_url_makes_the_default_endpoint():
    config = read(Starter(name="bank", uri=URI))

    assert "bank" == config.default
    assert URI == config.endpoints["bank"].uri
    assert (None, None, None) == (
        config.endpoints["bank"].key_env, config.endpoints["bank"].key_file, config.endpoints["bank"].workspace
    )  # fmt: skip


def test_what_is_known_is_filled_in():
    workspace = WorkspaceConfig(name="quick", resource_group="rg", source="config.json")

    entry = read(Starter(name="bank", uri=URI, workspace=workspace, key_file="bank.key")).endpoints["bank"]

    assert ("quick", Path("/x/bank.key"), None) == (entry.workspace, entry.key_file, entry.key_env)
    assert "MY_KEY" == read(Starter(name="bank", uri=URI, key_env="MY_KEY")).endpoints["bank"].key_env


def test_without_a_url_nothing_is_set_yet():
    workspace = WorkspaceConfig(name="quick", source="config.json")

    config = read(Starter(name="endpoint", workspace=workspace, key_file="a.key"))

    assert (None, {}) == (config.default, dict(config.endpoints))


@pytest.mark.parametrize("uri", [None, URI])
def test_every_comment_is_a_setting_that_is_taken(uri):
    starter = Starter(name="bank", uri=uri, workspace=WorkspaceConfig(name="quick", source="config.json"))
    text = render(starter).replace('# key_file = "bank.key"', '# # "bank.key"')  # with key_env there would be two

    lines = [line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in text.splitlines()]
    entry = parse_config("\n".join(lines).encode(), Path("/x/epkit.toml")).endpoints["bank"]

    assert (60.0, "blue", "BANK_KEY", "quick") == (entry.timeout_s, entry.deployment, entry.key_env, entry.workspace)
    assert (("x-team", "risk"),) == entry.headers


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://bank.westeurope.azurecontainer.io/score", "bank"),
        ("https://20.1.2.3/api/v1/service/bank-aks/score", "bank-aks"),
        ("http://127.0.0.1:5001/score", "local"),
        ("http://localhost:5001/score", "local"),
        ("http://[::1]:5001/score", "local"),
        ("unix:/run/x.sock:/score", "local"),
        ("https://h/api/v1/service/%20/score", "20"),
        ("https://h/api/v1/service/~/score", "endpoint"),
    ],
)
def test_an_endpoint_is_called_after_its_host_or_service(url, name):
    assert name == name_of(parse(url))
    assert NAME.fullmatch(name)


@pytest.mark.parametrize(("name", "variable"), [("bank", "BANK_KEY"), ("a-b", "A_B_KEY"), ("2x", "_2X_KEY")])
def test_a_variable_is_called_after_its_endpoint(name, variable):
    assert variable == variable_of(name)


@pytest.mark.parametrize(
    ("url", "backend"),
    [
        ("https://b.eastus.inference.ml.azure.com/score", "azureml"),
        ("http://b.eastus.azurecontainer.io/score", "azureml-v1"),
        ("http://20.1.2.3/api/v1/service/b/score", "azureml-v1"),
        ("http://127.0.0.1/score", "local"),
    ],
)
def test_the_backend_is_guessed_in_the_comment(url, backend):
    assert f'# backend = "{backend}"' in render(Starter(name="b", uri=parse(url)))


def test_credentials_are_taken_out_of_a_url():
    uri, left_out = without_credentials(parse("https://u:pass@h/score?api-version=1&sig=abc&code=x"))

    assert "https://h/score?api-version=1" == uri.reveal()
    assert ("its password", 'the value of "sig"', 'the value of "code"') == left_out
    assert (URI, ()) == without_credentials(URI)
    assert None is without_credentials(parse("http://h/?key=abc"))[0].query


@given(st.text(), st.text())
def test_no_name_of_a_workspace_breaks_the_file(name, group):
    workspace = WorkspaceConfig(name=f"w{name}", resource_group=group, source=group)

    entry = read(Starter(name="bank", uri=URI, workspace=workspace)).endpoints["bank"]

    assert entry.workspace.startswith("w")
