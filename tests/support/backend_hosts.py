"""The three backends for the shared tests: a command line, a way to add an endpoint, and the sent requests."""

import importlib.util
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from epkit.backends.local.state import Homes
from support import scoring_server
from support.azure_cloud import arm, mms
from support.azure_cloud.cloud import Cloud
from support.azure_cloud.state import GROUP, NAME, REGION, SUBSCRIPTION
from support.cli_harness import Cli, Ran

KINDS: Final = ("local", "azureml", "azureml-v1")
SDKS: Final = {"azureml": "azure.ai.ml", "azureml-v1": "azureml.core"}
CONDA: Final = "name: bank\ndependencies:\n- python=3.11\n- pip:\n  - azureml-defaults\n"


def has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def require(kind: str) -> None:
    """Skip the calling test if a backend's SDK, or the genuine server, is not installed."""
    if kind == "local":
        scoring_server.require()
    elif not has(SDKS[kind]):
        pytest.skip(f"needs {SDKS[kind]}: nox -s azure")


@dataclass(slots=True, kw_only=True)
class Host:
    """A backend.

    Args:
        cloud: the emulated cloud; None for this machine.
    """

    kind: str
    cli: Cli
    cloud: Cloud | None

    def run(self, *arguments: object) -> Ran:
        """Run a command; no key or token of the cloud may appear in outputs or in the project's files."""
        if self.cloud is None:
            return self.cli(*arguments)
        asks = arguments[:2] in (("deploy", "create"), ("deploy", "swagger")) or "update" in arguments[:2]
        if asks and not {"--dry-run", "--traffic", "-X"} & set(arguments):
            # The SDK uses the environment's proxy; epkit's own requests to the endpoint use the named one.
            arguments = (*arguments, "-X", self.cloud.proxy)
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # a warning of an SDK is not an error for a user either
            ran = self.cli(*arguments)
        if "--reveal" not in arguments:
            files = "".join(path.read_text() for path in self.cli.directory.rglob("*.toml"))

            assert "canary-" not in ran.out + ran.err + files
        assert [] == self.cloud.unknown
        return ran

    def document(self, *arguments: object) -> dict[str, Any]:
        """Run a command that succeeds; return its output, which is one JSON document."""
        ran = self.run(*arguments, "--format", "json")

        assert 0 == ran.code, ran.err
        document: dict[str, Any] = json.loads(ran.out)
        return document

    def create(self, name: str, *more: object) -> Ran:
        arguments = ["--model", "model", "--entry", "score.py", "--backend", self.kind, *more]
        return self.run("deploy", "create", name, *arguments)

    def seed(self, name: str) -> None:
        """Add an endpoint, also to epkit.toml."""
        if self.cloud is None:
            assert 0 == self.create(name).code
            return
        if self.kind == "azureml":
            arm.endpoint(self.cloud.state, name, "blue")
        else:
            self.cloud.state.services[name] = mms.service(name)
        self.cloud.state.new_keys(name)
        domain = "inference.ml.azure.com" if self.kind == "azureml" else "azurecontainer.io"
        self.cli.write(
            "epkit.toml",
            f'[endpoints.{name}]\nuri = "https://{name}.{REGION}.{domain}/score"\nkey_file = "the.key"\nbackend = "{self.kind}"\n'
            f'service = "{name}"\nworkspace = "{NAME}"\n',
        )

    @property
    def key(self) -> str:
        """The primary key of `bank`."""
        if self.cloud is None:
            return Homes(self.cli.environ).home("bank").keys().primary.reveal()
        return self.cloud.state.keys["bank"]["primary"]

    def wrote(self) -> Path:
        """The file with the key of `bank`."""
        home = Path(self.cli.environ["HOME"])
        found = [*home.rglob("bank.key"), *self.cli.directory.rglob("the.key")]

        assert 1 == len(found)
        return found[0]


def workspace_config() -> str:
    return json.dumps({"subscription_id": SUBSCRIPTION, "resource_group": GROUP, "workspace_name": NAME})
