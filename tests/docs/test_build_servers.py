"""The files for build servers work in a shell: each step's script runs as in its service."""

import json
import os
import shlex
import shutil
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
    """A checkout with a pipeline, which the tests use one after the other; the training is reused."""
    pytest.importorskip("lightgbm", reason="needs the extra train")
    directory = tmp_path_factory.mktemp("checkout")
    bank_like(500).write_csv(directory / "bank.csv")
    return directory


def steps_of(name: str) -> list[dict[str, Any]]:
    """Return the steps of a file that have a script, in GitHub's terms."""
    found = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    steps = found["steps"] if "steps" in found else next(iter(found["jobs"].values()))["steps"]
    scripts = [{**step, "run": step.get("run") or step.get("script")} for step in steps]
    return [step for step in scripts if step["run"]]


def bash(project: Path, script: str, *options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a script like a service in which an installed epkit is on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    foreign = ("EPKIT_", "GITHUB_", "TF_BUILD")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", *options, "-c", script],
        cwd=project, env={**own, "PATH": path, **environ}, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def install_and_others(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Check the step that installs, which does not run here; return the others."""
    install, *others = steps

    assert install["run"].startswith('pip install "epkit[')
    return others


RUNS = ((0.9999, 5), (0.6, 0), (0.6, 0))
"""The gate's limit, and the exit code: a gate that fails, one that passes, and nothing to do."""


def set_gate(project: Path, least: float) -> None:
    (project / "epkit.toml").write_text(CONFIG.format(least=least))


def begin(project: Path) -> None:
    """Delete the champion, so that a run counts as the first one; trained models stay."""
    for kept in project.glob(".epkit/pipelines/bank/champion.json"):
        kept.unlink()


def test_github_runs_it_and_writes_the_summary(project: Path, tmp_path: Path):
    begin(project)
    run, listed = install_and_others(steps_of("github-pipeline.yaml"))
    assert "always()" == listed["if"]
    for number, (least, code) in enumerate(RUNS):
        set_gate(project, least)
        summary = tmp_path / f"summary-{number}.md"
        # GitHub uses `bash -e` if no shell is named.
        ran = bash(project, run["run"], "-e", WHY='it\'s "nightly"', GITHUB_STEP_SUMMARY=str(summary))

        assert code == ran.returncode, ran.stderr
        assert summary.read_text().startswith("#")
        assert bool(code) == (ET.parse(project / "run.xml").getroot().get("failures") != "0")
        assert 0 == bash(project, listed["run"], "-e").returncode
    assert "nothing to do" in summary.read_text()
    assert "AUC over runs" in (project / "history.html").read_text()


def test_azure_devops_runs_it_and_uploads_the_summary(project: Path, tmp_path: Path):
    begin(project)
    (step,) = install_and_others(steps_of("azure-devops-pipeline.yaml"))
    script = step["run"].replace("$(Build.Reason)", "Schedule")
    for least, code in RUNS:
        set_gate(project, least)
        ran = bash(project, script, TF_BUILD="True", AGENT_TEMPDIRECTORY=str(tmp_path))

        assert code == ran.returncode, ran.stderr
        (command,) = [line for line in ran.stderr.splitlines() if line.startswith("##vso[")]
        summary = Path(command.removeprefix("##vso[task.uploadsummary]"))
        assert tmp_path == summary.parent
        assert summary.read_text().startswith("### epkit pipeline: ")
    assert (project / ".epkit/pipelines/bank/runs").is_dir()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with payloads and their contract; the embedded endpoint is measured in it."""
    pytest.importorskip("azureml_inference_server_http", reason="needs the extra local")
    directory = tmp_path / "checkout"
    (directory / "payloads").mkdir(parents=True)
    shutil.copy(ROOT / "payloads" / "bank-two-rows.json", directory / "payloads" / "rows.json")
    shutil.copy(ROOT / "swagger" / "bank.swagger2.json", directory / "swagger.json")
    return directory


def check_what_is_left(checkout: Path) -> None:
    """Check the files that a job passes on."""
    assert "2.1.0" == json.loads((checkout / "validate.sarif").read_text())["version"]
    assert "<!doctype html>" in (checkout / "run.html").read_text()[:20].lower()
    names = [case.get("name") for case in ET.parse(checkout / "run.xml").getroot().iter("testcase")]
    assert "p99<250ms" in names


def test_github_validates_measures_and_compares_an_endpoint(checkout: Path, tmp_path: Path):
    validate, bench, report, compare, keep = install_and_others(steps_of("github-endpoint.yaml"))
    summary = tmp_path / "summary.md"
    job = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "EPKIT_TARGET": "", "EPKIT_KEY": ""}
    for step in (validate, bench, report, compare, keep):  # main, which has no earlier run to compare with
        ran = bash(checkout, step["run"], "-e", **job)
        assert (0, "") == (ran.returncode, ran.stdout if step is compare else ""), ran.stderr
    check_what_is_left(checkout)
    assert not (checkout / "new.epkit").exists()
    shutil.copy(checkout / "main.epkit", checkout / "new.epkit")  # a pull request without changes
    ran = bash(checkout, compare["run"], "-e", **job)

    assert 0 == ran.returncode, ran.stderr
    assert (checkout / "compare.html").exists()
    headings = [line.split(":")[0] for line in summary.read_text().splitlines() if line.startswith("#")]
    assert ["### epkit validate", "### epkit bench", "### epkit compare"] == headings


def test_azure_devops_validates_measures_and_compares_an_endpoint(checkout: Path, tmp_path: Path):
    steps = install_and_others(steps_of("azure-devops-endpoint.yaml"))
    job = {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(tmp_path)}
    validate, bench, report, compare, collect, keep = (step["run"] for step in steps)
    for script in (validate, bench, report):
        assert 0 == (ran := bash(checkout, script, **job)).returncode, ran.stderr
    check_what_is_left(checkout)
    for script in (keep, f"cp main/run.epkit new.epkit\n{compare}", collect):
        assert 0 == (ran := bash(checkout, script, **job)).returncode, ran.stderr
    assert {"run.html", "compare.html"} == {path.name for path in (checkout / "pages").iterdir()}
    assert 3 == len(list(tmp_path.glob("epkit-summary-*.md")))


def test_a_payload_that_breaks_the_contract_fails_the_step_and_leaves_its_findings(checkout: Path, tmp_path: Path):
    shutil.copy(ROOT / "payloads" / "broken-null-number.json", checkout / "payloads")
    validate = install_and_others(steps_of("github-endpoint.yaml"))[0]
    ran = bash(checkout, validate["run"], "-e", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))

    assert 3 == ran.returncode
    (found, *_) = json.loads((checkout / "validate.sarif").read_text())["runs"][0]["results"]
    assert "payloads/broken-null-number.json" == found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert "1 of 2 files invalid" in (tmp_path / "summary.md").read_text()


def hook() -> dict[str, Any]:
    (found,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    return found


def test_the_hook_of_pre_commit_validates_all_files_in_one_call(checkout: Path):
    # What pre-commit runs: the entry, the user's arguments, the files.
    line = shlex.join([*shlex.split(hook()["entry"]), "--schema", "swagger.json"])
    good = bash(checkout, f"{line} payloads/rows.json payloads/rows.json")
    shutil.copy(ROOT / "payloads" / "broken-null-number.json", checkout / "payloads")
    bad = bash(checkout, f"{line} payloads/broken-null-number.json payloads/rows.json")

    assert ("epkit-validate", "python", True) == (hook()["id"], hook()["language"], hook()["require_serial"])
    assert (0, 3) == (good.returncode, bad.returncode)
    assert "payloads/broken-null-number.json: invalid: 1 error" in bad.stdout
    assert "payloads/rows.json: valid" in bad.stdout
