"""The model of a live endpoint: it is a copy, and is replaced under load without losing a request."""

import json
import os
import shutil
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from epkit.backends.local.state import Home, Homes
from support.cli_harness import Cli, complaint

PATIENCE_S = 60
SCRIPT = """\
import json, os
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

VERSION = {version}

def init():
    global weight
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "weights.json")) as file:
        weight = json.load(file)["weight"]

@input_schema("data", StandardPythonParameterType([{{"age": 17, "version": {version}}}]))
@output_schema(StandardPythonParameterType({{"result": [1]}}))
def run(data):
    return {{"result": [[VERSION, weight, os.environ.get("VARIANT", "none")]]}}
"""


def write_model(cli: Cli, version: int, folder: str) -> None:
    """Write a model whose script and weights contain its version."""
    cli.write(f"{folder}/weights.json", json.dumps({"weight": version}))
    cli.write(f"{folder}/score.py", SCRIPT.format(version=version))


@pytest.fixture
def bank(local: Cli) -> Cli:
    """The command line where `bank` serves version 1, and `model2` is another model."""
    write_model(local, 1, "model")
    write_model(local, 2, "model2")
    ran = local("deploy", "create", "bank", "--model", "model", "--entry", "score.py")

    assert 0 == ran.code, ran.err
    return local


def home(cli: Cli) -> Home:
    return Homes(cli.environ).home("bank")


def served(cli: Cli, key: str | None = None) -> list[object]:
    """Return which script, weights and variable serve."""
    import http.client

    there = home(cli)
    connection = http.client.HTTPConnection("127.0.0.1", there.settings().port, timeout=PATIENCE_S)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key or there.keys().primary.reveal()}"}
    connection.request("POST", "/score", b'{"data": [{"age": 5, "version": 1}]}', headers)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()

    assert 200 == reply.status, body
    return json.loads(body)["result"][0]


def update(cli: Cli, *more: object) -> dict:
    ran = cli("deploy", "update", "bank", "--format", "json", *more)

    assert 0 == ran.code, ran.err
    return json.loads(ran.out)


def shown(cli: Cli) -> dict:
    return json.loads(cli("deploy", "show", "bank", "--format", "json").out)["endpoint"]


def copies(cli: Cli) -> set[str]:
    return {path.name for path in home(cli).copies.iterdir()}


def until(holds) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def crash(cli: Cli, *, comes_back: bool = True) -> None:
    """End the server without the supervisor; wait until another one serves."""
    there = home(cli)
    restarts = there.status().restarts
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"epkit.backends.local.server" in (path / "cmdline").read_bytes() and (
                f"TMPDIR={there.tmp}".encode() in (path / "environ").read_bytes().split(b"\0")
            ):
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue
    until(lambda: not comes_back or (there.status().restarts > restarts and there.status().state == "running"))


def test_what_is_served_is_a_copy_that_no_later_training_changes(bank: Cli):
    write_model(bank, 7, "model")
    settings = home(bank).settings()
    folder = home(bank).model_dir(settings.copy)
    assert (str(folder / "model"), str(bank.directory / "model")) == (settings.code, settings.model)
    assert 0o400 == stat.S_IMODE((folder / "model/weights.json").stat().st_mode)
    shutil.rmtree(bank.directory / "model")
    crash(bank)
    assert [1, 1, "none"] == served(bank)


def test_no_request_is_lost_under_load_and_url_key_and_configuration_stay(bank: Cli):
    bank.write("epkit.toml", f"# mine\n{bank.read('epkit.toml')}# and mine\n")
    configuration, keys, before = bank.read("epkit.toml"), home(bank).keys(), shown(bank)
    seen: list[list[object]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.append(served(bank, keys.primary.reveal()))

    watching = threading.Thread(target=watch)
    with bank.start("bench", "-t", PATIENCE_S, "-c", 8, "--format", "json", "bank") as process:
        watching.start()
        time.sleep(1.5)
        made = update(bank, "--model", "model2")
        until(lambda: len(copies(bank)) == 1)  # the old server has ended
        process.send_signal(signal.SIGINT)
        ran = bank.finished(process)
        over.set()
        watching.join()

    assert 130 == ran.code, ran.err
    assert {} == ran.failures
    assert ran.report["counts"]["ok"] > 100
    assert [[1, 1, "none"], [2, 2, "none"]] == [row for at, row in enumerate(seen) if row not in seen[:at]]
    assert [2, 2, "none"] == made["scored"]["reply"]["result"][0]
    assert (before["scoring_uri"], keys) == (made["endpoint"]["scoring_uri"], home(bank).keys())
    assert configuration == bank.read("epkit.toml")
    assert '"version": 2' in bank.read("swagger/bank.json")
    (first,), (second,) = before["deployments"], made["endpoint"]["deployments"]
    assert [str(bank.directory / name) for name in ("model", "model2")] == [first["model"], second["model"]]
    assert 64 == len(second["model_sha256"]) == len(first["model_sha256"])
    assert first["model_sha256"] != second["model_sha256"]
    for command in (["list"], ["show", "bank"]):
        assert f"{second['model_sha256'][:12]} {second['model_at']}" in bank("deploy", *command).out
    crash(bank)
    assert [2, 2, "none"] == served(bank)


def test_a_model_that_does_not_start_changes_nothing_and_leaves_nothing(bank: Cli):
    bank.write("model2/score.py", "raise ImportError('half trained')")
    contract, kept = bank.read("swagger/bank.json"), copies(bank)
    ran = bank("deploy", "update", "bank", "--model", "model2")

    assert 6 == ran.code
    assert "half trained" in ran.err
    assert ran.lines[-1] == (
        "epkit: bank: nothing was changed: the server ended with code 3; "
        f"the end of the log is above, all of it in {home(bank).log}"
    )
    assert [1, 1, "none"] == served(bank)
    assert (contract, kept, None) == (bank.read("swagger/bank.json"), copies(bank), home(bank).wanted())
    assert ("Healthy", None) == (shown(bank)["state"], shown(bank)["error"])
    crash(bank)
    assert [1, 1, "none"] == served(bank)


def test_an_update_that_is_killed_leaves_the_old_or_the_new_and_the_next_one_tidies_up(bank: Cli):
    version, both = 1, ([1, 1, "none"], [2, 2, "none"])
    kills = int(os.environ.get("EPKIT_KILLS", "3"))
    for after_s in (0.2 + 2 * kill / kills for kill in range(kills)):
        new = 3 - version
        with bank.start("deploy", "update", "bank", "--model", "model2" if new == 2 else "model") as process:
            time.sleep(after_s)
            process.kill()
            process.wait()
        row = served(bank)

        assert row in both
        version = row[0]
    crash(bank)
    assert served(bank) in both
    home(bank).copies.joinpath(".0123abcd").mkdir()
    home(bank).copies.joinpath("0123abcd").mkdir()
    update(bank, "--model", "model2")

    assert [2, 2, "none"] == served(bank)
    until(lambda: {home(bank).settings().copy} == copies(bank))


@pytest.mark.long
def test_an_endpoint_whose_server_does_not_come_back_is_mended_by_another_model(bank: Cli):
    script = Path(home(bank).settings().code) / "score.py"
    script.unlink()
    script.write_text("raise ImportError('broken')")
    there, before = home(bank), home(bank).status().restarts
    crash(bank, comes_back=False)
    until(lambda: there.status().restarts >= before + 2)
    update(bank, "--model", "model2")

    assert [2, 2, "none"] == served(bank)
    assert ("Healthy", None) == (shown(bank)["state"], shown(bank)["error"])


@pytest.mark.long
def test_a_change_that_is_given_up_ends_what_had_begun(bank: Cli):
    """Press Ctrl-C while the new model loads."""
    bank.write("model2/score.py", f"import time\ntime.sleep({PATIENCE_S})\n")
    with bank.start("deploy", "update", "bank", "--model", "model2") as process:
        until(lambda: len(copies(bank)) == 2 and home(bank).wanted() is not None)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)

        assert 130 == bank.finished(process).code
    until(lambda: {home(bank).settings().copy} == copies(bank))
    assert None is home(bank).wanted()
    assert [1, 1, "none"] == served(bank)


def test_a_script_that_lies_apart_from_the_model_stays_and_another_one_may_be_named(bank: Cli):
    assert 0 == bank("deploy", "delete", "bank").code
    bank.write("score.py", "import helper\n" + SCRIPT.format(version="helper.VERSION"))
    bank.write("helper.py", "VERSION = 11\n")
    bank.write("rows.csv", "a\n1\n")
    for folder in ("model", "model2"):
        (bank.directory / folder / "score.py").unlink()
    ran = bank("deploy", "create", "bank", "--model", "model", "--entry", "score.py", "--env", "HOME")
    code = Path(home(bank).settings().code)

    assert 0 == ran.code, ran.err
    assert {"helper.py", "score.py"} <= {path.name for path in code.iterdir()} - {"rows.csv"}
    assert not (code / "rows.csv").exists()
    assert [11, 1, "none"] == served(bank)
    (bank.directory / "helper.py").unlink()
    bank.environ["VARIANT"] = "b"
    update(bank, "--model", "model2", "--env", "VARIANT")
    assert [11, 2, "b"] == served(bank)
    write_model(bank, 3, "model3")
    update(bank, "--model", "model3", "--entry", "model3/score.py")
    assert [3, 3, "b"] == served(bank)
    assert "b" not in [path.read_text() for path in home(bank).path.rglob("environ.json")]


def test_the_current_directory_comes_before_the_model_s_and_that_is_said(cli: Cli):
    write_model(cli, 1, "model")
    create = ("deploy", "create", "bank", "--model", "model", "--entry", "score.py", "--dry-run", "--format", "json")
    assert str(cli.directory / "model") == json.loads(cli(*create).out)["steps"][1]["from"]
    cli.write("score.py", SCRIPT.format(version=5))
    ran = cli(*create)
    step, here = json.loads(ran.out)["steps"][1], cli.directory

    assert (str(here), "modules", "score.py") == (step["from"], step["what"], step["entry"])
    assert f"--entry score.py: {here}/score.py is taken, not {here}/model/score.py: the current directory" in ran.err
    neither = complaint(cli(*create[:6], "other.py"), 2)
    assert f"--entry other.py: no such file in {here}, where you are, nor in {here}/model" == neither


REFUSED = [
    (["--model", "nowhere"], 2, "--model nowhere: no such file or directory"),
    (["--model", "model2", "--entry", "x.py"], 2, "--entry x.py: no such file in "),
    (["--model", "empty"], 2, "--entry FILE: score.py was one of the old model's files, and "),
    (["--model", "model2", "--code", "model2"], 2, "--code: with --entry FILE"),
    (["--model", "model2", "--deployment", "green"], 6, "bank: it has no deployment green, only blue"),
    (["--model", "model2", "--env", "UNSET"], 2, "--env UNSET: this environment variable is not set"),
    (["--model", "model2", "--traffic", "blue=100"], 2, "give one of --model DIR (replace the model) and --traffic "),
    ([], 2, "give one of --model DIR (replace the model) and --traffic "),
    (["--traffic", "blue=100", "--entry", "score.py"], 2, "--entry: works with --model, not with --traffic"),
    (["--model", "linked"], 2, "linked/link: a link out of the directory, to "),
]


def test_a_replacement_that_cannot_be_is_refused_and_so_is_a_second_one_at_the_same_time(bank: Cli):
    (bank.directory / "empty").mkdir()
    write_model(bank, 9, "linked")
    (bank.directory / "linked/link").symlink_to("/etc/passwd")
    kept = copies(bank)
    for arguments, code, said in REFUSED:
        ran = bank("deploy", "update", "bank", *arguments)

        assert (code, "") == (ran.code, ran.out), arguments
        assert said in ran.lines[-1]
    with home(bank).changing():
        refused = [
            complaint(bank(*command), 6)
            for command in (
                ("deploy", "update", "bank", "--model", "model2"),
                ("logs", "enable", "bank"),
                ("deploy", "keys", "bank", "--regenerate", "primary"),
            )
        ]

    assert ["bank: another command is changing it: try again when that is done"] * 3 == refused
    assert (kept, 1) == (copies(bank), home(bank).settings().generation)


def test_an_endpoint_of_an_earlier_epkit_is_shown_and_deleted_but_not_changed(bank: Cli):
    """Its supervisor still runs the old code, which expects a link where there is a copy now."""
    file = home(bank).path / "settings.json"
    earlier = {name: value for name, value in json.loads(file.read_bytes()).items() if not name.startswith("model_")}
    del earlier["copy"]
    file.write_text(json.dumps(earlier))
    said = complaint(bank("deploy", "update", "bank", "--model", "model2"), 6)

    assert said == (
        "bank: an earlier epkit made it, and this one cannot change it: epkit deploy delete bank, then epkit deploy create"
    )
    assert None is shown(bank)["deployments"][0]["model_sha256"]
    assert 0 == bank("deploy", "delete", "bank").code
    assert not home(bank).path.exists()
