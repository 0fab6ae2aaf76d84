"""The wheel of the installed epkit: an installer makes the same epkit of it."""

import base64
import csv
import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import epkit
from epkit.errors import UsageError
from epkit.files.wheels import pinned, write_wheel


def test_each_file_is_listed_with_its_hash(tmp_path: Path):
    with zipfile.ZipFile(write_wheel(tmp_path)) as wheel:
        listed = list(csv.reader(io.StringIO(wheel.read(f"epkit-{epkit.__version__}.dist-info/RECORD").decode())))
        for name, digest, size in listed[:-1]:
            content = wheel.read(name)
            found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (f"sha256={found}", str(len(content))) == (digest, size), name
        names = set(wheel.namelist())

    assert {name for name, _, _ in listed} == names
    assert [f"epkit-{epkit.__version__}.dist-info/RECORD", "", ""] == listed[-1]
    assert {"epkit/__init__.py", "epkit/core/report/report.schema.json", "epkit/py.typed"} <= names
    assert [] == [name for name in names if "__pycache__" in name or name.endswith(("direct_url.json", ".pth"))]


def test_the_compiled_module_of_this_machine_is_left_out(tmp_path: Path, monkeypatch):
    package = tmp_path / "epkit"
    package.mkdir()
    for name in ("__init__.py", "lane.pyi", f"lane{EXTENSION_SUFFIXES[0]}"):
        (package / name).touch()
    monkeypatch.setattr(epkit, "__file__", str(package / "__init__.py"))

    with zipfile.ZipFile(write_wheel(tmp_path)) as wheel:
        assert ["epkit/__init__.py", "epkit/lane.pyi"] == [name for name in wheel.namelist() if "dist-info" not in name]


def test_the_same_epkit_is_the_same_bytes(tmp_path: Path):
    (tmp_path / "again").mkdir()

    assert write_wheel(tmp_path).read_bytes() == write_wheel(tmp_path / "again").read_bytes()


def test_an_installer_takes_it_with_its_command_and_its_dependencies(tmp_path: Path):
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("there is no uv to install it with")
    wheel = write_wheel(tmp_path)
    place = tmp_path / "venv"
    python = place / "bin" / "python"
    for command in (
        ["venv", "-p", sys.executable, place],
        ["pip", "install", "--offline", "--no-deps", "-p", python, wheel],
    ):
        subprocess.run([uv, "--quiet", *map(str, command)], check=True)
    says = "import epkit, importlib.metadata as m; print(epkit.__file__); print(len(m.requires('epkit')))"
    ran = subprocess.run([python, "-I", "-c", says], capture_output=True, text=True, check=True)
    where, count = ran.stdout.splitlines()

    assert Path(where).is_relative_to(place)
    assert len(metadata.requires("epkit") or []) == int(count)
    assert (place / "bin" / "epkit").is_file()


def test_what_it_needs_is_named_as_it_is_installed_here():
    found = pinned("train")

    assert f"numpy=={metadata.version('numpy')}" in found
    assert f"lightgbm=={metadata.version('lightgbm')}" in found
    assert [] == [each for each in found if each.startswith(("epkit", "azure", "starlette")) or "extra" in each]


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch):
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(UsageError, match=r"pip install 'epkit\[train\]'"):
        pinned("train")
