"""The hook of the build: a wheel has the compiled module if it can be compiled, and otherwise Python alone."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from support.places import ROOT

PROJECT = """
[build-system]
requires = ["hatchling", "cython"]
build-backend = "hatchling.build"
[project]
name = "epkit"
version = "1"
requires-python = ">=3.11"
[tool.hatch.build.targets.wheel]
packages = ["src/epkit"]
exclude = ["*.pyx"]
[tool.hatch.build.targets.wheel.hooks.custom]
"""
LANE = f"epkit/engines/wire/lane{sysconfig.get_config_var('EXT_SUFFIX')}"
HAS_HEADERS = Path(sysconfig.get_path("include"), "Python.h").is_file()

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or not HAS_HEADERS, reason="needs Python's headers, and a C compiler"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with this project's hook, and a module that is compiled quickly."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for name in ("hatch_build.py", ".gitignore"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    room = tmp_path / "src" / "epkit" / "engines" / "wire"
    room.mkdir(parents=True)
    for place in (room, *room.parents[:2]):
        (place / "__init__.py").touch()
    (room / "lane.pyx").write_text("def answer():\n    return 42\n")
    return tmp_path


def build(project: Path, *, target: str = "wheel", **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("CC", "CFLAGS", "EPKIT_COMPILE")}
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", "dist"]
    return subprocess.run(command, cwd=project, env=clean | environ, capture_output=True, text=True, check=False)


def wheel(project: Path) -> tuple[str, set[str]]:
    """Return the name of the only wheel, and the names of its files."""
    (path,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        return path.name, set(opened.namelist())


def sources(project: Path) -> set[str]:
    return {path.name for path in (project / "src").rglob("lane*")}


@needs_compiler
def test_a_wheel_has_the_compiled_module_and_is_for_this_python(project):
    assert 0 == build(project, EPKIT_COMPILE="1").returncode
    name, files = wheel(project)

    version = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    assert name.startswith(f"epkit-1-{version}-{version}")
    assert name.endswith(f"linux_{os.uname().machine}.whl")
    assert {"epkit/__init__.py", LANE} <= files
    assert {"lane.pyx"} == sources(project), "no file is left in the sources"
    with zipfile.ZipFile(project / "dist" / name) as opened:
        opened.extractall(project / "installed")
    answer = "import epkit.engines.wire.lane as lane; print(lane.answer())"
    installed = {"PYTHONPATH": str(project / "installed")}
    assert b"42\n" == subprocess.run([sys.executable, "-c", answer], env=installed, capture_output=True).stdout


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"EPKIT_COMPILE": "0"}, "EPKIT_COMPILE=0"),
        pytest.param({"CC": "no-compiler"}, "no-compiler: No such file or directory", marks=needs_compiler),
        pytest.param({"CC": "false"}, "false failed: it printed no reason", marks=needs_compiler),
        pytest.param({"CC": "true"}, "the compiler wrote no file", marks=needs_compiler),
    ],
)
def test_without_a_compiler_the_wheel_has_python_alone_and_says_why(project, environ, why):
    ran = build(project, **environ)

    assert (0, f"built without the compiled module: {why}") == (ran.returncode, ran.stderr.splitlines()[0])
    name, files = wheel(project)
    assert "epkit-1-py3-none-any.whl" == name
    assert "epkit/engines/wire/__init__.py" in files
    assert set() == {file for file in files if "lane" in file}


def test_without_pythons_headers_the_wheel_has_python_alone(project):
    (project / "sitecustomize.py").write_text(
        "import sysconfig\nget_path = sysconfig.get_path\n"
        "sysconfig.get_path = lambda name, *more: '/nowhere' if name == 'include' else get_path(name, *more)\n"
    )
    ran = build(project, PYTHONPATH=str(project))

    assert (0, "built without the compiled module: no Python.h in /nowhere") == (
        ran.returncode,
        ran.stderr.splitlines()[0],
    )
    assert "epkit-1-py3-none-any.whl" == wheel(project)[0]


@needs_compiler
def test_a_module_that_does_not_compile_is_an_error_if_it_must(project):
    (project / "src" / "epkit" / "engines" / "wire" / "lane.pyx").write_text("def answer(:\n")
    must = build(project, EPKIT_COMPILE="1")

    assert (1, []) == (must.returncode, list(project.glob("dist/*.whl")))
    assert must.stderr.splitlines()[-1].startswith("EPKIT_COMPILE=1: python")
    assert "lane.pyx:1:11: " in must.stderr
    assert 0 == build(project).returncode


def test_another_value_of_the_variable_is_refused(project):
    ran = build(project, EPKIT_COMPILE="yes")

    assert (1, "EPKIT_COMPILE=yes: must be 0 or 1") == (ran.returncode, ran.stderr.strip())


@needs_compiler
def test_an_editable_installation_has_it_in_the_sources_and_no_other_build_takes_it(project):
    built = Path(LANE).name
    assert 0 == build(project, target="wheel:editable").returncode
    assert {"lane.pyx", built} == sources(project)
    (project / "dist" / "epkit-1-py3-none-any.whl").unlink()

    build(project, EPKIT_COMPILE="0")
    assert set() == {file for file in wheel(project)[1] if "lane" in file}
    assert {"lane.pyx", built} == sources(project)

    build(project, target="wheel:editable", EPKIT_COMPILE="0")
    assert {"lane.pyx"} == sources(project), "an older module is not used"
