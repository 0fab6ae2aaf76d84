"""A job that is killed, truncated or disturbed resumes at the same place, and ends with the same output.

`EPKIT_KILLS=50 pytest tests/cli/score/test_journal.py -k killed` is a long run of this test.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import polars as pl
import pytest

from support.cli_harness import complaint
from support.places import DATA
from support.predict_server import PredictServer, plain, poisoned
from support.small_disk import make_read_only, resize, small_disk

NO = "--no-validate"
KILLS = int(os.environ.get("EPKIT_KILLS", "3"))
ROWS = 30_000 if KILLS <= 5 else 400_000


@pytest.fixture
def server():
    with PredictServer() as running:
        running.keep = False
        yield running


def table(count):
    return "id,name\n" + "".join(f"{n},n{n}\n" for n in range(count))


def committed(cli, out):
    """Return the number of rows that are safe according to the journal."""
    path = cli.directory / f"{out}.journal"
    points = [line.partition(b" ")[2] for line in path.read_bytes().splitlines()[1:]] if path.exists() else []
    return json.loads(points[-1])["rows"] if points else 0


def left_over(cli, out):
    return sorted(path.name for path in cli.directory.iterdir() if path.name.startswith(out))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("form", [".csv", ".jsonl", ".parquet"])
def test_a_job_that_is_killed_ends_as_an_undisturbed_one(cli, server, form):
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    # One or two rows fail, so that their list is tested too.
    server.behave = poisoned(17, ROWS - 2)
    cli.write("rows.csv", table(ROWS))
    command = ["score", "rows.csv", "--target", server.url, NO, "-c", 4]
    whole = cli.spawn(*command, "-o", f"whole{form}")
    server.scored.clear()
    server.delay_s = 0.01 if KILLS <= 5 else 0.04
    out = f"out{form}"
    kills = 0
    while kills < KILLS:
        with cli.start(*command, "-o", out, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(0.3 + dice.random() * (0.7 if KILLS <= 5 else 2.0))
            if process.poll() is not None:
                break
            process.kill()
            process.wait()
            kills += 1
    server.delay_s = 0
    ran = cli.spawn(*command, "-o", out)

    assert (4, 4) == (whole.code, ran.code), ran.err
    assert (cli.directory / f"whole{form}").read_bytes() == (cli.directory / out).read_bytes(), f"seed {seed}"
    assert cli.read(f"whole{form}.failed.jsonl") == cli.read(f"{out}.failed.jsonl"), f"seed {seed}"
    assert [out, f"{out}.failed.jsonl", f"{out}.journal"] == left_over(cli, out)
    again = cli(*command, "-o", out)
    assert 4 == again.code, "what is resumed includes the outcome"
    assert [
        f"epkit: {out}: already complete: {ROWS:,} rows, 2 failed; --restart starts over",
        f"epkit: {server.url}: 2 of {ROWS:,} rows failed, {out}.failed.jsonl says why",
    ] == again.lines[-2:]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_job_that_the_epkit_before_left_goes_on(cli, server, form):
    """tests/data/jobs has the files of a job that was killed in an earlier epkit, and the output of a complete job."""
    server.behave = poisoned(17, 118)
    cli.write("epkit.toml", f'[endpoints.old]\nuri = "{server.url}"\nauth = "none"\n')
    for path in (DATA / "jobs").iterdir():
        shutil.copy(path, cli.directory)
    done = committed(cli, f"out.{form}")
    ran = cli.spawn("score", "rows.csv", "--target", "old", NO, "-o", f"out.{form}")

    assert 4 == ran.code, ran.err
    assert (cli.directory / f"whole.{form}").read_bytes() == (cli.directory / f"out.{form}").read_bytes()
    assert cli.read("whole.csv.failed.jsonl") == cli.read(f"out.{form}.failed.jsonl")
    assert done == min(int(key) for key in server.scored)


@pytest.mark.parametrize("form", [".csv", ".jsonl"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_job_has_written_what_it_had_and_goes_on(cli, server, form, number):
    server.delay_s = 0.02
    cli.write("rows.csv", table(20_000))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", f"out{form}"]
    with cli.start(*command) as process:
        while server.requests < 20:
            time.sleep(0.01)
        process.send_signal(number)
        ran = cli.finished(process)
    server.delay_s = 0

    done = committed(cli, f"out{form}")
    assert 128 + number == ran.code
    assert ran.lines[-1].endswith(f": interrupted after {done:,} rows: the same command goes on")
    assert 0 < done < 20_000
    before = server.requests
    assert 0 == cli(*command).code
    assert server.requests - before <= (20_000 - done) / 100 + 8
    assert 20_000 == len(cli.read(f"out{form}").splitlines()) - (form == ".csv")


@pytest.mark.parametrize("crew", [[], ["--workers", 2]])
def test_interrupted_twice_it_ends_at_once_and_no_row_has_failed(cli, fault_server, crew):
    cli.write("rows.csv", table(1000))
    command = ["score", "rows.csv", NO, "-o", "out.csv", "--target", fault_server.url("never")]
    with cli.start(*command, *crew) as process:
        while fault_server.requests["never"] < 8:
            time.sleep(0.01)
        ran = cli.interrupted_twice(process)

    assert 130 == ran.code
    assert ran.lines[-1].endswith(": interrupted after 0 rows: the same command goes on")
    assert not (cli.directory / "out.csv.failed.jsonl").exists()


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_journal_that_was_cut_short_counts_as_far_as_it_is_whole(cli, server, cut):
    cli.write("rows.csv", table(1000))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv"]
    cli(*command)
    whole = cli.read("out.csv")
    path = cli.directory / "out.csv.journal"
    path.write_bytes(path.read_bytes()[:-cut])
    ran = cli(*command)

    assert 0 == ran.code, ran.err
    assert whole == cli.read("out.csv")
    assert 10 == server.requests


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--wrap", "rows"], "wrapping"),
        (["--method", "predict"], "wrapping"),
        (["--param", "a=1"], "wrapping"),
        (["--deployment", "green"], "deployment"),
        (["other.csv"], "input"),
        (["--target", "http://127.0.0.1:9/other"], "target"),
    ],
)
def test_another_job_does_not_go_on_with_this_ones_output(cli, server, change, word):
    cli.write("rows.csv", table(10))
    cli.write("other.csv", table(11))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv"]
    cli(*command)
    whole = cli.read("out.csv")
    changed = ["score", *change[:1], *command[2:]] if word == "input" else [*command, *change]
    said = complaint(cli(*changed), 2)

    assert f"-o out.csv was begun with another {word}: --restart starts over" == said
    assert whole == cli.read("out.csv")
    if word != "target":
        assert 0 == cli(*changed, "--restart").code


def test_a_smaller_batch_or_more_at_once_is_the_same_job(cli, server):
    cli.write("rows.csv", table(10))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv"]
    cli(*command)
    ran = cli(*command, "--batch-rows", 3, "-c", 1)

    assert "already complete" in ran.err


def test_an_output_that_no_journal_owns_is_not_touched(cli, server):
    cli.write("rows.csv", table(2))
    cli.write("out.csv", "mine\n")
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv"]
    said = complaint(cli(*command), 2)

    assert "-o out.csv exists and has no journal: --overwrite replaces it" == said
    assert ("mine\n", ["out.csv"]) == (cli.read("out.csv"), left_over(cli, "out.csv"))
    complaint(cli(*command, "--restart"), 2)
    assert 0 == cli(*command, "--overwrite").code
    assert "id,name,prediction\n0,n0,p0\n1,n1,p1\n" == cli.read("out.csv")


def test_what_is_refused_before_a_row_is_sent_changes_nothing(cli, server):
    contract = {"type": "object", "properties": {"data": {"type": "array", "items": {"type": "object", "properties": {
        "id": {"type": "integer"}, "name": {"type": "string"}}}}}}  # fmt: skip
    document = {"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [{"in": "body", "schema": contract}]}}}}
    cli.write("swagger.json", json.dumps(document))
    cli.write("rows.csv", "id,name\nold,x\n")
    cli.write("out.csv", "mine\n")
    command = ["score", "rows.csv", "--target", server.url, "--schema", "swagger.json", "-o", "out.csv", "--overwrite"]
    assert 3 == cli(*command).code
    assert ("mine\n", ["out.csv"]) == (cli.read("out.csv"), left_over(cli, "out.csv"))
    cli.write("rows.csv", table(1))
    assert 0 == cli(*command).code
    assert "id,name,prediction\n0,n0,p0\n" == cli.read("out.csv")


def test_a_job_that_never_came_to_a_row_does_not_stand_in_the_way_of_another(cli):
    cli.write("rows.csv", table(1))
    command = ["score", "rows.csv", NO, "--retries", 0, "-o", "out.csv", "--target"]
    assert 4 == cli(*command, "http://127.0.0.1:1/score").code
    with PredictServer() as server:
        assert 0 == cli(*command, server.url).code


def test_an_output_that_was_changed_meanwhile_is_refused(cli, server):
    cli.write("rows.csv", table(2))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv"]
    cli(*command)
    cli.write("out.csv", cli.read("out.csv") + "3,mine,x\n")

    assert "was changed since the journal was written" in complaint(cli(*command), 2)
    (cli.directory / "out.csv").unlink()
    assert "is gone since the journal was written" in complaint(cli(*command), 2)


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
def test_two_runs_on_one_output_are_one_too_many(cli, server):
    server.delay_s = 1.0
    cli.write("rows.csv", table(3000))
    command = ["score", "rows.csv", "--target", server.url, NO, "-c", 2, "-o", "out.csv"]
    with cli.start(*command) as process:
        while not server.requests:
            time.sleep(0.01)
        said = complaint(cli.spawn(*command), 2)
        server.delay_s = 0
        first = cli.finished(process)

    assert "-o out.csv: another run is writing it: wait for that, or end it" == said
    assert 0 == first.code
    assert 3001 == len(cli.read("out.csv").splitlines())


def test_an_unfinished_job_that_starts_over_leaves_nothing_behind(cli, server):
    server.behave = poisoned(1)
    cli.write("rows.csv", table(10))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.parquet"]
    assert 4 == cli(*command).code
    server.behave = plain
    assert 0 == cli(*command, "--restart").code

    assert ["out.parquet", "out.parquet.journal"] == left_over(cli, "out.parquet")
    assert 10 == pl.read_parquet(cli.directory / "out.parquet").get_column("prediction").count()


@pytest.mark.parametrize("form", [".csv", ".jsonl", ".parquet"])
def test_a_full_disk_ends_the_job_and_loses_nothing(cli, server, form):
    with small_disk(204_800) as folder:
        cli.write("rows.csv", table(30_000))
        out = f"{folder}/out{form}"
        (folder / "ballast").write_bytes(b"x" * 100_000)
        command = ["score", "rows.csv", "--target", server.url, NO, "--wrap", "data", "-o", out]
        said = cli.spawn(*command)

        assert 2 == said.code
        assert 1 == len(said.lines)
        assert f"-o {out}: no space left on device" in said.err
        resize(folder, 8 << 20)
        again = cli.spawn(*command)
        assert 0 == again.code, again.err
        whole = cli.spawn(*command[:-1], f"whole{form}")
        assert 0 == whole.code
        assert (cli.directory / f"whole{form}").read_bytes() == Path(out).read_bytes()


def test_a_limit_on_the_size_of_files_is_a_full_disk(cli, server):
    cli.write("rows.csv", table(30_000))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv"]
    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    limited += "sys.argv = ['epkit', *sys.argv[1:]]; runpy.run_module('epkit', run_name='__main__')"
    ran = subprocess.run(
        [sys.executable, "-c", limited, *map(str, command)], cwd=cli.directory, capture_output=True, check=False
    )

    assert 2 == ran.returncode
    assert b"-o out.csv: file too large" in ran.stderr
    assert 0 == cli(*command).code
    assert [f"{n},n{n},p{n}" for n in range(30_000)] == cli.read("out.csv").splitlines()[1:]


def test_a_directory_that_cannot_be_written_is_refused(cli, server):
    cli.write("rows.csv", table(2))
    with small_disk(100_000) as folder:
        make_read_only(folder)
        said = complaint(cli("score", "rows.csv", "--target", server.url, NO, "-o", f"{folder}/out.csv"), 2)

        assert f"-o {folder}/out.csv: read-only file system: name another place" == said
    assert 0 == server.requests


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rows": 10**30}, "out.csv.journal: damaged: line 2: rows is 1e+30, not a whole number from 0"),
        ({"rows": 11}, "out.csv: does not hold the rows that the journal records"),
        ({"rows": 9, "complete": True}, "out.csv: does not hold the rows that the journal records"),
        ({"out": 7}, "out.csv: does not hold the rows that the journal records"),
        ({"out": 10**6}, "out.csv: was changed"),
        ({"layout": {"kind": "value", "names": ["p"], "keys": None}}, "out.csv: does not hold the rows"),
        ({"failed": 10, "failed_rows": 1, "reasons": {"status": 1}}, "out.csv.failed.jsonl: is gone"),
    ],
)
def test_a_journal_that_claims_what_is_not_so_is_refused_whatever_its_checksum_says(cli, server, change, why):
    cli.write("rows.csv", table(10))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv"]
    assert 0 == cli(*command).code
    whole = cli.read("out.csv")
    path = cli.directory / "out.csv.journal"
    head, *_, last = [line.partition(b" ")[2] for line in path.read_bytes().splitlines()]
    lines = [head, json.dumps({**json.loads(last), "complete": False, **change}).encode()]
    path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines))
    said = complaint(cli(*command), 2)

    assert why in said
    assert said.endswith(": --restart starts over")
    assert whole == cli.read("out.csv")
    assert 0 == cli(*command, "--restart").code
    assert whole == cli.read("out.csv")


def test_a_job_that_is_called_complete_and_is_not_is_refused(cli, server):
    cli.write("rows.csv", table(10))
    command = ["score", "rows.csv", "--target", server.url, NO, "-o", "out.csv"]
    cli(*command)
    lines = cli.read("out.csv").splitlines(keepends=True)[:5]
    cli.write("out.csv", "".join(lines))
    path = cli.directory / "out.csv.journal"
    head, *_, last = [line.partition(b" ")[2] for line in path.read_bytes().splitlines()]
    point = json.dumps({**json.loads(last), "rows": 4, "out": len("".join(lines))}).encode()
    path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in (head, point)))

    assert "it is for 4 rows, but the input has 10: --restart starts over" in complaint(cli(*command), 2)
