"""The files for build servers do in a shell what they promise: each step's script is run as its service runs it."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.places import ROOT
from support.trained import bank_like

EXAMPLES = ROOT / "docs" / "examples"
CONFIG = (
    '[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\ntrain = {{ runs = 2, workers = 1 }}\ngate = ["AUC>={least}"]\n'
)
PATIENCE_S = 240


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a pipeline, in which the tests run one after another: what is trained is reused."""
    pytest.importorskip("lightgbm", reason="needs the extra train")
    directory = tmp_path_factory.mktemp("checkout")
    bank_like(500).write_csv(directory / "bank.csv")
    return directory


def steps_of(name: str) -> list[dict[str, Any]]:
    """Return the steps of a file that have a script, in the words of GitHub."""
    found = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    steps = found["steps"] if "steps" in found else found["jobs"]["bank"]["steps"]
    scripts = [{**step, "run": step.get("run") or step.get("script")} for step in steps]
    return [step for step in scripts if step["run"]]


def bash(project: Path, script: str, *options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as a service does that has put an installed epkit on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {name: value for name, value in os.environ.items() if not name.startswith("EPKIT_")}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", *options, "-c", script],
        cwd=project, env={**own, "PATH": path, **environ}, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def install_and_others(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Check the step that installs, which is not run here; return the others."""
    install, *others = steps

    assert 'pip install "epkit[train,local]"' == install["run"]
    return others


RUNS = ((0.9999, 5), (0.6, 0), (0.6, 0))
"""What the gate wants, and the exit code: a gate that says no, one that says yes, and nothing to do."""


def set_gate(project: Path, least: float) -> None:
    (project / "epkit.toml").write_text(CONFIG.format(least=least))


def begin(project: Path) -> None:
    """Forget the champion, so that a run is a first one; what was trained stays."""
    for kept in project.glob(".epkit/pipelines/bank/champion.json"):
        kept.unlink()


def test_github_runs_it_and_writes_the_summary(project: Path, tmp_path: Path):
    begin(project)
    run, listed = install_and_others(steps_of("github-pipeline.yaml"))
    assert "always()" == listed["if"]
    for number, (least, code) in enumerate(RUNS):
        set_gate(project, least)
        summary = tmp_path / f"summary-{number}.md"
        # GitHub: `bash -e` where no shell is named.
        ran = bash(project, run["run"], "-e", WHY='it\'s "nightly"', GITHUB_STEP_SUMMARY=str(summary))

        assert code == ran.returncode, ran.stderr
        assert summary.read_text().startswith("#")
        assert bool(code) == (ET.parse(project / "run.xml").getroot().get("failures") != "0")
        assert 0 == bash(project, listed["run"], "-e").returncode
    assert "nothing to do" in summary.read_text()
    assert "AUC over runs" in (project / "history.html").read_text()


def test_azure_devops_runs_it_and_uploads_the_summary(project: Path):
    begin(project)
    (step,) = install_and_others(steps_of("azure-devops-pipeline.yaml"))
    script = step["run"].replace("$(Build.Reason)", "Schedule")
    for least, code in RUNS:
        set_gate(project, least)
        ran = bash(project, script)

        assert code == ran.returncode, ran.stderr
        assert f"##vso[task.uploadsummary]{project}/summary.md" == ran.stdout.strip()
        assert (project / "summary.md").read_text().startswith("#")
    assert (project / ".epkit/pipelines/bank/runs").is_dir()
