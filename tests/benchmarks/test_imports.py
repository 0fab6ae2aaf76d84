"""Benchmarks import only existing names: otherwise a moved name would be noticed only at the next measurement."""

import ast
import importlib.util
from pathlib import Path

import pytest

from support.places import ROOT

SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


def imported(path: Path) -> list[tuple[str, str]]:
    """Return module and name of everything that a script imports from epkit, at any place in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "epkit":
            found += [(str(node.module), alias.name) for alias in node.names]
    return found


def exists(module: str, name: str) -> bool:
    if hasattr(importlib.import_module(module), name):
        return True
    return importlib.util.find_spec(f"{module}.{name}") is not None


def test_something_is_imported_at_all() -> None:
    assert any(map(imported, SCRIPTS))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_what_a_benchmark_imports_is_there(script: Path) -> None:
    assert [] == [pair for pair in imported(script) if not exists(*pair)]
