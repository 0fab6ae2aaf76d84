"""A job of several workers, of this machine or a cluster, has the same output as a job of one process."""

import json
import os
import signal
import sys
from pathlib import Path

import polars as pl
import pytest

from epkit.files.parquet import parts_of
from support.cli_harness import complaint
from support.dask_cluster import DaskCluster, children_of, until
from support.predict_server import PredictServer, poisoned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

NO = "--no-validate"
ROWS = 3000


@pytest.fixture
def server():
    with PredictServer() as running:
        running.keep = False
        yield running


@pytest.fixture
def own():
    pytest.importorskip("distributed", reason="needs the extra cluster")
    with DaskCluster(2) as cluster:
        yield cluster


def frame(count):
    return pl.DataFrame({"id": range(count), "name": [f"n{n}" for n in range(count)]})


def given(cli, form, count=ROWS):
    """Write rows in a format; return the file's name."""
    name = f"rows{form}"
    path = cli.directory / name
    match form:
        case ".csv":
            frame(count).write_csv(path)
        case ".jsonl":
            frame(count).write_ndjson(path)
        case _:
            frame(count).write_parquet(path)
    return name


def left(cli, out):
    """Return the bytes of an output and of the list of failed rows."""
    files = [cli.directory / out, *sorted(cli.directory.glob(f"{out}.failed*"))]
    return [path.read_bytes() for path in files]


def command(rows, server, out, *flags):
    return ["score", rows, "--target", server.url, NO, "-o", out, *flags]


def scored_once(server, rows=ROWS):
    return dict(server.scored) == {str(n): 1 for n in range(rows)}


@pytest.mark.parametrize("form", [".csv", ".jsonl", ".parquet"])
def test_the_output_is_that_of_one_process_to_the_byte(cli, server, crew, form):
    server.behave = poisoned(17, ROWS - 2)
    rows = given(cli, form)
    one = cli.spawn(*command(rows, server, f"one{form}", "--batch-rows", 50))
    two = cli.spawn(*command(rows, server, f"two{form}", "--batch-rows", 50, *crew))

    assert (4, 4) == (one.code, two.code), two.err
    assert left(cli, f"one{form}") == left(cli, f"two{form}")
    assert 2 == len(left(cli, f"two{form}"))
    again = cli.spawn(*command(rows, server, f"two{form}", "--batch-rows", 50, *crew))
    assert "already complete" in again.err


def test_a_worker_of_a_cluster_that_is_killed_loses_and_doubles_nothing(cli, server, own):
    server.delay_s = 0.02
    rows = given(cli, ".csv")
    flags = ["-c", 4, "--batch-rows", 10, "--cluster", own.address]
    with cli.start(*command(rows, server, "out.csv", *flags)) as process:
        until(lambda: len(server.scored) > 500, "rows are scored")
        own.workers[0].kill()
        ran = cli.finished(process)

    assert 0 == ran.code, ran.err
    assert any("is lost: it " in line and line.endswith("its rows go to the others") for line in ran.lines)
    cli.spawn(*command(rows, server, "one.csv"))
    assert left(cli, "one.csv") == left(cli, "out.csv")


@pytest.mark.long
def test_a_worker_that_joins_a_cluster_takes_part(cli, server, own):
    server.delay_s = 0.03
    rows = given(cli, ".csv", 6000)
    own.workers[1].kill()
    with cli.start(*command(rows, server, "out.csv", "-c", 4, "--batch-rows", 10, "--cluster", own.address)) as process:
        until(lambda: len(server.scored) > 100, "rows are scored")
        joined = own.add_worker()
        until(lambda: own.processes(joined), "ours is next to it")
        (ours,) = own.processes(joined)
        until(lambda: sockets(ours, server.port), "it sends")
        ran = cli.finished(process)

    assert 0 == ran.code, ran.err
    assert any("joined" in line for line in ran.lines)
    assert 4 >= server.most_flying
    assert scored_once(server, 6000)


def sockets(pid, port):
    """Tell whether a process has a connection to a port."""
    mark = f":{port:04X}"
    inodes = {
        line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[2].endswith(mark)
    }
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(fd).removeprefix("socket:[").removesuffix("]") in inodes:
                return True
        except OSError:
            continue
    return False


@pytest.mark.long
def test_without_its_scheduler_a_job_goes_on_another_time(cli, server, own):
    server.delay_s = 0.02
    rows = given(cli, ".csv")
    with cli.start(*command(rows, server, "out.csv", "--batch-rows", 10, "--cluster", own.address)) as process:
        until(lambda: len(server.scored) > 500, "rows are scored")
        own.scheduler.kill()
        ran = cli.finished(process)
    assert 4 == ran.code
    assert "no worker is left" in ran.err

    server.delay_s = 0.0
    assert 0 == cli.spawn(*command(rows, server, "out.csv", "--workers", 2)).code
    cli.spawn(*command(rows, server, "one.csv"))
    assert left(cli, "one.csv") == left(cli, "out.csv")


def test_a_client_that_is_killed_leaves_a_job_that_goes_on(cli, server, crew):
    server.delay_s = 0.02
    rows = given(cli, ".jsonl")
    with cli.start(*command(rows, server, "out.jsonl", "-c", 4, "--batch-rows", 10, *crew)) as process:
        until(lambda: len(server.scored) > 1500, "rows are scored")
        process.kill()
    server.delay_s = 0.0
    ran = cli.spawn(*command(rows, server, "out.jsonl", "--batch-rows", 10, *crew))

    assert 0 == ran.code, ran.err
    cli.spawn(*command(rows, server, "one.jsonl"))
    assert left(cli, "one.jsonl") == left(cli, "out.jsonl")


def test_ctrl_c_ends_a_job_that_goes_on(cli, server, crew):
    server.delay_s = 0.02
    rows = given(cli, ".csv")
    with cli.start(*command(rows, server, "out.csv", "-c", 4, "--batch-rows", 10, *crew)) as process:
        until(lambda: len(server.scored) > 500, "rows are scored")
        process.send_signal(signal.SIGINT)
        ran = cli.finished(process)
    assert 130 == ran.code, ran.err
    server.delay_s = 0.0
    cli.spawn(*command(rows, server, "out.csv", *crew))

    cli.spawn(*command(rows, server, "one.csv"))
    assert left(cli, "one.csv") == left(cli, "out.csv")


def test_sigterm_is_told_by_its_code(cli, server):
    server.delay_s = 0.02
    rows = given(cli, ".csv")
    with cli.start(*command(rows, server, "out.csv", "-c", 4, "--batch-rows", 10, "--workers", 2)) as process:
        until(lambda: len(server.scored) > 500, "rows are scored")
        process.send_signal(signal.SIGTERM)
        ran = cli.finished(process)

    assert 143 == ran.code, ran.err
    assert set(server.scored.values()) == {1}
    kept = cli.read("out.csv").splitlines()[1:]
    assert [f"{n},n{n},p{n}" for n in range(len(kept))] == kept
    assert 0 < len(kept) <= len(server.scored), "as far as there is no gap between the rows of the two"


def test_a_dry_run_starts_no_worker(cli, server, monkeypatch):
    monkeypatch.setattr("epkit.engines.workers.crew.LocalMember", None)  # it must not be used
    ran = cli(*command(given(cli, ".csv"), server, "out.csv", "--workers", 2, "--dry-run"))

    assert 0 == ran.code, ran.err
    assert "POST /score HTTP/1.1" in ran.out
    assert 0 == server.requests


def test_no_worker_is_left_behind(cli, server):
    server.delay_s = 0.02
    rows = given(cli, ".csv")
    with cli.start(*command(rows, server, "out.csv", "--batch-rows", 10, "--workers", 3)) as process:
        until(lambda: len(server.scored) > 100, "rows are scored")
        workers = children_of(process.pid)
        assert 3 == len(workers)
        process.kill()
        process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "they end by themselves")


def test_the_key_reaches_the_workers_and_shows_nowhere(cli, server, crew, canary):
    server.keep = True
    cli.environ["EPKIT_KEY"] = canary
    rows = given(cli, ".csv", 200)
    assert 0 == cli.spawn(*command(rows, server, "out.csv", "--batch-rows", 10, *crew)).code
    assert {f"Bearer {canary}"} == {headers["authorization"] for headers in server.headers}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--workers", 0], "--workers 0: the number of processes must be from 1 to 1024"),
        (["--workers", 9], "--workers 9: no more than 8 workers are of use"),
        (["--workers", 2, "--cluster", "h:1"], "--workers and --cluster contradict each other"),
    ],
)
def test_workers_that_cannot_be_had_are_refused(cli, server, flags, words):
    assert words in complaint(cli(*command(given(cli, ".csv", 10), server, "out.csv", *flags)), 2)
    assert not (cli.directory / "out.csv").exists()


# Tables of several files, and remote tables.


@pytest.fixture
def directory(cli):
    """A table of eleven parts, in Dask's format."""
    path = cli.directory / "parts"
    path.mkdir()
    for number in range(11):
        frame(ROWS)[number * 300 : (number + 1) * 300].write_parquet(path / f"part.{number}.parquet")
    (path / "_metadata").write_bytes(b"no part")
    return path


def test_the_parts_of_a_directory_are_one_table_in_their_order(cli, server, directory, crew):
    assert [f"part.{n}.parquet" for n in range(11)] == [part.name for part in parts_of(directory)]
    ran = cli.spawn(*command("parts", server, "out.csv", *crew))

    assert 0 == ran.code, ran.err
    cli.spawn(*command(given(cli, ".parquet"), server, "one.csv"))
    assert left(cli, "one.csv") == left(cli, "out.csv")


def test_a_part_that_changes_is_another_input(cli, server, directory):
    server.behave = poisoned(*range(2000, 2100))
    assert 4 == cli(*command("parts", server, "out.csv")).code
    (directory / "part.3.parquet").unlink()

    assert "input" in complaint(cli(*command("parts", server, "out.csv")), 2)


def test_columns_may_stand_in_the_names_of_directories(cli, server):
    for year in (2024, 2025):
        path = cli.directory / "years" / f"year={year}"
        path.mkdir(parents=True)
        frame(3).write_parquet(path / "0.parquet")
    cli(*command("years", server, "out.jsonl"))

    assert [2024] * 3 + [2025] * 3 == [json.loads(line)["year"] for line in cli.read("out.jsonl").splitlines()]


def test_a_directory_without_a_part_is_told(cli, server):
    (cli.directory / "empty").mkdir()
    assert "empty is a directory without a .parquet file" == complaint(cli(*command("empty", server, "o.csv")), 2)


def test_a_table_in_a_store_is_read_through_fsspec(cli, server, directory):
    fsspec = pytest.importorskip("fsspec", reason="needs the extra cluster")
    memory = fsspec.filesystem("memory")
    memory.put(str(directory), "/bucket/parts", recursive=True)
    memory.put(str(cli.directory / given(cli, ".csv")), "/bucket/rows.csv")
    try:
        whole = cli(*command("memory://bucket/parts", server, "parts.csv"))
        single = cli(*command("memory://bucket/rows.csv", server, "rows-out.csv"))
        missing = cli(*command("memory://bucket/nothing.csv", server, "nothing.csv"))
    finally:
        memory.rm("/bucket", recursive=True)

    assert (0, 0) == (whole.code, single.code), whole.err + single.err
    assert left(cli, "parts.csv") == left(cli, "rows-out.csv")
    assert "memory://bucket/nothing.csv: no such file" == complaint(missing, 2)


def test_a_store_that_is_not_known_is_told_in_a_line(cli, server):
    pytest.importorskip("fsspec", reason="needs the extra cluster")
    said = complaint(cli(*command("nowhere://bucket/rows.csv", server, "out.csv")), 2)

    assert said.startswith("nowhere://bucket/rows.csv: cannot be read: Protocol not known: nowhere")


def test_the_package_that_a_store_needs_is_named(cli, server):
    pytest.importorskip("fsspec", reason="needs the extra cluster")
    said = complaint(cli(*command("gs://user:secret@bucket/rows.csv", server, "out.csv")), 2)

    assert "gcsfs" in said
    assert "secret" not in said


def test_without_fsspec_it_is_named(cli, server, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    said = complaint(cli(*command("s3://bucket/rows.csv", server, "out.csv")), 2)

    assert "s3://bucket/rows.csv: a URL needs fsspec: pip install 'epkit[cluster]'" == said
