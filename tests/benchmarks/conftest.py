"""Loads the modules of `benchmarks/` by path, because it is a folder of scripts and not a package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from support.places import ROOT

BENCHMARKS = ROOT / "benchmarks"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"epkit_benchmarks_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses looks up its classes' module there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def table() -> ModuleType:
    return load("table")


@pytest.fixture(scope="session")
def outputs() -> ModuleType:
    return load("outputs")


@pytest.fixture(scope="session")
def measure() -> ModuleType:
    return load("measure")


@pytest.fixture(scope="session")
def waiting_script() -> Path:
    return BENCHMARKS / "waiting.py"


@pytest.fixture(scope="session")
def contract() -> ModuleType:
    return load("contract")
