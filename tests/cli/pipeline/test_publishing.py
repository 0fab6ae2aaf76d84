"""A pipeline published on this machine: the genuine `requests` and curl start runs, and processes are killed."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from epkit.backends.local.state import Home
from support.cli_harness import Cli
from support.trained import bank_like

requests = pytest.importorskip("requests")
pytest.importorskip("uvicorn", reason="needs the extra docs")

CONFIG = """\
[pipelines.bank]
data = "bank.csv"
label = "y"
train = { runs = 1, workers = 1 }
publishable = ["train.runs<=3", "train.seed"]
"""
PAGE = Path(__file__).parents[3] / "docs" / "pipeline.md"
SUBMIT = re.compile(r"http://127\.0\.0\.1:\d+(/PipelineRuns/PipelineSubmit/bank)")


def until(done: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A published pipeline in a project without its table, so that its runs fail at once."""
    directory = tmp_path_factory.mktemp("published")
    (directory / "epkit.toml").write_text(CONFIG)
    state = directory / "state"
    cli = Cli(directory=directory, environ={"XDG_STATE_HOME": str(state), "LOGNAME": "ada"}, patience_s=90)
    ran = cli("pipeline", "publish", "bank")
    assert 0 == ran.code, ran.err
    url = re.search(r"http://127\.0\.0\.1:\d+/jobs", ran.out)
    assert url is not None
    (key_file,) = (state / "epkit" / "keys" / "published").iterdir()
    (home,) = (state / "epkit" / "published").iterdir()

    yield SimpleNamespace(
        cli=cli,
        ran=ran,
        url=url[0],
        origin=url[0].removesuffix("/jobs"),
        key_file=key_file,
        home=Home(home),
        directory=directory,
    )

    cli("pipeline", "unpublish", "bank")


@pytest.fixture
def auth(published):
    return {"Authorization": f"Bearer {published.key_file.read_text().strip()}"}


@pytest.fixture
def idle(published):
    """No run is in progress before and after a test."""
    over = ("Completed", "Failed", "Canceled")

    def quiet() -> bool:
        auth = {"Authorization": f"Bearer {published.key_file.read_text().strip()}"}
        found = requests.get(published.url, headers=auth, timeout=30).json()["value"]
        return all(job["properties"]["status"] in over for job in found)

    until(quiet)
    yield
    until(quiet)


def job(published, auth, name: str) -> dict:
    return requests.get(f"{published.url}/{name}", headers=auth, timeout=30).json()["properties"]


def ended(published, auth, name: str) -> dict:
    until(lambda: job(published, auth, name)["status"] in ("Completed", "Failed", "Canceled"))
    return job(published, auth, name)


def test_the_key_is_private_and_in_no_output(published):
    key = published.key_file.read_text().strip()

    assert 32 <= len(key)
    assert 0o600 == stat.S_IMODE(published.key_file.stat().st_mode)
    assert key not in published.ran.out + published.ran.err
    assert key not in (published.directory / "epkit.toml").read_text()
    assert key in published.cli("pipeline", "keys", "bank", "--reveal").out


def test_the_cell_of_the_course_runs_with_url_and_key_changed(published, auth, idle):
    (cell,) = re.findall(r"```python\n(import requests\n.*?)```", PAGE.read_text(), re.DOTALL)
    names = {"key": published.key_file.read_text().strip()}

    exec(SUBMIT.sub(rf"{published.origin}\1", cell), names)

    found = ended(published, auth, names["run_id"])
    assert ("pipeline-rest-endpoint", "Failed") == (found["experimentName"], found["status"])  # there is no table
    assert "bank.csv" in found["properties"]["epkit.reason"]
    log = requests.get(f"{published.url}/{names['run_id']}/log", headers=auth, timeout=30).json()
    assert log["over"]
    assert "bank.csv" in log["text"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_with_one_key_twice_begins_one_run(published, auth, idle):
    command = ["curl", "-s", "-H", f"Authorization: {auth['Authorization']}", "-H", "Content-Type: application/json",
               "-H", "Idempotency-Key: once", "-d", "{}", published.url]  # fmt: skip
    first, second = (subprocess.run(command, capture_output=True, check=True, timeout=30).stdout for _ in range(2))

    names = {re.search(rb'"name": "([^"]+)"', answer)[1] for answer in (first, second)}
    assert 1 == len(names)


def test_a_token_that_is_not_the_key_is_refused(published):
    answer = requests.post(published.url, headers={"Authorization": "Bearer eyJ0eXAi.aad.token"}, json={}, timeout=30)

    assert 401 == answer.status_code
    assert "eyJ0" not in answer.text


def test_a_body_of_a_gigabyte_is_refused_by_its_header(published, auth):
    head = f"POST /jobs HTTP/1.1\r\nHost: {published.origin[7:]}\r\nAuthorization: {auth['Authorization']}\r\n"
    with socket.create_connection(("127.0.0.1", int(published.origin.rpartition(":")[2])), timeout=30) as connection:
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
        answer = connection.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_the_server_is_killed_and_comes_back_with_what_it_knew(published, auth, idle):
    first = requests.post(published.url, headers={**auth, "Idempotency-Key": "k"}, json={}, timeout=30).json()["name"]
    restarts = published.home.status().restarts
    supervisor = published.home.status().pid
    (server,) = children(supervisor)

    os.kill(server, signal.SIGKILL)
    # The supervisor has the socket, so a request in the meantime waits.
    again = requests.post(published.url, headers={**auth, "Idempotency-Key": "k"}, json={}, timeout=60)

    assert (200, first) == (again.status_code, again.json()["name"])
    until(lambda: published.home.status().restarts > restarts)
    assert "Failed" == ended(published, auth, first)["status"]
    assert 1 == sum(each == first for each in os.listdir(published.home.path / "jobs"))


def test_a_run_that_trains_is_cancelled_and_its_server_killed_meanwhile(published, auth, idle):
    pytest.importorskip("lightgbm", reason="needs the extra train")
    table = published.directory / "bank.csv"
    bank_like(400).write_csv(table)
    try:
        name = requests.post(published.url, headers=auth, json={}, timeout=30).json()["name"]
        until(lambda: "epkit.step.data" in job(published, auth, name)["properties"])
        (server,) = children(published.home.status().pid)
        os.kill(server, signal.SIGKILL)
        cancelled = requests.post(f"{published.url}/{name}/cancel", headers=auth, timeout=60).json()["properties"]

        assert cancelled["status"] in ("CancelRequested", "Canceled", "Completed")
        found = ended(published, auth, name)
        assert "Canceled" == found["status"]
        assert "143" == found["properties"]["epkit.exit_code"]
    finally:
        table.unlink()


def test_publishing_again_keeps_port_and_key_and_a_new_key_refuses_nothing(published, auth, idle):
    again = published.cli("pipeline", "publish", "bank")

    assert 0 == again.code
    assert published.url in again.out
    assert "as before" in again.out
    assert 200 == requests.get(published.url, headers=auth, timeout=30).status_code

    assert 0 == published.cli("pipeline", "keys", "bank", "--regenerate", "primary").code

    assert 401 == requests.get(published.url, headers=auth, timeout=30).status_code
    new = {"Authorization": f"Bearer {published.key_file.read_text().strip()}"}
    assert 200 == requests.get(published.url, headers=new, timeout=30).status_code


def test_deploy_knows_nothing_of_it(published):
    assert "bank" not in published.cli("deploy", "list", "--backend", "local").out


def test_the_environment_of_a_server_holds_no_key_and_none_of_other_variables(published):
    (server,) = children(published.home.status().pid)
    environ = Path(f"/proc/{server}/environ").read_bytes()

    assert published.key_file.read_text().strip().encode() not in environ
    assert b"PYTEST" not in environ


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("publish", "bnak"), 'no pipeline has the name "bnak"'),
        (("publish", "bank", "--port", "70000"), "a port is a number from 1 to 65535"),
        (("publish", "bank", "--env", "NOT_SET"), "--env NOT_SET: this environment variable is not set"),
        (("unpublish", "other"), "this project publishes no such pipeline on this machine"),
        (("keys", "other"), "this project publishes no such pipeline on this machine"),
    ],
)
def test_a_mistake_is_one_line(published, arguments, said):
    ran = published.cli("pipeline", *arguments)

    assert 2 == ran.code
    assert said in ran.err


def children(pid: int) -> list[int]:
    """Return the running children of a process."""
    asked = subprocess.run(["ps", "-o", "pid=,stat=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in asked.stdout.splitlines() if not line.split()[1].startswith("Z")]
