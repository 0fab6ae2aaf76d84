"""Deploy, prove, bench, switch and watch on this machine, with the genuine server, under load."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from epkit.backends.local.backend import LocalBackend
from epkit.backends.local.state import Home, Homes
from epkit.errors import BackendError, UsageError
from epkit.files import model_directory
from epkit.flows.pipeline.steps.deploy import COPY
from support.cli_harness import Cli, Ran
from support.hand_pipeline import MODELS, HandPipeline, states, write_config
from support.places import ROOT
from support.small_disk import fill, small_disk

PATIENCE_S = 120
SCORED = re.compile(r'"?POST /score')
KILLS = int(os.environ.get("EPKIT_KILLS", "3"))
KILLED = ("deploy", "switch", "bench", "prove", "watch")
OK = ("data", "train", "gate", "deploy", "prove", "bench", "switch", "watch")


def home(bank: HandPipeline, name: str = "bank") -> Home:
    return Homes(bank.environ).home(name)


def names(bank: HandPipeline) -> list[str]:
    return [each.path.name for each in Homes(bank.environ)]


def serving(bank: HandPipeline) -> str:
    """Return the name of the model that serves."""
    digests = {model_directory.digest(bank.directory / MODELS / name): name for name in ("one", "two", "wrong")}
    return digests[str(home(bank).settings().model_sha256)]


def scored(bank: HandPipeline, name: str) -> int:
    """Return the number of requests with rows in a server's log."""
    return sum(1 for line in home(bank, name).log.read_text().splitlines() if SCORED.search(line))


def slo(bank: HandPipeline, *objectives: str, more: str = "") -> None:
    written = json.dumps(list(objectives))
    write_config(
        bank.directory, 'deploy = { endpoint = "bank" }', f"bench = {{ requests = 20, slo = {written}{more} }}"
    )


@pytest.fixture(scope="module")
def first(bank: HandPipeline) -> Any:
    """The first run, and the state after it: endpoints, the serving model, `epkit.toml`."""
    slo(bank, "p99<60s")
    ran = bank.run("one")

    assert 0 == ran.exit_code, ran.reason
    return ran, names(bank), serving(bank), (bank.directory / "epkit.toml").read_text()


@pytest.fixture
def other(bank: HandPipeline, first: Any) -> str:
    """The model that does not serve; the pipeline is in the state after the first run."""
    slo(bank, "p99<60s")
    if ["bank"] != names(bank):  # the test before left a candidate: the next run deletes it
        assert 0 == bank.run(serving(bank)).exit_code
        assert ["bank"] == names(bank)
    return "one" if serving(bank) == "two" else "two"


@contextmanager
def load(bank: HandPipeline) -> Iterator[list[Ran]]:
    """Load the endpoint during the whole test; the report is in the yielded list afterwards."""
    cli = Cli(directory=bank.directory, environ=dict(bank.environ), patience_s=PATIENCE_S)
    over: list[Ran] = []
    with cli.start("bench", "-t", PATIENCE_S, "-c", 4, "--format", "json", "bank") as process:
        before, begun = scored(bank, "bank"), time.monotonic()
        while scored(bank, "bank") < before + 20:
            assert time.monotonic() - begun < PATIENCE_S, "no load came"
            time.sleep(0.05)
        yield over
        process.send_signal(signal.SIGINT)
        over.append(cli.finished(process))


def test_the_first_run_makes_the_endpoint_and_leaves_no_candidate(bank: HandPipeline, first: Any):
    ran, endpoints, served, written = first
    steps = {result.step: result for result in ran.steps}

    assert dict.fromkeys(OK, "ok") == states(ran)
    assert "bank-green, no traffic; bank is there after switch" == steps["deploy"].line
    assert "contract found, 20 golden rows equal to 1e-9, 20 payloads judged as the server does" == steps["prove"].line
    assert "bank now serves run 1" == steps["switch"].line
    assert (["bank"], "one") == (endpoints, served)
    assert "[endpoints.bank]" in written
    assert "green" not in written
    assert home(bank).settings().app_insights
    golden = bank.runs / "1" / "golden.json"
    assert 0o600 == stat.S_IMODE(golden.stat().st_mode)
    assert 20 == len(json.loads(golden.read_bytes())["rows"])
    copy = bank.runs / "1" / COPY / "model"
    assert {0o400} == {stat.S_IMODE(path.stat().st_mode) for path in copy.iterdir()}
    assert {"bench.html", "bench.json"} <= {path.name for path in (bank.runs / "1").iterdir()}


def test_no_key_is_left_in_the_directory_of_a_run(bank: HandPipeline, first: Any):
    key = home(bank).keys().primary.reveal().encode()

    assert [] == [path for path in bank.runs.rglob("*") if path.is_file() and key in path.read_bytes()]
    assert [] == [*bank.runs.rglob("targets.toml")]


def test_an_endpoint_that_epkit_toml_does_not_have_is_written_there(bank: HandPipeline, other: str):
    file, contract = bank.directory / "epkit.toml", bank.directory / "swagger" / "bank.json"
    whole, begins = file.read_text(), file.read_text().index("[pipelines.bank]")
    file.write_text(whole[begins:])
    contract.unlink()

    ran = bank.run(other)

    assert 0 == ran.exit_code, ran.reason
    assert tomllib.loads(whole)["endpoints"]["bank"] == tomllib.loads(file.read_text())["endpoints"]["bank"]
    assert contract.is_file()


def test_a_model_that_serves_already_is_not_deployed_again(bank: HandPipeline, other: str):
    again = bank.run(serving(bank))

    assert 0 == again.exit_code
    assert dict.fromkeys(OK[3:], "skipped") == {step: states(again)[step] for step in OK[3:]}
    assert "bank serves this model" == again.steps[3].line


def test_a_candidate_alone_is_asked_and_at_most_50_times(bank: HandPipeline, other: str):
    live, before = scored(bank, "bank"), serving(bank)
    ran = bank.run(other, to="prove")
    asked = scored(bank, "bank-green")
    (proved,) = [result for result in ran.steps if result.step == "prove"]

    assert 0 == ran.exit_code, ran.reason
    assert (proved.result["requests"] - 1, live, before) == (asked, scored(bank, "bank"), serving(bank))
    assert 20 < asked < 50
    assert ["bank", "bank-green"] == names(bank)  # no step failed, so --from bench can continue with it
    later = bank.run(other, only="bench")
    assert "ok" == states(later)["bench"], later.reason


@pytest.mark.long
def test_no_request_fails_whatever_becomes_of_the_candidate(bank: HandPipeline, other: str):
    """Three candidates are stopped: by a gate, an objective and a wrong answer. The fourth takes over."""
    old, key, port = serving(bank), home(bank).keys(), home(bank).settings().port
    with load(bank) as over:
        stopped = bank.run(other, passes=False)
        slo(bank, "p99<0.001ms")
        slow = bank.run(other)
        after_slow = (names(bank), serving(bank))
        slo(bank, "p99<60s")
        wrong = bank.run("wrong")
        after_wrong = (names(bank), serving(bank))
        slo(bank, "p99<60s", more=', against_live = true, rate = 50, fail_if = ["p99>+100000%"]')
        taken = bank.run(other)
        time.sleep(0.5)
    (report,) = over

    assert (5, "gate: AUC>=0.99: 0.7") == (stopped.exit_code, stopped.reason)
    assert (5, "stopped") == (slow.exit_code, states(slow)["bench"])
    assert str(slow.reason).startswith("bench: missed p99<0.001ms: observed ")
    assert (["bank"], old) == after_slow == after_wrong
    assert (3, "failed") == (wrong.exit_code, states(wrong)["prove"])
    assert re.match(
        r'prove: bank-green: golden rows: answers: row \d+: "yes" where the training has "no": ', str(wrong.reason)
    )
    assert (0, None) == (taken.exit_code, taken.reason)
    (bench,) = [result.result for result in taken.steps if result.step == "bench"]
    assert (True, 60, [True]) == (bench["against_live"], bench["requests"], [one["passed"] for one in bench["fail_if"]])
    assert (["bank"], other, key, port) == (names(bank), serving(bank), home(bank).keys(), home(bank).settings().port)
    assert {} == report.failures
    assert report.report["counts"]["ok"] > 100


@pytest.mark.long
def test_an_endpoint_that_has_the_candidates_name_is_left_alone(bank: HandPipeline, other: str):
    cli = Cli(directory=bank.directory, environ=dict(bank.environ), patience_s=PATIENCE_S)
    model = ("--model", f"{MODELS}/one", "--entry", "score.py", "--code", f"{MODELS}/one")
    if "bank-green" in names(bank):  # a candidate that another test left
        assert 0 == cli("deploy", "delete", "bank-green").code
    made = cli("deploy", "create", "bank-green", *model)
    before = home(bank, "bank-green").status()
    ran = bank.run(other)

    assert 0 == made.code, made.err
    assert (2, before) == (ran.exit_code, home(bank, "bank-green").status())
    assert str(ran.reason).endswith("and the candidate needs the name: epkit deploy delete bank-green")
    assert 0 == cli("deploy", "delete", "bank-green").code


def start(bank: HandPipeline, model: str) -> "subprocess.Popen[bytes]":
    environ = {**bank.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-m", "support.hand_pipeline", model]
    return subprocess.Popen(command, cwd=bank.directory, env=environ, stdout=subprocess.DEVNULL)


def in_step(bank: HandPipeline, process: "subprocess.Popen[bytes]", step: str) -> None:
    """Wait until the run of a process has started a step, or has ended."""
    begun = time.monotonic()
    while process.poll() is None and not _begun(bank, step):
        assert time.monotonic() - begun < PATIENCE_S
        time.sleep(0.01)


def test_a_run_that_is_killed_leaves_the_old_or_the_new_and_the_next_one_goes_on(bank: HandPipeline, other: str):
    for kill in range(KILLS):
        old = serving(bank)
        new = "one" if old == "two" else "two"
        process = start(bank, new)
        in_step(bank, process, KILLED[kill % len(KILLED)])
        time.sleep(0.4 * (kill // len(KILLED) + 1) / (KILLS // len(KILLED) + 1))
        process.kill()
        process.wait(PATIENCE_S)

        assert serving(bank) in (old, new)
        assert "Healthy" == _state(bank)
    ran = bank.run(other)

    assert 0 == ran.exit_code, ran.reason
    assert (["bank"], other) == (names(bank), serving(bank))
    assert [] == [*bank.runs.rglob("candidate.json")]


@pytest.mark.long
@pytest.mark.parametrize("step", KILLED if KILLS > 3 else KILLED[:2])
def test_ctrl_c_in_a_step_takes_the_candidate_away_or_leaves_what_was_switched_to(
    bank: HandPipeline, other: str, step: str
):
    old = serving(bank)
    process = start(bank, other)
    in_step(bank, process, step)
    process.send_signal(signal.SIGINT)
    code = process.wait(PATIENCE_S)

    switched = serving(bank) == other
    assert switched == (step in ("switch", "watch"))
    assert code == 130 or (code == 0 and step == "watch")  # the last step may end by itself
    assert (["bank"], [], "Healthy") == (names(bank), [*bank.runs.rglob("candidate.json")], _state(bank))
    champion = json.loads((bank.runs.parent / "champion.json").read_bytes())
    assert (champion["sha256"] == home(bank).settings().model_sha256) is True
    assert old != other


@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_a_backend_that_fails_half_way_leaves_what_serves(
    bank: HandPipeline, other: str, verb: str, monkeypatch: pytest.MonkeyPatch
):
    old, real = serving(bank), getattr(LocalBackend, verb)
    failures = []

    def fails(self: LocalBackend, *arguments: Any) -> Any:
        if failures:
            return real(self, *arguments)
        failures.append(verb)
        if verb == "create":
            real(self, *arguments)  # it is created, but the backend reports a failure
        raise BackendError("the backend is out of order")

    monkeypatch.setattr(LocalBackend, verb, fails)
    ran = bank.run(other)

    if verb == "delete":  # the new model serves, and the next run deletes the rest
        assert (0, other, ["bank", "bank-green"]) == (ran.exit_code, serving(bank), names(bank))
        assert 0 == bank.run(other).exit_code
        assert ["bank"] == names(bank)
        return
    step = {"create": "deploy", "update": "switch"}[verb]
    assert (6, f"{step}: the backend is out of order") == (ran.exit_code, ran.reason)
    assert (["bank"], old, "Healthy") == (names(bank), serving(bank), _state(bank))


def test_a_full_disk_in_any_step_is_one_line_and_leaves_what_serves(bank: HandPipeline, other: str):
    old, place = serving(bank), bank.directory / ".epkit"
    assert 0 == bank.run(other, to="gate").exit_code
    with small_disk(8 << 20) as disk:
        shutil.copytree(place, disk, dirs_exist_ok=True, symlinks=True)
        kept = place.rename(bank.directory / "epkit-kept")
        try:
            place.symlink_to(disk)
            code, failed = 2, 0
            # Space for one more step at a time, until there is enough for all.
            for left in range(0, 1 << 20, 48 << 10):
                fill(disk, left=left)
                try:
                    ran = bank.run(other)
                    said, code = str(ran.reason), ran.exit_code
                except UsageError as error:
                    said, code = str(error), error.exit_code
                (disk / "ballast").unlink()
                if code == 0:
                    break
                failed += 1

                assert (2, 1) == (code, len(said.splitlines())), said
                assert "no space left on device" in said
                # Either the old model serves, or the new one, if the switch was made before the disk was full.
                # Endpoints whose deletion could not be recorded are deleted by the next run.
                assert serving(bank) in (old, other)
                assert ["bank"] == [name for name in names(bank) if name != "bank-green"]
            assert code == 0 < failed
            ran = bank.run(other)
            assert (0, other, ["bank"]) == (ran.exit_code, serving(bank), names(bank)), ran.reason
        finally:
            place.unlink()
            kept.rename(place)
    assert 0 == bank.run(other).exit_code


def _begun(bank: HandPipeline, step: str) -> bool:
    """Tell whether the current run has started a step."""
    last = max(bank.runs.iterdir(), key=lambda path: int(path.name))
    journal = (last / "run.jsonl").read_text() if (last / "run.jsonl").exists() else ""
    return f'"begun": "{step}"' in journal and '"over"' not in journal


def _state(bank: HandPipeline) -> str:
    cli = Cli(directory=bank.directory, environ=dict(bank.environ), patience_s=PATIENCE_S)
    return str(json.loads(cli("deploy", "show", "bank", "--format", "json").out)["endpoint"]["state"])


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ('slo = ["p99<250"]', r"pipelines\.bank\.bench\.slo: .*p99 is a time and wants us, ms or s"),
        ('against_live = true, rate = 5, fail_if = ["p99"]', r"pipelines\.bank\.bench\.fail_if: "),
    ],
)
def test_an_objective_that_cannot_be_read_is_refused_before_anything_runs(bank: HandPipeline, key: str, said: str):
    write_config(bank.directory, 'deploy = { endpoint = "bank" }', f"bench = {{ {key} }}")
    before = [*bank.runs.glob("*")]
    with pytest.raises(UsageError, match=said):
        bank.run("one")

    assert before == [*bank.runs.glob("*")]


def test_a_pipeline_that_does_not_deploy_has_no_such_steps(bank: HandPipeline):
    write_config(bank.directory)
    with pytest.raises(UsageError, match="this pipeline has no such step"):
        bank.run("one", only="deploy")
