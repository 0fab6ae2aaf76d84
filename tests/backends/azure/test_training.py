"""`epkit train --backend azureml`: the genuine SDK against the emulated cloud, from table to model directory."""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from epkit.served.model import Model
from support.azure_cloud import jobs
from support.azure_cloud.cloud import Cloud
from support.azure_cloud.http import Reply, refusal
from support.backend_hosts import require
from support.cli_harness import Cli, Ran

SKU = "STANDARD_DS12_V2"
PATIENCE_S = 80


def row(age: int) -> str:
    return f"{age},{'admin.' if age % 3 else 'retired'},00{age % 7},{age},{'yes' if age % 5 == 0 else 'no'}"


TABLE = "\n".join(["age,job,branch,client,y", *map(row, range(20, 120))]) + "\n"


class Trainer:
    """The command line in a project with a table, and the cloud."""

    def __init__(self, cloud: Cloud, cli: Cli) -> None:
        self.cloud, self.cli, self.directory = cloud, cli, cli.directory
        cli.write("bank.csv", TABLE)
        jobs.compute(cloud.state, "cpu-cluster")

    def run(self, *arguments: object) -> Ran:
        return self.checked(self.cli("train", *arguments))

    def checked(self, ran: Ran) -> Ran:
        """Check that no key, token or signature is in the outputs, or in any written file."""
        paths = (path for path in self.directory.rglob("*") if path.is_file() and ".git" not in path.parts)
        written = {path: path.read_bytes() for path in paths}
        for secret in (b"canary-signature", *(token.encode() for token in self.cloud.state.tokens)):
            assert secret not in (ran.out + ran.err).encode()
            assert [] == [path for path, content in written.items() if secret in content]

        assert [] == self.cloud.unknown
        return ran

    def begin(self, *more: object) -> Ran:
        return self.run("bank.csv", "--label", "y", "--backend", "azureml", "--compute", "cpu-cluster", *more)

    def shown(self, code: int, *arguments: object) -> list[str]:
        """Run a command that fails; return its lines on stderr; the last one has the reason."""
        ran = self.run(*arguments)

        assert (code, "") == (ran.code, ran.out), ran.err
        assert "Traceback" not in ran.err
        return [line.removeprefix("epkit: ") for line in ran.lines]

    def document(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.cli.read(name))
        return found

    @property
    def job(self) -> str:
        (name,) = self.cloud.state.jobs
        return name

    @property
    def status(self) -> str:
        found: str = self.cloud.state.jobs[self.job]["properties"]["status"]
        return found

    def registered(self) -> list[str]:
        return [path for path in self.cloud.state.assets if "/models/" in path]


@pytest.fixture
def trainer(cloud: Cloud, cli: Cli) -> Trainer:
    require("azureml")
    shutil.rmtree(cli.directory / "model")  # tests of other backends deploy it
    return Trainer(cloud, cli)


def test_the_best_trial_becomes_a_directory_that_can_be_deployed(trainer: Trainer):
    remote = "https://user:canary-signature@example.com/repo.git"
    for command in (["init", "-q"], ["remote", "add", "origin", remote]):
        subprocess.run(["git", *command], cwd=trainer.directory, check=True)
    ran = trainer.begin(
        "--id", "client", "--runs", "7", "--time-limit", "90m", "--block", "knn", "--workers", "2",
        "--gate", "AUC_weighted>=0.9", "--html", "page.html",
    )  # fmt: skip

    assert 0 == ran.code, ran.err
    (put,) = trainer.cloud.sent("PUT", "/jobs/[^/]+")
    properties = put.json["properties"]
    task = properties["taskDetails"]
    assert {"azureml.git.dirty": "False"} == properties["properties"]
    assert ("Classification", "y", "yes", "AUCWeighted") == tuple(
        task[key] for key in ("taskType", "targetColumnName", "positiveLabel", "primaryMetric")
    )
    assert {"mode": "Custom", "value": 5} == task["nCrossValidations"]
    limits = {"maxTrials": 7, "maxConcurrentTrials": 2, "timeout": "PT1H30M", "enableEarlyTermination": True}
    assert limits == {key: task["limitSettings"][key] for key in limits}
    assert (True, ["KNN"]) == (
        task["trainingSettings"]["enableVoteEnsemble"], task["trainingSettings"]["blockedTrainingAlgorithms"]
    )  # fmt: skip
    check_sent(trainer)
    check_written(trainer)
    for line in (
        "At Azure:     AUC_weighted 0.948, accuracy 0.917",
        "   3 VotingEnsemble          0.9476",
        "Registered:   azureml:bank:1 in ep-ws",
        "Next:         epkit deploy create NAME --model model --entry score.py \\",
        "                --backend azureml",
        "passed: AUC_weighted>=0.9 (observed 0.948)",
    ):
        assert line in ran.out.splitlines(), ran.out
    assert "Azure gives no intervals" in trainer.cli.read("page.html")
    (made,) = trainer.registered()
    uri = f"azureml://jobs/{trainer.job}_3/outputs/artifacts/outputs/mlflow-model"
    model = trainer.cloud.state.assets[made]["properties"]
    assert ("mlflow_model", uri) == (model["modelType"], model["modelUri"])
    # The token goes only to Azure ML: the storage uses a signature instead.
    fetched = [each for each in trainer.cloud.requests if each.path.startswith("/ExperimentRun/")]
    assert 6 == len(fetched)
    assert not any("authorization" in each.headers for each in fetched)
    deployed = trainer.checked(
        trainer.cli.spawn(
            "deploy", "create", "bank", "--model", "model", "--entry", "score.py", "--backend", "azureml", "--dry-run"
        )
    )
    assert 0 == deployed.code, deployed.err
    assert "epkit: --model model: a pickle, made by Azure AutoML: serving it runs that code" in deployed.lines


def check_sent(trainer: Trainer) -> None:
    """Check that the sent columns are those of the training, without the test rows, and that texts stay texts."""
    blobs = {path.rpartition("/")[2]: content.decode() for path, content in trainer.cloud.state.blobs.items()}
    header, *sent = blobs["train.csv"].splitlines()
    kept = trainer.cli.read("model.run/test.csv").splitlines()
    without = [",".join([*line.split(",")[:3], line.split(",")[4]]) for line in TABLE.splitlines()[1:]]

    assert ("age,job,branch,y", "age,job,branch,client,y") == (header, kept[0])
    assert 10 < len(kept) < 35
    test = {",".join([*line.split(",")[:3], line.split(",")[4]]) for line in kept[1:]}
    assert [line for line in without if line not in test] == sent
    assert '      - columns: ["job", "branch", "y"]\n        column_type: string\n' in blobs["MLTable"]


def check_written(trainer: Trainer) -> None:
    directory, card = trainer.directory / "model", trainer.document("model/card.json")
    pickle = jobs.FILES["outputs/model.pkl"]

    assert ["card.json", "conda.yml", "model.pkl", "score.py"] == sorted(path.name for path in directory.iterdir())
    assert pickle == (directory / "model.pkl").read_bytes()
    assert jobs.FILES["outputs/scoring_file_v_1_0_0.py"] == (directory / "score.py").read_bytes()
    assert {
        "kind": "azure-automl-pickle", "chosen": "run", "job": trainer.job, "child": f"{trainer.job}_3",
        "members": [{"run": 3, "family": "VotingEnsemble", "weight": 1.0}],
        "sha256": {"model.pkl": hashlib.sha256(pickle).hexdigest()},
    } == card["model"]  # fmt: skip
    with pytest.raises(ValueError, match="'azure-automl-pickle', which nothing here reads"):
        Model.load(directory)
    report = trainer.document("model.run/train.json")
    assert [3, 0, 1, 2] == [run["run"] for run in report["runs"]]  # type: ignore[attr-defined]
    assert "UserError: too few neighbours" == report["runs"][3]["error"]  # type: ignore[index]
    nearby = {
        path.relative_to(trainer.directory / "model.run/azure").as_posix()
        for path in (trainer.directory / "model.run/azure").rglob("*.*")
    }
    assert {"explanation/a1b2/global_importance_values.json", "outputs/generated_code/script.py"} == nearby


def test_a_compute_is_made_and_a_job_is_followed_from_anywhere(trainer: Trainer):
    del trainer.cloud.state.computes["cpu-cluster"]
    (*_, said) = trainer.shown(2, *["bank.csv", "--label", "y", "--backend", "azureml", "--compute", "cpu-cluster"])

    assert said.startswith("--compute cpu-cluster: there is none in the workspace ep-ws: --create-compute ")
    assert "az ml compute create --name cpu-cluster --type amlcompute" in said
    assert {} == trainer.cloud.state.blobs == trainer.cloud.state.jobs
    ran = trainer.begin("--create-compute", SKU, "--no-wait", "--holdout", "0.1", "--format", "json")
    assert 0 == ran.code, ran.err
    news = {"job": trainer.job, "status": "Preparing", "follow": f"epkit train --job {trainer.job} -o model"}
    assert news == {key: value for key, value in json.loads(ran.out).items() if key in news}
    (put,) = trainer.cloud.sent("PUT", "/computes/cpu-cluster")
    cluster = put.json["properties"]["properties"]
    assert (SKU, 0, 4) == (
        cluster["vmSize"],
        cluster["scaleSettings"]["minNodeCount"],
        cluster["scaleSettings"]["maxNodeCount"],
    )
    task = trainer.cloud.sent("PUT", "/jobs/[^/]+")[0].json["properties"]["taskDetails"]
    assert (0.1, None) == (task["validationDataSize"], task.get("nCrossValidations"))
    assert (
        f"the job {trainer.job} was begun for it"
        in trainer.shown(2, *["bank.csv", "--label", "y", "--backend", "azureml", "--compute", "cpu-cluster"])[-1]
    )
    # From a directory without any trace of it.
    elsewhere = trainer.directory / "elsewhere"
    elsewhere.mkdir()
    trainer.cli.directory = elsewhere
    ran = trainer.run("--job", trainer.job, "-o", "fetched", "--format", "json", "--gate", "AUC_weighted>=0.99")
    assert 5 == ran.code, ran.err
    report = json.loads(ran.out)
    assert (100, 8, "bank:1", "missed") == (
        report["data"]["rows"], report["out_of_fold"]["rows"], report["job"]["registered"], report["gates"][0]["state"]
    )  # fmt: skip
    assert jobs.FILES["outputs/model.pkl"] == (elsewhere / "fetched/model.pkl").read_bytes()
    ran = trainer.run("--job", trainer.job, "-o", "fetched", "--overwrite", "--format", "json")
    assert (0, 1) == (ran.code, len(trainer.registered())), ran.err


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(trainer: Trainer):
    state = trainer.cloud.state
    state.stages = ["Running"]
    command = ["train", "bank.csv", "--label", "y", "--backend", "azureml", "--compute", "cpu-cluster"]
    with trainer.cli.start(*command) as process:
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends and not any(looks > 2 for looks in state.looks.values()):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        ran = trainer.checked(trainer.cli.finished(process))

    assert (130, "", "Running") == (ran.code, ran.out, trainer.status), ran.err
    follow = f"epkit train --job {trainer.job} -o model"
    assert [
        f"epkit: the job goes on at Azure: {follow} follows it, epkit train --job {trainer.job} --cancel ends it",
        "epkit: interrupted",
    ] == ran.lines[-2:]
    assert trainer.document("model.run/job.json")["job"] == trainer.job
    ran = trainer.run("--job", trainer.job, "--cancel")
    assert (0, "Canceled") == (ran.code, trainer.status), ran.err
    assert f"{trainer.job}: Canceled" == ran.out.splitlines()[0]
    assert f"the job {trainer.job} was cancelled: there is no model" == trainer.shown(6, "--job", trainer.job)[-1]


def test_polls_that_fail_for_a_while_and_tokens_that_end_are_outlived(trainer: Trainer):
    cloud = trainer.cloud
    cloud.state.token_s = 2
    busy = refusal(429, "TooManyRequests", "Slow down.", **{"Retry-After": "1"})
    cloud.fail("GET", "/history/.*/children$", busy, times=2)
    cloud.fail("GET", "/jobs/[^/]+$", refusal(503, "ServiceUnavailable", "Not now."), times=1)
    cloud.fail("GET", "/mlflow/", refusal(401, "Unauthorized", "The token has ended."), times=1)
    cloud.fail("GET", "/ExperimentRun/.*model.pkl$", Reply(status=500), times=1)
    cloud.fail("GET", "/artifacts/ExperimentRun/", Reply(drop=True), times=1)
    ran = trainer.begin()

    assert 0 == ran.code, ran.err
    assert "epkit: TooManyRequests: Slow down. (too many requests: wait a minute): asked again in 1 s" in ran.lines
    assert len(cloud.state.tokens) > 2
    assert all(fault.times == 0 for fault in cloud.faults)


def test_a_job_that_fails_shows_azures_reason(trainer: Trainer):
    state = trainer.cloud.state
    state.stages = ["Running", "Failed"]
    blob = "https://emu.blob.core.windows.net/c/x?sv=1&sig=canary-signature"
    message = f"Encountered an error while fetching {blob}\nMore."
    state.job_error = {"error": {"code": "UserError", "message": message}}
    ran = trainer.begin()

    assert (6, "") == (ran.code, ran.out), ran.err
    reason = "UserError: Encountered an error while fetching https://emu.blob.core.windows.net/c/x?sv=1&sig=*** More."
    assert (
        f"epkit: the job {trainer.job} failed: {reason} (its logs: https://ml.azure.com/runs/{trainer.job}"
        in ran.lines[-1]
    )
    assert not (trainer.directory / "model").exists()


def test_a_login_that_is_refused_while_a_job_goes_on_is_told_with_the_way_back(trainer: Trainer):
    jobs.job(trainer.cloud.state, "others", **TAGS)
    denied = refusal(401, "Unauthorized", "The token is not yours.")
    trainer.cloud.fail("GET", "/history/", denied)
    *_, back, said = trainer.shown(6, "--job", "others", "-o", "it")

    assert "others: Unauthorized: The token is not yours. (the login is not accepted: az login again" in said
    assert back.startswith("the job goes on at Azure: epkit train --job others -o it follows it, ")
    assert 3 == len(trainer.cloud.sent("GET", "/others/children"))


TAGS = {
    "epkit-model": "bank", "epkit-task": "binary", "epkit-rows": "100", "epkit-test-rows": "20", "epkit-validated-rows": "80",
}  # fmt: skip


def test_a_job_that_azure_refuses_is_forgotten_and_a_cancelled_one_does_not_stand_in_the_way(trainer: Trainer):
    trainer.cloud.fail("PUT", "/jobs/", refusal(403, "AuthorizationFailed", "You may not."), times=1)
    begin = ["bank.csv", "--label", "y", "--backend", "azureml", "--compute", "cpu-cluster"]
    said = trainer.shown(6, *begin)[-1]

    assert "AuthorizationFailed: You may not. (this login may not do that: ask for the role" in said
    assert not (trainer.directory / "model.run/job.json").exists()
    trainer.cloud.state.stages = ["Canceled"]
    assert "was cancelled: there is no model" in trainer.shown(6, *begin)[-1]
    assert trainer.document("model.run/job.json")["finished"]


def test_jobs_that_cannot_be_followed_are_told(trainer: Trainer):
    state = trainer.cloud.state
    jobs.job(state, "studios")
    jobs.command(state, "script")

    assert "the job nowhere: UserError: Run nowhere was not found." == trainer.shown(6, "--job", "nowhere")[-1]
    assert trainer.shown(2, "--job", "studios")[-1].startswith("--job studios was not begun by epkit train: ")
    assert "--job script is not an AutoML job of a table" == trainer.shown(2, "--job", "script")[-1]


@pytest.mark.filterwarnings("ignore")  # warnings of the SDK's own packages
def test_every_algorithm_and_metric_of_azure_is_taken_by_the_sdk():
    require("azureml")
    from azure.ai.ml import Input, automl

    from epkit.core.train.azure import ALGORITHMS, METRICS

    for task, names in ALGORITHMS.items():
        for metric in METRICS[task].values():
            job = getattr(automl, task)(
                training_data=Input(type="mltable", path="x"), target_column_name="y", primary_metric=metric
            )
            job.set_training(blocked_training_algorithms=list(names))

            assert list(names) == [each.value for each in job.training.blocked_training_algorithms]
            assert metric.lower() == job.primary_metric.name.lower()


FROM_PYTHON = """
import csv, epkit
training = epkit.train(list(csv.DictReader(open("bank.csv"))), "y", backend="azureml", compute="cpu-cluster", runs=3)
print(training.directory.name, training.report.job.child, "text/html" in training._repr_mimebundle_())
try:
    training.model
except epkit.UsageError as error:
    print(error)
"""


def test_from_python_the_same_comes_back_and_the_pickle_stays_closed(trainer: Trainer):
    trainer.cli.write("script.py", FROM_PYTHON)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=trainer.directory, env=trainer.cli.environ, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    assert 0 == ran.returncode, ran.stderr
    first, second = ran.stdout.splitlines()
    assert re.fullmatch(rf"model {trainer.job}_\d+ True", first)
    assert "is a pickle that Azure AutoML made, and epkit does not open it: epkit deploy create NAME" in second
