"""Every command that writes, on a full, nearly full or read-only disk: the error is one line, and no data is lost."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli_harness import Cli, Ran
from support.predict_server import PredictServer, poisoned
from support.small_disk import fill, make_read_only, small_disk

NO = "--no-validate"
BEFORE = "of yesterday\n"
LEFT = (0, 4_096, 8_192, 20_480, 65_536)


@pytest.fixture
def run(cli, rows, fault_server):
    """`run(command, file)` makes a command write to a file, with all its inputs prepared."""
    cli.write("table.csv", "id,name\n" + "".join(f"{n},{n:0200}\n" for n in range(300)))
    cli.write("contract.json", (Path(__file__).parents[2] / "swagger" / "bank.openapi3.json").read_bytes())
    assert 0 == cli("bench", "-n", 300, "-p", rows, NO, "--save", "x.epkit", fault_server.url("ok")).code
    bench = ["bench", "-n", 300, "-p", rows, NO]

    with PredictServer(poisoned(17)) as server:
        score = ["score", "table.csv", NO, "--target", server.url]
        commands = {
            **{flag: lambda file, flag=flag: [*bench, flag, file, fault_server.url("ok")] for flag in ("-e", "-g", "--html", "--junit", "--save")},
            "--samples": lambda file: [*bench, "--samples", f"{file}.csv", fault_server.url("ok")],
            "--samples of Parquet": lambda file: [*bench, "--samples", f"{file}.parquet", fault_server.url("ok")],
            "--keep-failures": lambda file: [*bench, "--keep-failures", f"{file}.d", fault_server.url("404")],
            "report": lambda file: ["report", "x.epkit", "--html", file],
            "compare": lambda file: ["compare", "x.epkit", "x.epkit", "--html", file],
            "sample": lambda file: ["sample", "--schema", "contract.json", "--rows", 200, "-o", file],
            **{f"score {form}": lambda file, form=form: [*score, "--overwrite", "-o", f"{file}.{form}"] for form in ("csv", "jsonl", "parquet")},
        }  # fmt: skip

        def start(name: str, file: Path) -> Ran:
            return cli(*commands[name](file))

        yield start


WRITING = (
    *("-e", "-g", "--html", "--junit", "--save", "--samples", "--samples of Parquet", "--keep-failures"),
    *("report", "compare", "sample", "score csv", "score jsonl", "score parquet"),
)


def in_one_line(ran: Ran) -> str:
    """Return the last line of a command that could not write; it must be the only complaint."""
    assert 2 == ran.code, ran.err
    assert "Traceback" not in ran.err, ran.err
    assert ran.lines[-1].startswith("epkit: ")
    return ran.lines[-1]


@pytest.mark.parametrize("name", WRITING)
def test_a_command_whose_disk_is_nearly_full_says_so_or_has_written_all(run, name):
    with small_disk(200_000) as folder:
        for left in LEFT:
            for path in folder.iterdir():
                _remove(path)
            fill(folder, left)
            ran = run(name, folder / "out")

            if ran.code not in (0, 4):
                line = in_one_line(ran)
                assert str(folder / "out") in line
                assert "no space left on device: make room there" in line
            assert not list(folder.glob(".epkit-*"))
            if left == 0:
                assert 2 == ran.code, name


@pytest.mark.parametrize(
    "name",
    [name for name in WRITING if name.startswith(("-e", "--html", "--junit", "--samp", "--save", "sample", "report"))],
)
def test_what_was_there_before_is_there_still(run, name):
    suffix = {"--samples": ".csv", "--samples of Parquet": ".parquet"}.get(name, "")
    with small_disk(200_000) as folder:
        file = folder / f"out{suffix}"
        file.write_text(BEFORE)
        fill(folder)
        in_one_line(run(name, folder / "out"))

        assert BEFORE == file.read_text()
        assert ["ballast", file.name] == sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", WRITING)
def test_a_command_whose_disk_is_read_only_says_so(run, name):
    with small_disk(200_000) as folder:
        make_read_only(folder)
        line = in_one_line(run(name, folder / "out"))

        assert str(folder / "out") in line
        assert "read-only file system" in line or "permission denied" in line


@pytest.mark.parametrize("name", WRITING)
def test_a_name_that_is_too_long_is_one_line(run, tmp_path, name):
    assert "file name too long" in in_one_line(run(name, tmp_path / ("n" * 300)))


@pytest.mark.parametrize("left", [1, 3])
@pytest.mark.parametrize("name", ["--html", "--save", "--samples", "sample", "score csv"])
def test_a_command_without_a_descriptor_left_says_so(run, tmp_path, name, left):
    assert run(name, tmp_path / "before").code in (0, 4)  # modules are imported
    with no_more_files(left):
        ran = run(name, tmp_path / "out")

    assert "Traceback" not in ran.err, ran.err
    assert ran.code in (0, 2, 4)
    assert ran.code == 0 or "too many open files" in f"{ran.err}{ran.out}".lower()


@contextlib.contextmanager
def no_more_files(left: int) -> Iterator[None]:
    """Limit the number of further files that this process may open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 32, before[1]))
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(left):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_full_disk_under_stdout_is_one_line(cli: Cli):
    schema = Path(__file__).parents[2] / "swagger" / "bank.openapi3.json"
    with Path("/dev/full").open("wb") as full, cli.start("sample", "--schema", schema, stdout=full) as process:
        ran = cli.finished(process)

    assert (2, ["epkit: stdout: No space left on device"]) == (ran.code, ran.lines)


def _remove(path: Path) -> None:
    if path.is_dir():
        for each in path.iterdir():
            each.unlink()
        path.rmdir()
    else:
        path.unlink()
