"""The local backend: endpoints outlive commands, restart, and are deleted without a trace."""

import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from epkit.backends.local.state import Home, Homes
from support.canary import CANARY
from support.cli_harness import Cli, Ran, complaint

PATIENCE_S = 60
TELLS = "import flask; print('scored', flask.request.headers.get('x-ms-client-request-id'))"
"""A statement of a script that prints the id of the request."""


def create(cli: Cli, name: str, *more: object) -> dict:
    ran = cli("deploy", "create", name, "--model", "model", "--entry", "score.py", "--format", "json", *more)

    assert 0 == ran.code, ran.err
    return json.loads(ran.out)


def document(ran: Ran) -> dict:
    assert 0 == ran.code, ran.err
    return json.loads(ran.out)


def home(cli: Cli, name: str) -> Home:
    return Homes(cli.environ).home(name)


def score(uri: str, key: str, body: bytes = b'{"data": [{"age": 5}]}') -> tuple[int, bytes]:
    host, _, path = uri.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    connection.request("POST", f"/{path}", body, headers)
    reply = connection.getresponse()
    with contextlib.closing(connection):
        return reply.status, reply.read()


def rewrite(cli: Cli, name: str, script: str) -> str:
    """Change the script that an endpoint serves, in its copy; return the old script."""
    file = Path(home(cli, name).settings().code) / "score.py"
    before = file.read_text()
    file.unlink()  # it is read-only
    file.write_text(script)
    return before


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def workers(cli: Cli, name: str) -> list[int]:
    """Return the processes of an endpoint without its supervisor; they are found by the script's directory."""
    status = home(cli, name).status()
    found = []
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            command = (path / "cmdline").read_bytes()
            environ = (path / "environ").read_bytes()
            if b"epkit.backends.local.server" in command and str(home(cli, name).tmp).encode() in environ:
                found.append(int(path.name))
    assert status is not None
    return sorted(found)


def test_create_writes_the_endpoint_down_and_scores_a_row(local: Cli):
    made = create(local, "bank")

    assert {"status": 200, "rows": 1, "reply": {"result": [34]}} == {
        key: made["scored"][key] for key in ("status", "rows", "reply")
    }
    assert "Healthy" == made["endpoint"]["state"]
    assert 0 == local("bench", "-n", 3, "bank").code
    written = local.read("epkit.toml")
    assert 'backend = "local"' in written
    assert 'key_file = "~/.local/state/epkit/keys/local/bank.key"' in written
    assert "/data" not in json.loads(local.read("swagger/bank.json"))["paths"]


def test_the_file_of_the_key_is_private_and_what_is_printed_has_no_key(local: Cli):
    ran = local("deploy", "create", "bank", "--model", "model", "--entry", "score.py")
    file = Path(local.environ["HOME"]) / ".local/state/epkit/keys/local/bank.key"
    key = file.read_text().strip()

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert 0o600 == stat.S_IMODE((home(local, "bank").path / "keys.json").stat().st_mode)
    assert 0o700 == stat.S_IMODE(home(local, "bank").path.stat().st_mode)
    assert len(key) > 30
    assert key not in ran.out + ran.err + local.read("epkit.toml")


def test_it_lives_on_after_the_command_and_is_found_by_another(local: Cli):
    made = local.spawn("deploy", "create", "bank", "--model", "model", "--entry", "score.py")
    listed = document(local.spawn("deploy", "list", "--format", "json"))

    assert 0 == made.code, made.err
    assert ["bank"] == [endpoint["name"] for endpoint in listed["endpoints"]]
    assert ["Healthy"] == [endpoint["state"] for endpoint in listed["endpoints"]]


def test_two_side_by_side_have_a_port_and_a_key_each(local: Cli):
    one, two = create(local, "one"), create(local, "two")
    keys = [home(local, name).keys().primary.reveal() for name in ("one", "two")]
    uris = [made["endpoint"]["scoring_uri"] for made in (one, two)]

    assert uris[0] != uris[1]
    assert [(200, b'{"result": [10]}')] * 2 == [score(uri, key) for uri, key in zip(uris, keys, strict=True)]
    assert 401 == score(uris[0], keys[1])[0]


def test_a_name_that_is_taken_is_refused(local: Cli):
    create(local, "bank")

    said = complaint(local("deploy", "create", "bank", "--model", "model", "--entry", "score.py"), 6)
    assert (
        f"bank: there is an endpoint of this name: epkit deploy update bank --model {local.directory / 'model'} "
        "replaces its model, epkit deploy delete bank removes it"
    ) == said
    assert 0 == local("deploy", "show", "bank").code


@pytest.mark.parametrize("victims", ["the worker", "all of it"])
def test_it_comes_back_after_a_crash(local: Cli, victims: str):
    uri = create(local, "bank")["endpoint"]["scoring_uri"]
    key = home(local, "bank").keys().primary.reveal()
    until(lambda: len(workers(local, "bank")) == 2)
    master, worker = workers(local, "bank")
    for pid in (worker, master) if victims == "all of it" else (worker,):
        os.kill(pid, signal.SIGKILL)
    until(
        lambda: (
            (status := home(local, "bank").status()) is not None and status.restarts >= 1 and status.state == "running"
        )
    )

    assert (200, b'{"result": [10]}') == score(uri, key)
    assert "Healthy" == document(local("deploy", "show", "bank", "--format", "json"))["endpoint"]["state"]


def test_nothing_outlives_a_supervisor_that_is_killed_and_what_is_left_is_cleaned_up(local: Cli):
    create(local, "bank")
    status = home(local, "bank").status()
    assert status is not None
    os.kill(status.pid, signal.SIGKILL)
    until(lambda: not workers_of(status.pid) and not home(local, "bank").alive())

    listed = local("deploy", "list", "--format", "json")
    assert [] == document(listed)["endpoints"]
    assert "epkit: bank: its server is gone (a reboot?): what was left of it is cleaned up" in listed.lines
    assert not home(local, "bank").path.exists()
    assert 0 == local("deploy", "create", "bank", "--model", "model", "--entry", "score.py").code


def workers_of(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_what_is_left_after_a_reboot_is_no_endpoint(local: Cli):
    """The recorded process number belongs to another process by then."""
    create(local, "bank")
    there = home(local, "bank")
    status = there.status()
    assert status is not None
    saved = {path: path.read_bytes() for path in there.path.glob("*.json")}
    assert 0 == local("deploy", "delete", "bank").code
    there.path.mkdir()
    for path, data in saved.items():
        path.write_bytes(data.replace(str(status.pid).encode(), str(os.getpid()).encode()))

    assert 6 == local("deploy", "show", "bank", "--backend", "local").code
    assert not there.path.exists()


def test_delete_leaves_nothing(local: Cli):
    mine = '\n[endpoints.other]\nuri = "http://other.example/score"  # keep\n'
    local.write("epkit.toml", "# mine\n" + mine)
    port = int(create(local, "bank")["endpoint"]["scoring_uri"].rpartition(":")[2].partition("/")[0])
    local.write("epkit.toml", 'default = "bank"\n' + local.read("epkit.toml"))
    deleted = document(local("deploy", "delete", "bank", "--format", "json"))

    assert deleted["deleted"]
    assert [] == list(home(local, "bank").path.parent.iterdir())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert "# mine\n" + mine == local.read("epkit.toml")
    assert [] == list(Path(local.environ["HOME"]).rglob("*.key"))


def test_a_script_that_does_not_come_up_shows_the_end_of_its_log_and_leaves_nothing(local: Cli):
    local.write(
        "model/score.py", "def init():\n    raise RuntimeError('there is no model.pkl')\n\ndef run(data):\n    pass\n"
    )
    ran = local("deploy", "create", "bank", "--model", "model", "--entry", "score.py")

    assert 6 == ran.code
    assert "there is no model.pkl" in ran.err
    assert "epkit: bank: the server ended with code 3; the end of its log is above" == ran.lines[-1]
    assert not home(local, "bank").path.exists()
    assert not (local.directory / "epkit.toml").exists()


def test_a_row_that_is_not_scored_is_told_but_the_endpoint_stays(local: Cli):
    local.write("model/score.py", local.read("model/score.py").replace("return {", "raise ValueError('no'); return {"))
    ran = local("deploy", "create", "bank", "--model", "model", "--entry", "score.py")

    assert 4 == ran.code
    assert ran.lines[-1].startswith("epkit: bank: it is deployed, but a row is not scored: status 500: ")
    assert 0 == local("deploy", "show", "bank").code


@pytest.mark.long
def test_requests_are_recorded_by_the_genuine_exporter_once_it_is_enabled(local: Cli):
    uri = create(local, "bank")["endpoint"]["scoring_uri"]
    key = home(local, "bank").keys().primary.reveal()
    refused = local("logs", "show", "bank", "--requests")
    enabled = document(local("logs", "enable", "bank", "--format", "json"))
    sent = [score(uri, key)[0], score(uri, key, b'{"data": [{"aeg": 5}]}')[0]]
    until(lambda: len(document(local("logs", "show", "bank", "--requests", "--format", "json"))["requests"]) == 2)
    recorded = document(local("logs", "show", "bank", "--requests", "--format", "json"))["requests"]
    text = local("logs", "show", "bank", "--requests", "--tail", 1)

    assert "epkit logs enable bank turns Application Insights on" in complaint(refused, 2)
    assert True is enabled["endpoint"]["app_insights"]
    assert [200, 500] == sent == [request["status"] for request in recorded]
    assert [True, False] == [request["success"] for request in recorded]
    assert all(request["time"].startswith("20") and 0 <= request["duration_ms"] < 10_000 for request in recorded)
    assert ["time", "status", "duration"] == text.out.split()[:3]
    assert 2 == len(text.out.splitlines())
    disabled = document(local("logs", "disable", "bank", "--format", "json"))
    assert False is disabled["endpoint"]["app_insights"]
    assert 200 == score(uri, key)[0]


def recorded(ran: Ran) -> bool:
    """Tell whether Application Insights received the request with a certain id."""
    return ran.code == 0 and bool(document(ran)["requests"])


def test_the_slowest_request_of_a_bench_is_found_by_its_id(local: Cli):
    local.write("model/score.py", local.read("model/score.py").replace("return {", f"{TELLS}; return {{"))
    create(local, "bank")
    bench = ("bench", "-p", local.write("rows.json", '{"data": [{"age": 5}]}'), "-n", 20, "-c", 2, "--format", "json")
    off = complaint(local("logs", "show", "bank", "--request", "4f0c9d1e2ab37788-000002345678901"), 2)
    logged = document(local(*bench, "--request-ids", "bank"))["slowest"][0]["id"]
    by_log = local("logs", "show", "bank", "--request", logged)
    local("logs", "enable", "bank")
    slowest, *_, last = document(local(*bench, "--request-ids", "bank"))["slowest"]
    show = ("logs", "show", "bank", "--request")
    # The log has a request before the exporter has sent its record.
    until(lambda: all(recorded(local(*show, each["id"], "--format", "json")) for each in (slowest, last)))
    text = local(*show, slowest["id"])
    found = document(local(*show, slowest["id"], "--format", "json"))
    (request,) = found["requests"]

    assert "epkit logs enable bank turns Application Insights on" in off
    assert by_log.out.endswith(f"scored {logged}\n")
    assert "epkit logs enable bank turns Application Insights on" in complaint(by_log, 0)
    assert ("epkit.request/1", slowest["id"]) == (found["format"], found["id"])
    assert (slowest["id"], slowest["status"]) == (request["client_request_id"], request["status"])
    assert 0 <= request["duration_ms"] <= slowest["service"] + 1
    assert ["time", "status", "duration"] == text.out.split()[:3]
    assert request["time"] in text.out
    (line,) = found["lines"]
    assert line.endswith(f"scored {slowest['id']}")
    assert line in text.out
    missing = complaint(local(*show, slowest["id"][:-1] + "x"), 2)
    assert "no record names the request" in missing
    assert "records reach Application Insights some seconds later" in missing
    assert "an id is one word" in complaint(local(*show, "a' or 'b"), 2)


@pytest.mark.long
def test_no_request_is_refused_while_the_exporter_is_turned_on(local: Cli):
    create(local, "bank")
    with local.start("bench", "-t", 4, "-c", 2, "--format", "json", "bank") as process:
        time.sleep(1)
        assert 0 == local("logs", "enable", "bank").code
        ran = local.finished(process)

    assert {} == ran.failures


def test_the_log_is_shown_followed_and_split_at_readiness(local: Cli):
    uri = create(local, "bank")["endpoint"]["scoring_uri"]
    key = home(local, "bank").keys().primary.reveal()
    with local.start("logs", "show", "bank", "--follow", "--tail", 1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        score(uri, key, b'{"data": [{"age": 1}, {"age": 2}, {"age": 3}]}')
        followed = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        code = local.finished(process).code
    shown = local("logs", "show", "bank", "--tail", 2).out
    init = document(local("logs", "show", "bank", "--init", "--format", "json"))["lines"]

    assert b"scoring 3" in followed
    assert 130 == code
    assert 2 == len(shown.splitlines())
    assert "POST /score 200" in shown
    assert any("the weight is 2" in line for line in init)
    assert not any("POST" in line for line in init)


def test_a_new_key_replaces_the_old_one_in_its_file(local: Cli):
    uri = create(local, "bank")["endpoint"]["scoring_uri"]
    old = home(local, "bank").keys()
    said = document(local("deploy", "keys", "bank", "--regenerate", "primary", "--format", "json"))
    new = home(local, "bank").keys()

    assert new.primary != old.primary
    assert new.secondary == old.secondary
    assert None is said["keys"]
    assert new.primary.reveal() == Path(said["key_file"]).read_text().strip()
    assert [401, 200, 200] == [score(uri, key.reveal())[0] for key in (old.primary, new.primary, new.secondary)]


def test_a_script_may_lie_deeper_and_import_what_lies_beside_it(local: Cli):
    local.write("code/helper.py", "FACTOR = 3\n")
    local.write(
        "code/deep/score.py",
        "import helper, os\ndef init(): pass\n"
        "def run(data): return [helper.FACTOR, os.path.exists(os.path.join(os.environ['AZUREML_MODEL_DIR'], 'model'))]\n",
    )
    ran = local("deploy", "create", "bank", "--model", "model", "--code", "code", "--entry", "deep/score.py")
    uri = document(local("deploy", "show", "bank", "--format", "json"))["endpoint"]["scoring_uri"]

    assert 0 == ran.code, ran.err
    assert (200, b"[3, true]") == score(uri, home(local, "bank").keys().primary.reveal(), b"{}")


def test_an_unreadable_config_json_beside_the_script_is_not_the_servers(local: Cli):
    local.write("model/config.json", "{not json")

    assert "Healthy" == create(local, "bank")["endpoint"]["state"]


def test_without_home_the_state_lies_where_the_password_database_says(local: Cli, monkeypatch: pytest.MonkeyPatch):
    from epkit.backends.local.state import state_directory

    assert Path("~").expanduser().joinpath(".local/state/epkit") == state_directory(
        {"HOME": str(Path("~").expanduser())}
    )
    assert state_directory({}).is_absolute()
    assert Path("/x/epkit") == state_directory({"XDG_STATE_HOME": "/x", "HOME": "/y"})
    assert Path("/y/.local/state/epkit") == state_directory({"XDG_STATE_HOME": "x", "HOME": "/y"})


def test_a_dry_run_starts_and_writes_nothing(local: Cli):
    arguments = ["deploy", "create", "bank", "--model", "model", "--entry", "score.py", "--dry-run", "--format", "json"]
    planned = document(local(*arguments))

    assert ["copy the model", "copy the script", "start the server"] == [step["step"] for step in planned["steps"]]
    assert [] == document(local("deploy", "list", "--format", "json"))["endpoints"]
    assert not (local.directory / "epkit.toml").exists()
    assert [] == list(Path(local.environ["HOME"]).iterdir())


WRONG = {
    "no model": (["--model", "nowhere", "--entry", "score.py"], "--model nowhere: no such file or directory"),
    "no script": (["--model", "model", "--entry", "y.py"], "--entry y.py: no such file in "),
    "no module": (["--model", "model", "--entry", "weights.json"], "--entry weights.json: no .py file, "),
    "a script outside": (["--model", "model", "--code", "model", "--entry", "../x.py"], "--entry ../x.py is outside "),
    "a bad backend": (
        ["--model", "model", "--entry", "score.py", "--backend", "azure-ml"],
        '--backend azure-ml: not one of local, azureml, azureml-v1; did you mean "azureml"?',
    ),
    "a bad format": (["--model", "model", "--entry", "score.py", "--format", "yaml"], "--format yaml: not one of"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_order_is_refused_before_anything_starts(cli: Cli, model: str, case: str):
    arguments, said = WRONG[case]
    cli.write("x.py", "")

    assert complaint(cli("deploy", "create", "bank", *arguments), 2).startswith(said)


@pytest.mark.parametrize("name", ["../bank", "bank/x", "-bank", "", "ba nk"])
def test_a_name_that_is_no_name_is_refused(cli: Cli, model: str, name: str):
    assert 2 == cli("deploy", "create", "--model", "model", "--entry", "score.py", "--", name).code


def test_follow_and_json_exclude_each_other(cli: Cli):
    said = complaint(cli("logs", "show", "bank", "--follow", "--format", "json"), 2)

    assert "--follow does not end by itself: drop --format json" == said


def test_an_endpoint_that_is_not_there_is_told(cli: Cli):
    for command in (["deploy", "show"], ["deploy", "delete"], ["deploy", "keys"], ["logs", "show"], ["logs", "enable"]):
        assert "nope: no endpoint of this name on this machine: epkit deploy list" == complaint(
            cli(*command, "nope"), 6
        )


def test_the_last_lines_are_found_in_a_long_log_with_long_lines(tmp_path: Path):
    from epkit.backends.local.view import last_lines

    file = tmp_path / "log"
    lines = [f"{number} {'x' * (number % 7 * 1000)}" for number in range(200)]
    file.write_text("".join(f"{line}\n" for line in lines) + "\x1b[31mhalf a line")

    assert (*lines[-3:], "\x1b[31mhalf a line") == last_lines(file, 4)
    assert 201 == len(last_lines(file, 500))
    assert () == last_lines(tmp_path / "none", 5)


def test_a_long_log_is_halved_while_the_server_goes_on(local: Cli, monkeypatch: pytest.MonkeyPatch):
    from epkit.backends.local import supervisor

    uri = create(local, "bank")["endpoint"]["scoring_uri"]
    there = home(local, "bank")
    with there.log.open("a") as log:
        log.write(f"{'x' * 99}\n" * (supervisor.MOST_LOG_BYTES // 100 + 1))
    until(lambda: there.log.stat().st_size < supervisor.MOST_LOG_BYTES)

    assert 200 == score(uri, there.keys().primary.reveal())[0]
    assert "POST /score 200" in local("logs", "show", "bank", "--tail", 1).out


def test_an_entry_of_another_endpoint_gives_way_and_that_is_told(local: Cli):
    local.write("epkit.toml", '[endpoints.bank]\nuri = "https://old.example/score"\nkey_env = "OLD"\ntimeout = 5\n')
    ran = local("deploy", "create", "bank", "--model", "model", "--entry", "score.py")
    uri = document(local("deploy", "show", "bank", "--format", "json"))["endpoint"]["scoring_uri"]

    assert 0 == ran.code, ran.err
    assert f"endpoints.bank: https://old.example/score gives way to {uri}" in ran.err
    assert "endpoints.bank: key_env gives way to key_file: this endpoint has a new key" in ran.err
    assert "key_env" not in local.read("epkit.toml")
    assert "timeout = 5" in local.read("epkit.toml")
    assert 0 == local("bench", "-n", 1, "bank").code


def test_a_key_that_the_configuration_keeps_elsewhere_goes_there(local: Cli):
    create(local, "bank")
    text = local.read("epkit.toml")
    path = next(line for line in text.splitlines() if line.startswith("key_file"))
    local.write("epkit.toml", text.replace(path, 'key_file = "my.key"'))
    written = document(local("deploy", "keys", "bank", "--format", "json"))
    named = document(local("deploy", "keys", "bank", "--key-file", "other.key", "--format", "json"))

    assert ["my.key", "other.key"] == [Path(said["key_file"]).name for said in (written, named)]
    assert local.read("my.key") == local.read("other.key")
    assert 0o600 == stat.S_IMODE((local.directory / "other.key").stat().st_mode)


def test_a_key_that_stands_in_a_variable_cannot_be_written(local: Cli):
    create(local, "bank")
    text = local.read("epkit.toml")
    path = next(line for line in text.splitlines() if line.startswith("key_file"))
    local.write("epkit.toml", text.replace(path, 'key_env = "BANK_KEY"'))

    assert "key_env names a variable, which cannot be written: --key-file FILE, or --reveal" in complaint(
        local("deploy", "keys", "bank"), 2
    )


def test_a_model_may_be_a_single_file(local: Cli):
    local.write("model/weights.pkl", "x")
    script = "import os\ndef init(): pass\ndef run(data): return sorted(os.listdir(os.environ['AZUREML_MODEL_DIR']))\n"
    local.write("model/score.py", script)
    ran = local("deploy", "create", "bank", "--model", "model/weights.pkl", "--entry", "score.py")
    uri = document(local("deploy", "show", "bank", "--format", "json"))["endpoint"]["scoring_uri"]

    assert 0 == ran.code, ran.err
    assert (200, b'["weights.pkl"]') == score(uri, home(local, "bank").keys().primary.reveal(), b"{}")


def test_the_content_of_a_model_s_directory_is_found_with_and_without_its_name(local: Cli):
    script = (
        "import os\ndef init(): pass\n"
        "def run(data):\n"
        "    place = os.environ['AZUREML_MODEL_DIR']\n"
        "    return [os.path.exists(os.path.join(place, *path)) for path in (('weights.json',), ('model', 'weights.json'))]\n"
    )
    local.write("model/score.py", script)
    assert 0 == local("deploy", "create", "bank", "--model", "model", "--entry", "score.py").code
    uri = document(local("deploy", "show", "bank", "--format", "json"))["endpoint"]["scoring_uri"]

    assert (200, b"[true, true]") == score(uri, home(local, "bank").keys().primary.reveal(), b"{}")


def test_a_change_that_does_not_come_up_changes_nothing_and_may_be_tried_again(local: Cli):
    uri = create(local, "bank")["endpoint"]["scoring_uri"]
    keys = home(local, "bank").keys()
    script = rewrite(local, "bank", "raise ImportError('half written')")
    failed = [local("logs", "enable", "bank"), local("deploy", "keys", "bank", "--regenerate", "primary")]
    shown = document(local("deploy", "show", "bank", "--format", "json"))["endpoint"]

    assert [6, 6] == [ran.code for ran in failed]
    assert all("half written" in ran.err for ran in failed)
    assert all("bank: nothing was changed: the server ended with code 3" in ran.lines[-1] for ran in failed)
    assert ("Healthy", False) == (shown["state"], shown["app_insights"])
    assert 200 == score(uri, keys.primary.reveal())[0]
    assert keys == home(local, "bank").keys()
    rewrite(local, "bank", script)
    assert True is document(local("logs", "enable", "bank", "--format", "json"))["endpoint"]["app_insights"]
    assert 200 == score(uri, keys.primary.reveal())[0]


@pytest.mark.long
def test_an_endpoint_that_cannot_come_back_says_so_and_does_when_it_can(local: Cli):
    create(local, "bank")
    script = rewrite(local, "bank", "raise ImportError('half written')")
    until(lambda: len(workers(local, "bank")) == 2)
    for pid in reversed(workers(local, "bank")):
        os.kill(pid, signal.SIGKILL)
    until(lambda: (status := home(local, "bank").status()) is not None and status.restarts >= 2)
    shown = document(local("deploy", "show", "bank", "--format", "json"))["endpoint"]

    assert ("Restarting", "the server ended with code 3") == (shown["state"], shown["error"])
    assert 6 == local("logs", "enable", "bank").code
    rewrite(local, "bank", script)
    until(lambda: "Healthy" == document(local("deploy", "show", "bank", "--format", "json"))["endpoint"]["state"])


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"{", "Expecting"), (b"[]", "it is no object"), (b'{"unknown": 1}', "it has no name"), (b"[" * 10**5, "nested")],
)
def test_a_damaged_state_is_told(local: Cli, content: bytes, why: str):
    create(local, "bank")
    file = home(local, "bank").path / "settings.json"
    kept = file.read_bytes()
    file.write_bytes(content)
    said = complaint(local("deploy", "show", "bank"), 6)
    file.write_bytes(kept)

    assert said.startswith(f"{file}: damaged: {why}")
    assert said.endswith(f": delete {file.parent} and deploy again")


def test_a_server_starts_by_the_name_that_an_earlier_supervisor_knows(local: Cli):
    create(local, "bank")
    process = Path(f"/proc/{workers(local, 'bank')[0]}")
    environ = dict(
        entry.decode().split("=", 1) for entry in (process / "environ").read_bytes().split(b"\0") if b"=" in entry
    )
    key = home(local, "bank").keys().primary.reveal()
    lifeline, alive = os.pipe()
    ready, started = os.pipe()
    os.write(alive, f"{key} {key}\n".encode())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        passed = [listener.fileno(), lifeline, started]
        command = [sys.executable, "-P", "-m", "epkit.backends.local_server", *map(str, passed)]
        with subprocess.Popen(command, pass_fds=passed, cwd=(process / "cwd").readlink(), env=environ) as server:
            try:
                os.close(started)
                assert b"+" == os.read(ready, 1)
                assert 200 == score(f"http://127.0.0.1:{listener.getsockname()[1]}/score", key)[0]
            finally:
                os.close(alive)  # it ends with its lifeline
                server.wait(PATIENCE_S)
                for end in (lifeline, ready):
                    os.close(end)


def test_the_script_sees_no_variable_but_those_that_are_named(local: Cli):
    script = "import os\ndef init(): pass\ndef run(data): return dict(os.environ)\n"
    local.write("model/score.py", script)
    hidden = ("EPKIT_KEY", "OTHER_KEY", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "AZUREML_RUN_TOKEN")
    local.environ |= dict.fromkeys(hidden, CANARY) | {"VARIANT": "b", "OMP_NUM_THREADS": "3"}
    made = create(local, "bank", "--env", "VARIANT")
    key = home(local, "bank").keys().primary.reveal()
    seen = json.loads(score(made["endpoint"]["scoring_uri"], key)[1])
    status = home(local, "bank").status()
    assert status is not None
    supervisor = Path(f"/proc/{status.pid}/environ").read_bytes()

    assert ("b", "3") == (seen["VARIANT"], seen["OMP_NUM_THREADS"])
    assert [] == [name for name in hidden if name in seen or name.encode() in supervisor]
    assert CANARY not in json.dumps(seen)
    assert CANARY.encode() not in supervisor
    # As long as it lives, also for a server that starts later.
    assert 0 == local("logs", "enable", "bank").code
    assert "b" == json.loads(score(made["endpoint"]["scoring_uri"], key)[1])["VARIANT"]


def test_a_variable_to_hand_on_has_to_be_set(cli: Cli, model: str):
    create_ = ("deploy", "create", "bank", "--model", "model", "--entry", "score.py", "--env", "VARIANT")

    assert "--env VARIANT: this environment variable is not set" == complaint(cli(*create_, "--dry-run"), 2)
    cli.environ["VARIANT"] = CANARY
    planned = document(cli(*create_, "--dry-run", "--format", "json"))
    assert ["VARIANT"] == planned["steps"][2]["env"]
