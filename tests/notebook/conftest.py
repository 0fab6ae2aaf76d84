"""Common parts of the tests of notebooks: the course after its run, and JupyterLab in a browser."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.chromium import chromium
from support.jupyter_lab import Lab, environment, jupyter_lab
from support.places import ROOT

NOTEBOOK = ROOT / "docs" / "course.ipynb"
BOUND_S = 600
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
from nbformat.sign import NotebookNotary

notebook = nbformat.read(sys.argv[1], 4)
try:
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
finally:
    nbformat.write(notebook, sys.argv[2])
NotebookNotary().sign(nbformat.read(sys.argv[2], 4))  # so that JupyterLab shows its outputs
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The course after its run.

    Args:
        notebook: the notebook in `root`, with the outputs of its cells.
        home: directory with all state of the run.
        stderr: output of the run on stderr.
        left: names of the files in `root` after the run.
    """

    root: Path
    home: Path
    notebook: Path
    stderr: str
    left: tuple[str, ...]


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The course, run once in a kernel."""
    for package in ("nbclient", "ipykernel", "lightgbm"):
        pytest.importorskip(package)
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    (home / "jupyter_data_dir").mkdir()
    notebook = root / "course.ipynb"
    # In a separate process, because Jupyter's warnings are not our errors.
    ran = subprocess.run(
        [sys.executable, "-c", RUN, str(NOTEBOOK), str(notebook)],
        cwd=root, env=environment(home), capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert 0 == ran.returncode, ran.stderr[-4000:]
    left = tuple(path.name for path in root.iterdir() if not path.name.startswith("."))
    return Course(root=root, home=home, notebook=notebook, stderr=ran.stderr, left=left)


@pytest.fixture(scope="session")
def lab(course: Course) -> Iterator[Lab]:
    """JupyterLab, in the course's directory."""
    pytest.importorskip("jupyterlab")
    with jupyter_lab(course.root, course.home) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started once."""
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A new page, without cookies of another test."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()
