"""A pipeline's candidate at Azure: a deployment next to the serving one, and traffic that moves step by step."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from epkit.core.contract.contract import parse
from epkit.core.validate.validation import Validator
from epkit.served.model import Model
from support.azure_cloud import arm
from support.azure_cloud.cloud import Cloud
from support.backend_hosts import require
from support.cli_harness import Cli
from support.hand_pipeline import MODELS, make_project, write_config
from support.places import ROOT

PATIENCE_S = 240
MODEL_TAG = "epkit-model-sha256"
KINDS = {"number": {"type": "number", "format": "double"}, "category": {"type": "string"}}


class Project:
    """A project whose pipeline deploys to the emulated cloud; its models are those of `hand_pipeline`."""

    def __init__(self, cloud: Cloud, cli: Cli) -> None:
        self.cloud, self.directory = cloud, cli.directory
        make_project(cli.directory)
        conda = (cli.directory / MODELS / "two" / "conda.yml").read_text()
        assert "azureml-inference-server-http" in conda
        write_config(cli.directory, 'deploy = { endpoint = "bank", backend = "azureml" }', "canary = [10, 50, 100]")
        self.environ = {**cli._environment(), "HAND_PROXY": cloud.proxy, "PYTHONPATH": str(ROOT / "tests")}
        self.environ.pop("PYTHONWARNINGS")
        self.model = Model.load(cli.directory / MODELS / "two")
        self.contract = self._contract()
        self.validator = Validator(parse(self.contract))
        cloud.state.contract = json.dumps(self.contract).encode()
        cloud.state.scripts |= {"green": self.script, "blue": self.script}

    def _contract(self) -> dict[str, Any]:
        columns = {column["name"]: KINDS[column["kind"]] for column in self.model.card["columns"]}
        row = {"type": "object", "properties": columns, "required": list(columns), "additionalProperties": True}
        body = {
            "type": "object",
            "properties": {"data": {"type": "array", "items": row}, "method": {"type": "string"}},
            "example": {"data": [self.model.card["example"]], "method": "predict"},
        }
        operation = {
            "parameters": [{"in": "body", "name": "body", "schema": body}],
            "responses": {"200": {"description": "", "schema": {"type": "object"}}},
        }
        return {"swagger": "2.0", "info": {"title": "", "version": "1"}, "paths": {"/score": {"post": operation}}}

    def script(self, body: bytes) -> tuple[int, object]:
        """Score like the model's own script."""
        if not self.validator.check(body).valid:
            return 400, {"error": "refused"}
        sent = json.loads(body)
        rows = sent["data"]
        chances = self.model.predict_proba(
            {encoder.name: [row[encoder.name] for row in rows] for encoder in self.model.encoders}
        )
        wanted = chances.tolist() if sent.get("method") == "predict_proba" else self.model.answers(chances)
        return 200, {"result": wanted}

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "support.hand_pipeline", "two"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.directory, env=self.environ, text=True, **pipes)

    def run(self) -> tuple[int, dict[str, Any]]:
        with self.start() as process:
            out, err = process.communicate(timeout=PATIENCE_S)

        assert "canary-" not in out + err  # the keys and tokens of the cloud
        assert out, err
        return process.returncode, json.loads(out)

    def traffic(self) -> list[dict[str, int]]:
        """Return the successive divisions of the traffic."""
        return [each.json["properties"]["traffic"] for each in self.cloud.sent("PUT", "/onlineEndpoints/bank")]

    @property
    def now(self) -> dict[str, int]:
        found: dict[str, int] = self.cloud.state.endpoints["bank"]["properties"]["traffic"]
        return found

    @property
    def deployments(self) -> set[str]:
        return {name for _, name in self.cloud.state.deployments}


@pytest.fixture
def project(cloud: Cloud, cli: Cli) -> Project:
    require("azureml")
    return Project(cloud, cli)


def seed(project: Project) -> None:
    arm.endpoint(project.cloud.state, "bank", "blue")
    project.cloud.state.new_keys("bank")


PARTS = [{"blue": 90, "green": 10}, {"blue": 50, "green": 50}, {"green": 100}]


def test_the_traffic_moves_part_by_part_and_the_same_model_is_not_deployed_again(project: Project):
    seed(project)
    code, ran = project.run()

    assert 0 == code, ran
    assert (PARTS, {"green": 100}, {"green"}) == (project.traffic(), project.now, project.deployments)
    made = project.cloud.state.deployments["bank", "green"]
    assert 64 == len(made["tags"][MODEL_TAG])
    assert ("risk", True) == (made["tags"]["team"], made["properties"]["appInsightsEnabled"])
    assert "deploy ok: bank/green, no traffic" in ran["said"]
    code, ran = project.run()
    assert (0, "skipped", "skipped") == (code, ran["steps"]["deploy"], ran["steps"]["watch"]), ran
    assert PARTS == project.traffic()


def test_a_look_that_finds_something_moves_the_traffic_back(project: Project):
    seed(project)

    def fails_at_half(body: bytes) -> tuple[int, object]:
        return (500, "boom") if project.now.get("green") == 50 else project.script(body)

    project.cloud.state.scripts["green"] = fails_at_half
    code, ran = project.run()

    assert (3, "failed") == (code, ran["steps"]["switch"]), ran
    assert ran["reason"].startswith("switch: with 50 % of the traffic: bank-green: golden rows: status 500: ")
    assert [*PARTS[:2], {"blue": 100}] == project.traffic()
    assert ({"blue": 100}, {"blue"}) == (project.now, project.deployments)


def waits(project: Project, wait: str) -> None:
    more = ("canary = [10, 50, 100]", f'canary_wait = "{wait}"')
    write_config(project.directory, 'deploy = { endpoint = "bank", backend = "azureml" }', *more)


@pytest.mark.long
def test_each_part_but_the_last_is_watched_by_requests_to_the_candidate(project: Project):
    seed(project)
    waits(project, "3s")
    asked: dict[int, int] = {}

    def counted(body: bytes) -> tuple[int, object]:
        part = project.now.get("green", 0)
        asked[part] = asked.get(part, 0) + 1
        return project.script(body)

    project.cloud.state.scripts["green"] = counted
    code, ran = project.run()

    assert 0 == code, ran
    assert (PARTS, {"green": 100}) == (project.traffic(), project.now)
    assert asked[100] + 3 == asked[10] == asked[50]
    assert "50 % of the traffic: 0 of 3 requests failed" in ran["said"]
    report = json.loads((project.directory / ".epkit/pipelines/bank/runs/1/report.json").read_bytes())
    (parts,) = [step["result"]["parts"] for step in report["steps"] if step["step"] == "switch"]
    assert [{"requests": 3, "failed": 0}] * 2 + [None] == [part["watched"] for part in parts]


@pytest.mark.long
def test_errors_while_a_part_is_watched_move_the_traffic_back(project: Project):
    seed(project)
    waits(project, "30s")
    seen: list[bytes] = []

    def fails_later(body: bytes) -> tuple[int, object]:
        if project.now.get("green") == 10:
            seen.append(body)
        return project.script(body) if len(seen) < 5 else (500, "boom")

    project.cloud.state.scripts["green"] = fails_later
    project.cloud.state.scripts["blue"] = project.script
    code, ran = project.run()

    assert (4, "failed") == (code, ran["steps"]["switch"]), ran
    assert "with 10 % of the traffic: bank-green: " in ran["reason"]
    assert ({"blue": 100}, {"blue"}) == (project.now, project.deployments)


@pytest.mark.long
def test_a_run_that_is_killed_half_way_is_gone_back_first(project: Project):
    seed(project)
    half, over = threading.Event(), threading.Event()

    def waits_at_half(body: bytes) -> tuple[int, object]:
        if project.now.get("green") == 50 and not over.is_set():
            half.set()
            over.wait(PATIENCE_S)
        return project.script(body)

    project.cloud.state.scripts["green"] = waits_at_half
    with project.start() as process:
        assert half.wait(PATIENCE_S)
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    over.set()
    (record,) = Path(project.directory).glob(".epkit/pipelines/bank/runs/*/candidate.json")

    assert ("moving", 50) == (json.loads(record.read_bytes())["phase"], json.loads(record.read_bytes())["part"])
    assert ({"blue": 50, "green": 50}, {"blue", "green"}) == (project.now, project.deployments)
    code, ran = project.run()
    assert 0 == code, ran
    assert [*PARTS[:2], {"blue": 100}, *PARTS] == project.traffic()
    assert ({"green": 100}, {"green"}) == (project.now, project.deployments)


def test_the_first_run_makes_the_endpoint_without_traffic_and_a_candidate_that_fails_takes_it_along(project: Project):
    good = project.cloud.state.scripts.pop("blue")
    project.cloud.state.scripts["blue"] = lambda _: (500, "boom")
    code, ran = project.run()

    assert (3, "failed") == (code, ran["steps"]["prove"]), ran
    assert {} == project.cloud.state.endpoints
    project.cloud.state.scripts["blue"] = good
    code, ran = project.run()
    assert 0 == code, ran
    assert ({"blue": 100}, {"blue"}) == (project.now, project.deployments)
    assert "[endpoints.bank]" in (project.directory / "epkit.toml").read_text()
