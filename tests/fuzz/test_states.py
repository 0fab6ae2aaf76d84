"""The local backend's state, damaged or made up: it is read, or refused in one line; no process gets a signal."""

import fcntl
import json
import os
from itertools import cycle

from hypothesis import strategies as st

from epkit.backends.local import supervision
from support.cli_harness import Cli
from support.fuzzing import changed, damaged, fuzz, text_of

NAME = "bank"
SETTINGS = {
    "name": NAME, "model": "/m", "code": "/c", "entry": "score.py", "deployment": "blue", "app_insights": True,
    "port": 1, "instrumentation_key": "k", "created_at": "2026-01-01T00:00:00+00:00", "generation": 1,
    "copy": "0123abcd", "model_sha256": "0" * 64, "model_at": "2026-01-01T00:00:00+00:00",
}  # fmt: skip
FILES = {
    "settings.json": SETTINGS,
    "wanted.json": SETTINGS,
    "keys.json": {"primary": "p" * 43, "secondary": "s" * 43},
    "status.json": {
        "pid": 2**31 - 1, "state": "restarting", "generation": 1, "failed_generation": 0, "restarts": 1, "error": "e",
    },
    "requests.jsonl": {
        "iKey": "k",
        "data": {"baseType": "RequestData", "baseData": {"properties": {
            "start_time": "2026-01-01T00:00:00Z", "duration": "00:00:01.023", "resultCode": "500", "success": "False",
            "name": "/score", "Request Id": "r", "Client Request Id": "c", "Response Value": "no",
        }}},
    },
    "server.log": "a line\n",
}  # fmt: skip

COMMANDS = cycle(
    [
        ("deploy", "show", NAME, "--backend", "local", "--format", "json"),
        ("deploy", "list", "--backend", "local"),
        ("logs", "show", NAME, "--backend", "local", "--requests"),
        ("logs", "show", NAME, "--backend", "local"),
        ("deploy", "keys", NAME, "--backend", "local", "--key-file", "k"),
        ("logs", "status", NAME, "--backend", "local"),
        ("deploy", "update", NAME, "--backend", "local", "--model", "model", "--entry", "score.py"),
    ]
)


@st.composite
def states(draw: st.DrawFn) -> dict[str, bytes]:
    made = {name: text_of(value) + b"\n" for name, value in FILES.items()}
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(made)))
        match draw(st.integers(0, 5)):
            case 0:
                made[name] = draw(damaged(made[name]))
            case 1:
                made[name] = draw(st.sampled_from((b"", b"null", b" " * 2_000_000, b"\xff\xfe", b"[" * 100_000)))
            case _:
                made[name] = text_of(draw(changed(FILES[name]))) + b"\n"
    return made


def test_a_state_is_read_or_refused_in_one_line(tmp_path, monkeypatch):
    cli = Cli(directory=tmp_path, environ={"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)})
    home = tmp_path / "state" / "epkit" / "endpoints" / NAME
    home.mkdir(parents=True)
    cli.write("model/score.py", "")
    killed: list[object] = []
    monkeypatch.setattr(os, "kill", lambda *said: killed.append(said))
    monkeypatch.setattr(supervision, "PATIENCE_S", 0.1)

    def check(files: dict[str, bytes]) -> None:
        for name, data in files.items():
            (home / name).write_bytes(data)
        command = next(COMMANDS)
        with (home / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # like a running supervisor
            ran = cli(*command)

        assert ran.code in (0, 2, 6), (command, ran.err)
        assert "Traceback" not in ran.err, ran.err
        assert all(line.startswith("epkit: ") for line in ran.lines), ran.err
        assert "\x1b" not in ran.out + ran.err
        assert not killed

    fuzz("states", states(), check)


def test_the_state_that_is_not_changed_is_read(tmp_path):
    """Otherwise the fuzzer might test only refusals."""
    cli = Cli(directory=tmp_path, environ={"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)})
    home = tmp_path / "state" / "epkit" / "endpoints" / NAME
    home.mkdir(parents=True)
    for name, value in FILES.items():
        (home / name).write_bytes(text_of(value) + b"\n")
    with (home / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shown = cli("deploy", "show", NAME, "--backend", "local", "--format", "json")
        requests = cli("logs", "show", NAME, "--backend", "local", "--requests")

    assert 0 == shown.code, shown.err
    assert NAME == json.loads(shown.out)["endpoint"]["name"]
    assert 0 == requests.code, requests.err
    assert "/score" in requests.out
