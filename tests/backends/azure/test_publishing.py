"""Pipelines that the genuine SDK publishes at the emulated Azure: endpoint, schedule, jobs, and the states of jobs."""

import json
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tomllib
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import azure_publishing
from support.azure_cloud import batch, jobs
from support.azure_cloud.cloud import Cloud
from support.azure_cloud.http import Reply, refusal
from support.azure_cloud.state import WORKSPACE
from support.backend_hosts import require
from support.cli_harness import Cli, Ran
from support.trained import bank_like

PATIENCE_S = 240
PREVIEW = "2023-02-01-preview"
CONFIG = """[pipelines.bank]
data = "my bank.csv"
label = "y"
train = { runs = 2, folds = 2 }
gate = ["accuracy>=0.5"]
publishable = ["train.runs", "train.test_size"]
"""


class Publisher:
    """A project with a pipeline, and the cloud."""

    def __init__(self, cloud: Cloud, cli: Cli) -> None:
        self.cloud, self.state, self.directory = cloud, cloud.state, cli.directory
        self.cli = cli
        write_project(cli.directory)
        jobs.compute(cloud.state, "cpu-cluster")

    def attempt(self, *arguments: str) -> Ran:
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # a warning of an SDK is not an error for a user either
            return self.cli(*arguments, run=azure_publishing.run)

    def call(self, *arguments: str) -> Ran:
        return self.checked(self.attempt(*arguments))

    def checked(self, ran: Ran) -> Ran:
        """Check that no token or signature is in the outputs, or in any written or uploaded file."""
        written = {path: path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}
        for secret in ("canary-signature", *self.state.tokens):
            assert secret not in ran.out + ran.err
            assert [] == [path for path, content in written.items() if secret.encode() in content]
            assert [] == [name for name, content in self.state.blobs.items() if secret.encode() in content]

        assert [] == self.cloud.unknown
        return ran

    def value(self, *arguments: str) -> Any:
        ran = self.call(*arguments)

        assert 0 == ran.code, ran.err
        return json.loads(ran.out)

    def refused(self, code: int, *arguments: str) -> str:
        """Return the last line on stderr of a call that fails."""
        ran = self.call(*arguments)

        assert (code, "") == (ran.code, ran.out), ran.err
        assert "Traceback" not in ran.err
        return ran.lines[-1].removeprefix("epkit: ")

    def trigger(self, url: str, **values: int) -> str:
        """Start a job, like a caller with a token."""
        self.state.tokens["of the caller"] = float("inf")
        literals = {name: {"jobInputType": "Literal", "value": value} for name, value in values.items()}
        with httpx.Client(
            proxy=self.cloud.proxy, verify=ssl.create_default_context(cafile=self.cloud.cacert)
        ) as client:
            reply = client.post(
                url, json={"properties": {"inputData": literals}}, headers={"Authorization": "Bearer of the caller"}, timeout=PATIENCE_S,
            )  # fmt: skip
        del self.state.tokens["of the caller"]
        assert 201 == reply.status_code, reply.text
        name: str = reply.json()["name"]
        return name

    @property
    def endpoint(self) -> str:
        (name,) = self.state.batch
        return name

    @property
    def default(self) -> str:
        found: str = self.state.batch[self.endpoint]["properties"]["defaults"]["deploymentName"]
        return found

    def put(self, path: str) -> Any:
        """Return the body of the last PUT of a path below the workspace."""
        return self.cloud.sent("PUT", re.escape(WORKSPACE) + path)[-1].json["properties"]

    def job(self, files: dict[str, bytes], status: str = "Completed") -> str:
        """Add a job that has ended with these files."""
        self.state.stages = [status]
        if not self.state.batch:
            self.value("publish", "bank")
        name = batch.begin(self.state, self.endpoint, self.default, {})
        self.state.artifacts[f"{name}-train"] = files
        return name


def write_project(directory: Path) -> None:
    bank_like(200).write_csv(directory / "my bank.csv")
    (directory / "epkit.toml").write_text(CONFIG)


@pytest.fixture
def publisher(cloud: Cloud, cli: Cli) -> Publisher:
    require("azureml")
    pytest.importorskip("lightgbm")
    shutil.rmtree(cli.directory / "model")  # tests of other backends deploy it
    return Publisher(cloud, cli)


@pytest.fixture(scope="module")
def job_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return `PATH` of the conda file's environment: pip and epkit's requirements, without epkit."""
    place = tmp_path_factory.mktemp("job") / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    for each in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if (
            not each.name.lower().strip("_").startswith(("epkit", "editable", "pip"))
            and not (site / each.name).exists()
        ):
            (site / each.name).symlink_to(each)
    return str(place / "bin")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of a job, made on this machine by the command that the job runs."""
    pytest.importorskip("lightgbm")
    place = tmp_path_factory.mktemp("left")
    write_project(place)
    command = [sys.executable, "-m", "epkit", "pipeline", "run", "bank", "--to", "gate", "--quiet"]
    subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=PATIENCE_S)
    home = place / ".epkit" / "pipelines" / "bank"
    paths = [path for name in ("runs", "cache") for path in (home / name).rglob("*") if path.is_file()]
    return {f"outputs/epkit/{path.relative_to(home).as_posix()}": path.read_bytes() for path in paths}


@pytest.fixture
def files(left: dict[str, bytes]) -> dict[str, bytes]:
    return dict(left)


def test_a_job_trains_by_the_uploaded_epkit_and_its_model_is_judged_here(publisher: Publisher, job_path: str):
    publisher.state.job_path = job_path
    published = publisher.value("publish", "bank", "week")
    job = publisher.trigger(published["url"], train_runs=3)
    log = publisher.value("ask", "log", job)

    assert "Completed" == publisher.value("ask", "state", job)["status"], log
    assert ["train"] == [step["name"] for step in publisher.value("ask", "children", job)]
    assert any("best of 3" in line for line in log), log
    (site,) = Path(job_path).parent.glob("lib/python*/site-packages")
    assert (site / "epkit" / "__init__.py").is_file()  # from the wheel
    assert 0.5 <= publisher.value("ask", "metrics", job)["accuracy"] <= 1
    assert [job] == [each["name"] for each in publisher.value("ask", "listed", "bank")]

    ran = publisher.value("promote", "bank", job)
    assert ("ok", 0, f"the model of the job {job} at Azure") == (ran["state"], ran["code"], ran["why"])
    assert {"data": "ok", "train": "reused", "gate": "ok"} == ran["steps"]
    report = json.loads((publisher.directory / ".epkit/pipelines/bank/runs/1/report.json").read_text())
    assert 3 == report["parameters"]["train"]["runs"]
    assert report["switched"]
    assert "table.parquet" not in "".join(publisher.state.artifacts[f"{job}-train"])


def test_what_is_sent_is_what_the_service_takes(publisher: Publisher):
    """Source: the bodies of azure-ai-ml 1.35.2 for a component, an endpoint and a deployment, as it sent them."""
    published = publisher.value("publish", "bank", "", "0 6 * * 1")
    endpoint, version = published["endpoint"], published["deployment"][1:]
    component = f"{WORKSPACE}/components/epkit_{endpoint.replace('-', '_')}/versions/{version}"

    assert re.fullmatch("bank-[0-9a-f]{8}", endpoint)
    assert f"https://{batch.host(endpoint)}/jobs" == published["url"]
    assert {"description": "the pipeline bank of epkit", "authMode": "aadToken", "properties": {},
            "defaults": {"deploymentName": f"v{version}"}} == publisher.put("/batchEndpoints/[^/]+")  # fmt: skip
    (deployment,) = publisher.cloud.sent("PUT", "/deployments/v[0-9]+")
    assert PREVIEW == deployment.query["api-version"]
    assert {
        "deploymentConfigurationType": "PipelineComponent",
        "componentId": {"assetId": component, "referenceType": "Id"},
        "settings": {"continue_on_step_failure": False, "default_compute": "cpu-cluster"},
    } == deployment.json["properties"]["deploymentConfiguration"]
    step, pipeline = (
        each.json["properties"]["componentSpec"] for each in publisher.cloud.sent("PUT", "/components/.+")
    )
    optional = {
        "train_runs": {"type": "integer", "optional": True, "max": "20"},
        "train_test_size": {"type": "number", "optional": True},
    }
    assert {"data": {"type": "uri_file"}, **optional} == step["inputs"]
    assert (optional, False) == (pipeline["inputs"], step["is_deterministic"])
    assert "$[[--set train.runs=${{inputs.train_runs}}]]" in step["command"]
    assert re.search(r"pip install --quiet --no-deps --no-index \./epkit-[0-9.]+-py3-none-any\.whl ", step["command"])
    data = publisher.put("/data/[^/]+/versions/[^/]+")
    assert ("uri_file", True) == (data["dataType"], data["dataUri"].endswith("/table.csv"))
    conda = publisher.put("/environments/.+")["condaFile"]
    assert "- lightgbm==" in conda
    assert "- epkit" not in conda
    schedule = publisher.put("/schedules/.+")
    assert ("0 6 * * 1", "UTC") == (schedule["trigger"]["expression"], schedule["trigger"]["timeZone"])
    assert (component, endpoint) == tuple(
        schedule["action"]["jobDefinition"][key] for key in ("componentId", "experimentName")
    )


def test_nothing_of_the_project_goes_along_but_the_pipeline(publisher: Publisher):
    (publisher.directory / "secret.env").write_text("EPKIT_KEY=x")
    (publisher.directory / "mine.py").write_text("def make():\n    return None\n")
    text = CONFIG + 'custom = ["mine.py:make"]\ndeploy = { endpoint = "bank" }\nbench = { requests = 2 }\n'
    text += '[endpoints.bank]\nuri = "https://example.com/score"\n'
    (publisher.directory / "epkit.toml").write_text(text)
    publisher.value("publish", "bank")
    uploaded = {name.partition("/")[2] for name in publisher.state.blobs}
    toml = next(content for name, content in publisher.state.blobs.items() if name.endswith("/epkit.toml")).decode()

    names = {Path(name).name for name in uploaded}
    assert {"table.csv", "epkit.toml", "mine.py"} == {name for name in names if not name.endswith(".whl")}
    assert not re.search("deploy|bench|endpoints|publishable|example.com", toml)


def test_publishing_again_is_a_new_version_and_the_old_one_goes(publisher: Publisher):
    first = publisher.value("publish", "bank", "day")
    second = publisher.value("publish", "bank")

    assert first["url"] == second["url"]
    assert second["deployment"] == publisher.default
    assert [(publisher.endpoint, second["deployment"])] == list(publisher.state.batch_deployments)
    assert 1 == len(publisher.cloud.sent("PUT", "/data/.+"))  # the table is the same
    assert {} == publisher.state.schedules  # without --every there is no schedule
    assert publisher.value("unpublish", "bank")
    assert ({}, {}) == (publisher.state.batch, publisher.state.batch_deployments)
    assert not publisher.value("unpublish", "bank")


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (400, "InvalidApiVersionParameter", f"version {PREVIEW} of the API"),
        (410, "Gone", f"version {PREVIEW} of the API"),
        (403, "AuthorizationFailed", "ask for the role"),
        (409, "Conflict", "wait until that is over"),
        (404, "ResourceNotFound", "ResourceNotFound"),
    ],
)
def test_what_azure_refuses_is_said_in_one_line_and_nothing_is_left(
    publisher: Publisher, status: int, code: str, said: str
):
    publisher.cloud.fail("PUT", "/deployments/", refusal(status, code, "The service says no."))
    line = publisher.refused(6, "publish", "bank")

    assert f"{code}: The service says no." in line
    assert said in line
    assert ({}, {}) == (publisher.state.batch, publisher.state.batch_deployments)


def test_a_version_that_fails_leaves_the_one_before(publisher: Publisher):
    before = publisher.value("publish", "bank")
    publisher.cloud.fail("PUT", "/batchEndpoints/[^/]+$", refusal(400, "BadArgument", "No."))
    publisher.refused(6, "publish", "bank")

    assert before["deployment"] == publisher.default
    assert [before["deployment"]] == [name for _, name in publisher.state.batch_deployments]


def test_a_busy_service_is_asked_again_and_an_ended_login_says_so(publisher: Publisher):
    busy = Reply(
        status=429, headers={"Retry-After": "0"}, body={"error": {"code": "TooManyRequests", "message": "Busy."}}
    )
    publisher.cloud.fail("PUT", "/deployments/", busy, times=2)
    publisher.value("publish", "bank")
    assert 3 == len(publisher.cloud.sent("PUT", "/deployments/.+"))

    publisher.cloud.fail("GET", "/batchEndpoints/", refusal(401, "InvalidAuthenticationToken", "It has expired."))
    assert "az login again" in publisher.refused(6, "publish", "bank")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('publishable = ["train.metric"]', "train.metric cannot be set by callers at Azure"),
        ('custom = ["../mine.py:make"]', "is not uploaded"),
        ('data = "https://example.com/bank.csv?sig=canary-signature"', "holds a key"),
        ('data = "gone.csv"', "there is no"),
    ],
)
def test_what_cannot_be_published_is_refused_before_anything_is_uploaded(publisher: Publisher, line: str, said: str):
    (publisher.directory.parent / "mine.py").write_text("def make():\n    return None\n")
    key = line.partition(" ")[0]
    text = re.sub(f"^{key} = .*\n", "", CONFIG, flags=re.MULTILINE)
    (publisher.directory / "epkit.toml").write_text(text + line + "\n")

    ran = publisher_call_without_own_secret(publisher)
    assert 2 == ran.code
    assert said in ran.lines[-1]
    assert {} == publisher.state.blobs
    assert {} == publisher.state.batch


def publisher_call_without_own_secret(publisher: Publisher) -> Ran:
    """Publish with the secret in the project's own file: only printed and uploaded data is searched for it."""
    ran = publisher.attempt("publish", "bank")
    assert "canary-signature" not in ran.out + ran.err
    return ran


def test_a_compute_that_is_not_there_is_named(publisher: Publisher):
    assert "--compute other: there is none" in publisher.refused(2, "publish", "bank", "", "", "other")
    assert {} == publisher.state.blobs


def test_a_model_that_missed_the_gate_there_is_not_taken(publisher: Publisher, files: dict[str, bytes]):
    report = json.loads(files["outputs/epkit/runs/1/report.json"])
    report |= {"state": "stopped", "exit_code": 5, "reason": "gate: accuracy>=0.5: is 0.4"}
    files["outputs/epkit/runs/1/report.json"] = json.dumps(report).encode()
    ran = publisher.value("promote", "bank", publisher.job(files, "Failed"))

    assert ("stopped", 5, "gate: accuracy>=0.5: is 0.4") == (ran["state"], ran["code"], ran["reason"])
    assert not (publisher.directory / ".epkit").exists()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("Failed", "is Failed: UserError: no memory"),
        ("Canceled", "it was cancelled"),
        ("Running", "there is no model yet"),
    ],
)
def test_a_job_without_a_model_says_why(publisher: Publisher, status: str, said: str):
    publisher.state.job_error = {"error": {"code": "UserError", "message": "no memory"}}

    assert said in publisher.refused(6, "promote", "bank", publisher.job({}, status))


def test_a_job_that_is_cancelled_here_is_over(publisher: Publisher):
    job = publisher.job({}, "Running")

    assert "Canceled" == publisher.value("ask", "cancel", job)["status"]
    assert "Canceled" == publisher.value("ask", "cancel", job)["status"]
    assert 1 == len(publisher.cloud.sent("POST", f"/jobs/{job}/cancel"))


def test_a_job_or_a_log_that_is_not_there_is_said(publisher: Publisher):
    job = publisher.job({"other.txt": b"x"}, "Running")

    assert "it has no log yet" in publisher.refused(6, "ask", "log", job)
    assert "was not found" in publisher.refused(6, "ask", "state", "other")


def test_another_table_or_configuration_takes_no_model(publisher: Publisher, files: dict[str, bytes]):
    job = publisher.job(files)
    config = publisher.directory / "epkit.toml"
    config.write_text(CONFIG.replace("folds = 2", "folds = 3"))
    assert "trained with another configuration" in publisher.refused(2, "promote", "bank", job)

    config.write_text(CONFIG)
    bank_like(210).write_csv(publisher.directory / "my bank.csv")
    assert "is not the table that the job" in publisher.refused(2, "promote", "bank", job)
    assert [] == list((publisher.directory / ".epkit").rglob("model.npz"))


@pytest.mark.parametrize("kind", ["model", "name", "outcome", "report"])
def test_files_that_no_training_leaves_are_not_taken(publisher: Publisher, files: dict[str, bytes], kind: str):
    (model,) = (name for name in files if name.endswith("model/model.npz"))
    key = model.split("/")[3]
    step, code = f"outputs/epkit/cache/{key}/step.json", 6
    if kind == "model":
        files[model] += b"x"
    elif kind == "name":
        files[f"outputs/epkit/cache/{key}/../../../../../../evil"] = b"x"
        code = 2
    elif kind == "outcome":
        files[step] = files[step].replace(f"../../cache/{key}/model".encode(), b"/etc")
    else:
        files["outputs/epkit/runs/1/report.json"] = b"{}"
    job = publisher.job(files)
    publisher.refused(code, "promote", "bank", job)

    assert not (publisher.directory / "evil").exists()
    assert [] == list((publisher.directory / ".epkit").rglob("model.npz"))


def test_the_commands_publish_show_and_take_back(publisher: Publisher):
    def run(*arguments: str) -> Ran:
        return publisher.checked(publisher.cli.spawn("pipeline", *arguments))

    ran = run("publish", "bank", "--backend", "azureml", "--compute", "cpu-cluster", "--every", "week")
    url = f"https://{batch.host(publisher.endpoint)}/jobs"
    assert 0 == ran.code, ran.err
    assert [url, "by itself: every 1 week, in UTC", "next: epkit pipeline trigger bank --wait"] == ran.out.splitlines()[
        1:
    ]
    toml = tomllib.loads((publisher.directory / "epkit.toml").read_text())["published"]["bank"]
    assert {"url": url, "backend": "azureml", "auth": "aad", "workspace": "ep-ws"} == toml

    job = publisher.job({batch.LOG: b"trained\n"}, "Running")
    assert f"{job}  Running" in run("status", "bank").out
    assert "trained\n" == run("logs", "bank", job).out
    assert f"{job}: Canceled\n" == run("cancel", "bank", job).out
    assert "it was cancelled" in run("promote", "bank", job).err

    ran = run("unpublish", "bank")
    assert "the data, the components and the jobs with their files stay" in ran.out
    assert ({}, {}) == (publisher.state.batch, publisher.state.schedules)
    assert "published" not in tomllib.loads((publisher.directory / "epkit.toml").read_text())


def test_who_waits_for_a_job_takes_its_model(publisher: Publisher, files: dict[str, bytes]):
    class EveryJob(dict[str, dict[str, bytes]]):
        def get(self, run: str, _: Any = None) -> dict[str, bytes]:  # type: ignore[override]
            return files

    publisher.state.stages, publisher.state.artifacts = ["Completed"], EveryJob()
    published = publisher.value("publish", "bank")
    arguments = ("trigger", "bank", "--wait", "-X", publisher.cloud.proxy, "--cacert", publisher.cloud.cacert)
    ran = publisher.checked(publisher.cli.spawn("pipeline", *arguments))

    assert 0 == ran.code, ran.err
    assert ["data", "train", "gate"] == [
        line.split()[0] for line in ran.out.splitlines() if "reused" in line or " ok " in line
    ]
    assert 1 == len(publisher.cloud.sent("POST", "/jobs"))
    (post,) = publisher.cloud.sent("POST", "/jobs")
    assert post.host in published["url"]
