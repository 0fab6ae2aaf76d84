"""A scikit-learn model, logged by the genuine MLflow, deployed on this machine: `nox -s servers` has both."""

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from epkit.backends.local.state import Homes
from support.cli_harness import Cli, Ran

pytestmark = pytest.mark.xdist_group("mlflow-models")

LOG = """
import sys
import mlflow, pandas
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

class Other(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if (model_input["age"] < 0).any():
            raise ValueError("no such age")
        print("scoring", len(model_input))
        return (model_input["age"] * 2.0).tolist()

rows = pandas.DataFrame({"age": [17, 87, 40, 33] * 5, "rate": [1.5, 3.5, 4.5, 0.5] * 5})
fitted = LogisticRegression().fit(rows, ["no", "yes", "no", "yes"] * 5)
signature = infer_signature(rows, fitted.predict(rows))
needs = ["scikit-learn", "no-such-package==1.0"]
mlflow.sklearn.save_model(fitted, "first", signature=signature, input_example=rows.head(2),
                          serialization_format="cloudpickle", pip_requirements=needs)
doubled = infer_signature(rows, [1.0])
mlflow.pyfunc.save_model("second", python_model=Other(), signature=doubled, pip_requirements=["mlflow"])
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of two models."""
    if any(
        importlib.util.find_spec(module) is None for module in ("mlflow", "sklearn", "azureml_inference_server_http")
    ):
        pytest.skip('needs "epkit[mlflow]" and scikit-learn: nox -s servers')
    folder = tmp_path_factory.mktemp("logged")
    environ = {**os.environ, "HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-c", LOG], cwd=folder, env=environ, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def served(logged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, Ran]]:
    """The command line with a deployed `bank`, and the output of `create`."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "project").mkdir()
    cli = Cli(directory=folder / "project", patience_s=90)
    cli.environ |= {"HOME": str(folder), "XDG_STATE_HOME": ""}
    for name in ("first", "second"):
        shutil.copytree(logged / name, cli.directory / name)
    yield cli, cli("deploy", "create", "bank", "--model", "first", "--enable-app-insights", "--format", "json")
    for home in Homes(cli.environ):
        cli("deploy", "delete", home.path.name, "--backend", "local")


@pytest.fixture
def cli(served: tuple[Cli, Ran]) -> Cli:
    cli, created = served

    assert 0 == created.code, created.err
    return cli


def test_it_needs_no_script_and_says_what_opens_it_and_what_is_missing(served: tuple[Cli, Ran]):
    _, created = served
    made = json.loads(created.out)

    assert made["endpoint"]["scoring_uri"].endswith("/invocations")
    assert {"status": 200, "rows": 1} == {name: made["scored"][name] for name in ("status", "rows")}
    assert made["scored"]["reply"]["predictions"][0] in ("yes", "no")
    assert "opened by mlflow.sklearn; serving it runs the code in its files, as a pickle does" in created.err
    assert "pip install no-such-package==1.0 installs what it names" in created.err


def test_it_is_checked_and_measured(cli: Cli):
    checked = cli("check", "bank", "--format", "json")
    measured = cli("bench", "-n", 10, "bank")

    assert 0 == checked.code, checked.out
    assert 0 == measured.code, measured.err
    assert "Failed requests:        0" in measured.out


def test_it_is_scored_and_its_rows_are_validated(cli: Cli):
    cli.write("rows.csv", "age,rate\n" + "".join(f"{17 + row % 70},{row / 10}\n" for row in range(250)))
    ran = cli("score", "rows.csv", "--target", "bank", "-o", "scored.csv")

    assert 0 == ran.code, ran.err
    assert 250 == sum(row["prediction"] in ("yes", "no") for row in csv.DictReader(cli.read("scored.csv").splitlines()))
    cli.write("bad.json", '{"dataframe_records": [{"age": 17.5, "rat": 1}]}')
    refused = cli("validate", "bad.json", "--target", "bank")
    assert 3 == refused.code
    assert "rate" in refused.out


def test_the_gate_is_shut_without_a_key_and_health_is_open(cli: Cli):
    import httpx

    uri = Homes(cli.environ).home("bank").settings().port
    origin = f"http://127.0.0.1:{uri}"

    assert 200 == httpx.get(f"{origin}/").status_code
    assert [401] * 5 == [
        httpx.get(f"{origin}/{path}").status_code for path in ("swagger.json", "version", "ping", "docs", "invocations")
    ]
    assert 400 == httpx.post(f"{origin}/invocations", headers={"Authorization": "key"}, json={}).status_code


def requests(cli: Cli) -> list[dict[str, Any]]:
    """Return the requests in Application Insights."""
    shown = cli("logs", "show", "bank", "--requests", "--format", "json")
    found: list[dict[str, Any]] = json.loads(shown.out)["requests"]
    return found


def test_its_requests_and_its_log_are_shown(cli: Cli):
    assert 0 == cli("bench", "-n", 3, "bank", "-H", "x-ms-client-request-id: mine").code
    deadline = time.monotonic() + 30
    while not (mine := [each for each in requests(cli) if each["client_request_id"] == "mine"][2:]):
        assert time.monotonic() < deadline, "they are not recorded"
        time.sleep(0.05)

    assert ("/invocations", 200, True) == tuple(mine[0][name] for name in ("name", "status", "success"))
    assert " POST /invocations 200 " in cli("logs", "show", "bank").out


def test_another_model_of_mlflows_takes_over_and_one_with_a_script_does_not(cli: Cli):
    before = cli.read("epkit.toml")
    cli.write("score.py", "def init():\n    pass\n\n\ndef run(data):\n    return data\n")
    refused = cli("deploy", "update", "bank", "--model", "second", "--entry", "score.py")

    assert 2 == refused.code
    assert refused.lines[-1] == (
        "epkit: bank: it serves an MLflow model, and a model with a script has another URL: "
        "epkit deploy delete bank, then epkit deploy create"
    )
    updated = cli("deploy", "update", "bank", "--model", "second", "--format", "json")
    assert 0 == updated.code, updated.err
    assert [0.0] == json.loads(updated.out)["scored"]["reply"]["predictions"]
    assert before == cli.read("epkit.toml")
    assert "scoring 1" in cli("logs", "show", "bank").out
    assert 0 == cli("deploy", "update", "bank", "--model", "first").code  # for the other tests


def test_a_model_that_cannot_be_opened_leaves_the_old_one(cli: Cli):
    shutil.copytree(cli.directory / "first", cli.directory / "broken")
    (cli.directory / "broken" / "model.pkl").write_bytes(b"no pickle")
    refused = cli("deploy", "update", "bank", "--model", "broken")

    assert 6 == refused.code
    assert "nothing was changed: the server ended with code 3" in refused.lines[-1]
    assert 0 == cli("check", "bank").code
