"""Names in `epkit.toml` and Azure's `config.json` do not lead out of epkit's directories."""

from types import SimpleNamespace
from typing import Any

import pytest

from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.hosting.backends import Place, key_path
from epkit.flows.hosting.deploy import make_order


def place(service: str, workspace: str | None) -> Place:
    backend: Any = SimpleNamespace(name="azureml", workspace=workspace and SimpleNamespace(name=workspace))
    return Place(backend=backend, name="bank", service=service, entry=None, config=None)


def test_a_key_is_kept_in_the_state_by_backend_workspace_and_name(tmp_path):
    context = Context(environ={"XDG_STATE_HOME": str(tmp_path)}, cwd=tmp_path)

    assert tmp_path / "epkit/keys/azureml/ws/bank.key" == key_path(place("bank", "ws"), context)
    assert tmp_path / "epkit/keys/azureml/bank.key" == key_path(place("bank", None), context)


@pytest.mark.parametrize(
    ("service", "workspace"),
    [("../../../x", "ws"), ("/etc/x", "ws"), ("a\0b", "ws"), ("bank", ".."), ("bank", "a/b"), ("bank", "/")],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, service, workspace):
    context = Context(environ={"XDG_STATE_HOME": str(tmp_path)}, cwd=tmp_path)

    with pytest.raises(
        UsageError, match=r"the name of the endpoint or its workspace: .* is not accepted as the name of"
    ):
        key_path(place(service, workspace), context)


def test_a_variable_is_handed_on_to_this_machines_endpoints_only(tmp_path):
    (tmp_path / "score.py").touch()
    context = Context(environ={"VARIANT": "b"}, cwd=tmp_path)

    with pytest.raises(UsageError, match="--env is for endpoints on this machine: "):
        make_order(place("bank", "ws"), context, model=".", entry="score.py", code=None, env=("VARIANT",))
