"""The extra `otlp` installs together with `local`: Azure's server pins OpenTelemetry's SDK."""

import tomllib
from importlib.metadata import distribution, version

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from support.places import ROOT

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otlp")

SDK = "opentelemetry-sdk"
EXPORTER = "opentelemetry-exporter-otlp-proto-http"
SERVER = "azureml-inference-server-http"


def required(name: str) -> dict[str, SpecifierSet]:
    """Return the requirements of an installed package, by name, without its extras."""
    texts = distribution(name).requires or []
    found = [Requirement(text) for text in texts if "extra ==" not in text]
    return {one.name: one.specifier for one in found}


def ours() -> dict[str, SpecifierSet]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [Requirement(text) for text in project["optional-dependencies"]["otlp"]]
    return {one.name: one.specifier for one in found}


def test_what_is_installed_is_what_the_extra_asks_for():
    assert {SDK, EXPORTER} == set(ours())
    for name, specifier in ours().items():
        assert version(name) in specifier


def test_the_exporter_takes_the_sdk_that_is_here():
    assert version(SDK) in required(EXPORTER)[SDK]


def test_the_inference_server_takes_it_too():
    pytest.importorskip("azureml_inference_server_http", reason="needs the extra local")

    assert version(SDK) in required(SERVER).get(SDK, SpecifierSet())


@pytest.mark.parametrize("pinned", ["1.33.0"])
def test_the_version_that_the_server_pins_is_one_of_the_extra(pinned):
    assert all(pinned in specifier for specifier in ours().values())
