import contextlib
import http.client
import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from epkit.bank.score import ROWS
from epkit.endpoint import embedded
from epkit.endpoint.embedded import Embedded, start
from epkit.errors import EndpointError, UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn has no Windows")
linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")

CANARY = "canary-0123456789"
BODY = json.dumps({"data": ROWS}).encode()
HOLD = """
import sys, time, urllib.request
from epkit.endpoint.embedded import start
print("begun", flush=True)
try:
    with start() as endpoint:
        print(endpoint.uri, flush=True)
        {inside}
finally:
    print("left", flush=True)
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Embedded]:
    with start() as running:
        yield running


@contextlib.contextmanager
def connected(endpoint: Embedded) -> Iterator[http.client.HTTPConnection]:
    where = urlsplit(endpoint.uri)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def ask(connection, path="/score", *, key=None, body=BODY, **headers):
    """Send a request; return status, headers (lower case) and body."""
    given = {"Content-Type": "application/json", **headers}
    if key is not None:
        given["Authorization"] = f"Bearer {key}"
    connection.request("POST" if path == "/score" else "GET", path, body if path == "/score" else None, given)
    reply = connection.getresponse()
    return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read().decode()


def refuses(uri: str) -> bool:
    where = urlsplit(uri)
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((where.hostname, where.port)) != 0


def until(condition, seconds=45.0) -> bool:
    """Wait for *condition* to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def marked(marker: str) -> set[int]:
    """Return the processes that have *marker* in their environment; zombies have none."""
    found = set()
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with contextlib.suppress(OSError):
                if marker.encode() in (directory / "environ").read_bytes():
                    found.add(int(directory.name))
    return found


def ended(pid: int) -> bool:
    """Tell whether a process has ended; `marked` loses it a moment earlier, when its sockets are still open."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def files_of(*directories: Path) -> list[str]:
    return sorted(str(path) for directory in directories for path in directory.rglob("*"))


@pytest.fixture
def holder(tmp_path):
    """Start a Python that holds the endpoint; it has its own home and temporary directory, which mark it."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    marker = f"{temporary}"
    with contextlib.ExitStack() as stack:

        def hold(inside: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", HOLD.format(inside=inside)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "HOME": str(home), "TMPDIR": marker},
                start_new_session=True,  # represents the terminal's foreground group
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert "begun\n" == process.stdout.readline()
            return process

        hold.directories = (home, temporary)
        hold.marker = marker
        yield hold


def test_the_course_rows_are_scored_with_the_key(endpoint):
    with connected(endpoint) as connection:
        status, headers, text = ask(connection, key=endpoint.key.reveal())

    assert (200, r'"{\"result\": [\"yes\", \"no\"]}"') == (status, text)
    assert "application/json" == headers["content-type"]


def test_probabilities_are_given_on_request(endpoint):
    body = json.dumps({"data": ROWS, "method": "predict_proba"}).encode()
    with connected(endpoint) as connection:
        _, _, text = ask(connection, key=endpoint.key.reveal(), body=body)
    (_, first), (_, second) = json.loads(json.loads(text))["result"]

    assert first > 0.5 > second


@pytest.mark.parametrize("path", ["/score", "/swagger.json"])
def test_without_the_key_nothing_but_health_is_answered(endpoint, path):
    with connected(endpoint) as connection:
        statuses = [
            ask(connection, path)[0],
            ask(connection, path, key="wrong")[0],
            ask(connection, path, Authorization=endpoint.key.reveal())[0],
            ask(connection, "/")[0],
        ]

    assert [401, 401, 400, 200] == statuses


def test_a_malformed_header_is_answered_in_azures_words(endpoint):
    expected = 'Authorization header is malformed. Header should be in the form: "Authorization: Bearer <token>"'
    with connected(endpoint) as connection:
        status, headers, text = ask(connection, Authorization="<REDACTED>")

    assert (400, "text/plain; charset=utf-8", expected) == (status, headers["content-type"], text)


def test_the_connection_is_kept_through_refusals_and_answers(endpoint):
    with connected(endpoint) as connection:
        ask(connection, "/")
        first = connection.sock
        statuses = [ask(connection, key=key)[0] for key in ("wrong", endpoint.key.reveal(), endpoint.key.reveal())]

        assert [401, 200, 200] == statuses
        assert first is connection.sock


def test_the_genuine_servers_headers_come_through(endpoint):
    with connected(endpoint) as connection:
        _, headers, _ = ask(connection, key=endpoint.key.reveal(), **{"x-ms-client-request-id": "mine"})

    assert 0 < float(headers["x-ms-run-fn-exec-ms"]) < 1000
    assert ("mine", "False") == (headers["x-ms-client-request-id"], headers["x-ms-run-function-failed"])
    assert headers["x-ms-server-version"].startswith("azmlinfsrv/")


def test_the_contract_names_the_service(endpoint):
    with connected(endpoint) as connection:
        _, _, text = ask(connection, urlsplit(endpoint.swagger).path, key=endpoint.key.reveal())

    assert "bank-marketing" == json.loads(text)["info"]["title"]


def test_two_endpoints_run_side_by_side_and_do_not_share_a_key(endpoint):
    with start() as other, connected(other) as connection:
        statuses = [ask(connection, key=key.reveal())[0] for key in (endpoint.key, other.key)]

    assert [401, 200] == statuses
    assert not refuses(endpoint.uri)


def test_the_key_is_not_in_the_repr(endpoint):
    assert endpoint.key.reveal() not in repr(endpoint)


def test_the_servers_many_variables_are_not_handed_on(monkeypatch):
    for name in (
        "AML_APP_INSIGHTS_ENABLED",
        "AZUREML_CONFIG_FILE",
        "GUNICORN_CMD_ARGS",
        "SCRIPT_NAME",
        "EPKIT_KEY",
    ):
        monkeypatch.setenv(name, "canary")

    assert "canary" not in embedded._environment().values()


@linux
@pytest.mark.parametrize(
    ("inside", "code"),
    [("pass", 0), ("1 / 0", 1)],
    ids=["success", "exception"],
)
def test_nothing_stays_behind_when_the_block_is_left(holder, inside, code):
    process = holder(inside)
    uri, left = process.stdout.readline(), process.stdout.readline()
    process.wait(10)

    assert ("left\n", code) == (left, process.returncode)
    assert set() == marked(holder.marker)
    assert [] == files_of(*holder.directories)
    assert refuses(uri.strip())


@linux
def test_ctrl_c_reaches_epkit_alone_and_nothing_stays_behind(holder):
    inside = """try:
            print("waits", flush=True)
            time.sleep(30)
        except KeyboardInterrupt:
            print(urllib.request.urlopen(endpoint.uri[:-5], timeout=5).read().decode(), flush=True)
            raise"""
    process = holder(inside)
    uri = process.stdout.readline()
    waits = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    process.wait(10)

    assert ("waits\n", "Healthy\nleft\n") == (waits, rest)
    assert set() == marked(holder.marker)
    assert [] == files_of(*holder.directories)
    assert refuses(uri.strip())


@linux
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_nothing_stays_behind_when_the_process_is_killed(holder, sign):
    process = holder("time.sleep(30)")
    uri = process.stdout.readline()
    pids, files = marked(holder.marker), files_of(*holder.directories)
    process.send_signal(sign)
    process.wait(10)

    assert (3, []) == (len(pids), files)
    assert until(lambda: all(map(ended, pids)))
    assert set() == marked(holder.marker)
    assert [] == files_of(*holder.directories)
    assert refuses(uri.strip())


@linux
@pytest.mark.parametrize("processes", [2, 3], ids=["master", "worker"])
def test_nothing_stays_behind_when_the_process_is_killed_during_the_start(holder, processes):
    process = holder("time.sleep(30)")
    begun = until(lambda: len(marked(holder.marker)) >= processes)
    pids = marked(holder.marker)
    process.kill()
    process.wait(10)

    assert begun
    assert until(lambda: not marked(holder.marker) and all(map(ended, pids)))
    assert [] == files_of(*holder.directories)


@linux
def test_the_key_is_in_no_command_line_and_a_worker_that_dies_is_replaced(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with start() as running:
        pids = master, worker = sorted(marked(str(tmp_path)) - {os.getpid()})
        seen = b"".join(Path(f"/proc/{pid}/{what}").read_bytes() for pid in pids for what in ("cmdline", "environ"))
        os.kill(worker, signal.SIGKILL)
        with connected(running) as connection:
            status, _, _ = ask(connection, key=running.key.reveal())

        assert 200 == status
        assert master in marked(str(tmp_path))
    assert running.key.reveal().encode() not in seen
    assert set() == marked(str(tmp_path)) - {os.getpid()}


def broken_server(monkeypatch, directory: Path, code: str) -> None:
    """Put a package with the server's name before the genuine one, only for the child."""
    package = directory / "azureml_inference_server_http"
    package.mkdir()
    (package / "__init__.py").write_text(code)
    environment = {**embedded._environment(), "PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"}
    monkeypatch.setattr(embedded, "_environment", lambda: environment)


def test_a_server_that_does_not_start_is_reported_in_its_own_words(monkeypatch, tmp_path):
    broken_server(monkeypatch, tmp_path, "raise RuntimeError('broken on purpose')")

    with pytest.raises(EndpointError, match=r"(?s)ended before it answered.*broken on purpose"), start():
        pass


def test_a_server_that_hangs_is_given_up_and_ended(monkeypatch, tmp_path):
    broken_server(monkeypatch, tmp_path, "import time; time.sleep(60)")
    began = time.monotonic()

    with pytest.raises(EndpointError, match=r"did not answer within 0\.5 s"), start(timeout_s=0.5):
        pass
    assert time.monotonic() - began < 5


def test_an_interpreter_that_is_not_there_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    with pytest.raises(EndpointError, match="does not start"), start():
        pass


def test_a_child_that_will_not_end_is_killed(monkeypatch):
    monkeypatch.setattr(embedded, "_GRACE_S", 0.05)
    with contextlib.ExitStack() as stack:
        lifeline_read, lifeline = embedded._pipe(stack)
        ready, ready_write = embedded._pipe(stack)
        process = subprocess.Popen(
            ["sleep", "60"], pass_fds=[lifeline_read.fileno(), ready_write.fileno()], start_new_session=True
        )
        embedded._end(process, lifeline, ready)

    assert -signal.SIGKILL == process.returncode


def test_without_the_extra_the_message_names_it(monkeypatch):
    genuine = importlib.util.find_spec
    missing = "azureml_inference_server_http"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else genuine(name))

    with pytest.raises(UsageError, match=r'pip install "epkit\[local\]"'), start():
        pass


def test_the_starting_process_imports_nothing_heavy():
    heavy = "{'numpy', 'flask', 'gunicorn', 'asyncio', 'httpx', 'azureml_inference_server_http'}"
    code = f"import sys, epkit.endpoint.embedded; print({heavy} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "set()\n" == said


def test_the_key_is_in_no_traceback(monkeypatch, tmp_path):
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: CANARY)
    broken_server(monkeypatch, tmp_path, "raise RuntimeError('broken on purpose')")
    try:
        with start():
            pass
    except EndpointError as error:
        said = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())

    assert "EndpointError" in said
    assert CANARY not in said
