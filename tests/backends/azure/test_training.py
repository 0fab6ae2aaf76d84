"""`epkit train --backend azureml`: the genuine SDK against the emulated cloud, from the table to the model's directory."""

import json

import pytest

from epkit.files import model_directory
from support.azure_cloud import jobs
from support.azure_cloud.cloud import Cloud
from support.backend_hosts import require
from support.cli_harness import Cli, Ran


class Trainer:
    """The command line in a project with a table, and the cloud."""

    def __init__(self, cloud: Cloud, cli: Cli) -> None:
        self.cloud, self.cli = cloud, cli
        rows = [
            f"{age},{'admin.' if age % 3 else 'retired'},00{age % 7},{age},{'yes' if age % 5 == 0 else 'no'}"
            for age in range(20, 120)
        ]
        cli.write("bank.csv", "\n".join(["age,job,branch,client,y", *rows]) + "\n")
        jobs.compute(cloud.state, "cpu-cluster")

    def run(self, *arguments: object) -> Ran:
        ran = self.cli.spawn("train", *arguments)
        self.check(ran)
        return ran

    def check(self, ran: Ran) -> None:
        """No key, token or signature is anywhere: outputs, and whatever file is written."""
        files = {path: path.read_bytes() for path in self.cli.directory.rglob("*") if path.is_file()}
        secrets = [b"canary-signature", *(token.encode() for token in self.cloud.state.tokens)]
        for secret in secrets:
            assert secret not in (ran.out + ran.err).encode()
            assert [] == [path for path, content in files.items() if secret in content]

        assert [] == self.cloud.unknown

    def begin(self, *more: object) -> Ran:
        return self.run("bank.csv", "--label", "y", "--backend", "azureml", "--compute", "cpu-cluster", *more)

    @property
    def job(self) -> str:
        (name,) = self.cloud.state.jobs
        return name

    def told(self, code: int, *arguments: object) -> str:
        ran = self.run(*arguments)

        assert code == ran.code, ran.err
        assert "" == ran.out
        assert "Traceback" not in ran.err
        return ran.lines[-1].removeprefix("epkit: ")


@pytest.fixture
def trainer(cloud: Cloud, cli: Cli) -> Trainer:
    require("azureml")
    (cli.directory / "model" / "conda.yml").unlink()
    for path in sorted((cli.directory / "model").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (cli.directory / "model").rmdir()
    return Trainer(cloud, cli)


def test_the_best_trial_becomes_a_directory_that_can_be_deployed(trainer: Trainer):
    ran = trainer.begin("--id", "client", "--runs", "7", "--gate", "AUC_weighted>=0.9")
    print(ran.out, ran.err)
    assert 0 == ran.code, ran.err
    for p in sorted(trainer.cli.directory.rglob("*")):
        print(p)
    print((trainer.cli.directory / "model/card.json").read_text()[:3000])
    print((trainer.cli.directory / "model.run/train.json").read_text()[:300])
    for r in trainer.cloud.requests:
        if r.host != "login.microsoftonline.com":
            print(r.method, r.host, r.path[-80:], dict(r.query) if "hist" in r.path else "")
    print(trainer.cloud.sent("PUT", "/jobs/[^/]+")[0].json)
    print({k: v[:200] for k, v in trainer.cloud.state.blobs.items()})
    assert 0
