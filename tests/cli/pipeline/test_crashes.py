"""A run that is killed, interrupted or concurrent with another; a table that changes; a full disk."""

import json
import os
import signal
import time

import pytest

from support.cli_harness import complaint
from support.small_disk import fill, small_disk
from support.trained import bank_like

STORE = ".epkit/pipelines/bank"


def wait_for(path, text, patience_s=90):
    """Wait until a file contains a text."""
    until = time.monotonic() + patience_s
    while not path.exists() or text not in path.read_bytes():
        assert time.monotonic() < until, f"{path} has no {text!r}"
        time.sleep(0.01)


def hashes(cli):
    """Return the digests of the champion's model."""
    return json.loads(cli.read(f"{STORE}/champion.json"))["sha256"]


@pytest.mark.parametrize("step", ["data", "train", "gate"])
def test_a_run_that_is_killed_in_a_step_goes_on_with_the_same_command(fresh, ran_once, step):
    bank_like(1500).write_csv(fresh.directory / "bank.csv")
    with fresh.start("pipeline", "run", "bank") as process:
        wait_for(fresh.directory / STORE / "runs/1/run.jsonl", f'"begun": "{step}"'.encode())
        if step == "train":
            wait_for(fresh.directory / STORE / "runs/1/logs/train.txt", b"1 of 2 runs")
        process.send_signal(signal.SIGKILL)
        process.wait()
    listed = fresh("pipeline", "list", "bank").out
    ran = fresh("pipeline", "run", "bank")

    assert 0 == ran.code, ran.err
    # The last step may have ended between the line and the kill.
    assert "unfinished" in listed or step == "gate"
    before = {"data": [], "train": ["data"], "gate": ["data", "train"]}[step]
    states = {line.split()[0]: line.split()[1] for line in ran.out.splitlines()}
    assert before == [name for name in before if states[name] == "reused"]
    whole = json.loads((ran_once[0] / STORE / "champion.json").read_text())
    assert whole["sha256"] == hashes(fresh), "the same table and plan give the same model"
    assert [] == list((fresh.directory / STORE / "cache").glob("*.part"))


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_training_says_so_and_goes_on(fresh, number, code):
    fresh.write("epkit.toml", fresh.read("epkit.toml").replace("runs = 2", "runs = 12"))
    with fresh.start("pipeline", "run", "bank") as process:
        wait_for(fresh.directory / STORE / "runs/1/logs/train.txt", b"2 of 12 runs")
        process.send_signal(number)
        ran = fresh.finished(process)

    assert "train    stopped" in ran.out
    assert complaint(ran, code).startswith("bank run 1: interrupted: interrupted in train")
    assert not (fresh.directory / STORE / "champion.json").exists()
    report = json.loads(fresh.read(f"{STORE}/runs/1/report.json"))
    assert ("interrupted", code) == (report["state"], report["exit_code"])
    assert [] != list((fresh.directory / STORE / "cache").glob("*.part")), "what was tried is kept"


def test_a_second_run_is_refused_with_the_process_that_runs_and_cancel_ends_that(fresh):
    fresh.write("epkit.toml", fresh.read("epkit.toml").replace("runs = 2", "runs = 40"))
    with fresh.start("pipeline", "run", "bank") as process:
        wait_for(fresh.directory / STORE / "runs/1/logs/train.txt", b" runs")
        refused = complaint(fresh("pipeline", "run", "bank"), 2)
        cancelled = fresh("pipeline", "cancel", "bank")
        ran = fresh.finished(process)

    assert f"bank: a run goes on (process {process.pid}): wait for it, or epkit pipeline cancel bank" == refused
    assert (0, f"bank: process {process.pid} is asked to end its run\n") == (cancelled.code, cancelled.out)
    assert 143 == ran.code
    assert "bank: no run goes on\n" == fresh("pipeline", "cancel", "bank").out


@pytest.mark.long
def test_a_table_that_changes_while_a_run_goes_on_is_refused(fresh):
    with fresh.start("pipeline", "run", "bank") as process:
        wait_for(fresh.directory / STORE / "runs/1/run.jsonl", b'"begun": "train"')
        wait_for(fresh.directory / STORE / "runs/1/logs/train.txt", b"0 of 2 runs")
        bank_like(401).write_csv(fresh.directory / "bank.csv")
        ran = fresh.finished(process)

    assert "bank.csv: changed while the run went on" in complaint(ran, 2)
    assert not (fresh.directory / STORE / "champion.json").exists()


def test_a_missing_table_is_said_before_anything_is_kept(fresh):
    (fresh.directory / "bank.csv").unlink()

    assert "pipelines.bank.data: there is no " in complaint(fresh("pipeline", "run", "bank"), 2)


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(fresh):
    with small_disk(1 << 20) as disk:
        os.symlink(disk, fresh.directory / ".epkit")
        fill(disk, left=24 << 10)
        ran = fresh("pipeline", "run", "bank", "--to", "data")
        said = ran.lines[-1]

        assert 2 == ran.code, ran.err
        assert "no space left on device: make room there" in said
        (disk / "ballast").unlink()
        assert 0 == fresh("pipeline", "run", "bank", "--to", "data").code


def test_a_damaged_champion_or_report_is_named(cli):
    cli.write(f"{STORE}/runs/1/report.json", "{}")
    assert "report.json: damaged: " in complaint(cli("pipeline", "show", "bank"), 2)
    cli.write(f"{STORE}/champion.json", "{")
    assert "champion.json: damaged: remove it to begin without a champion" in complaint(
        cli("pipeline", "run", "bank"), 2
    )


def test_an_outcome_that_is_not_whole_is_made_again(cli):
    keys = json.loads(cli.read(f"{STORE}/champion.json"))["keys"]
    cli.write(f"{STORE}/cache/{keys['gate']}/step.json", '{"step": "gate"')
    ran = cli("pipeline", "run", "bank")

    assert 0 == ran.code, ran.err
    assert ["reused", "reused", "ok"] == [line.split()[1] for line in ran.out.splitlines()]
