"""Damaged or made-up journals and outputs of scoring jobs: the job ends like an undisturbed one, or is refused."""

import json
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import strategies as st

from epkit.files import recording
from support.cli_harness import Cli
from support.fuzzing import changed, damaged, fuzz, text_of
from support.predict_server import PredictServer, poisoned

NO = "--no-validate"
ROWS = 120
TABLE = "id,name\n" + "".join(f'{n},"{n}, ""x""\n"\n' if n % 7 == 3 else f"{n},n{n}\n" for n in range(ROWS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A job that was killed midway: its files at that time, and the output and failed rows of an undisturbed job."""

    cli: Cli
    files: dict[str, bytes]
    whole: dict[str, bytes]
    command: list[object]


def files_of(directory: Path, out: str) -> dict[str, bytes]:
    found = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {
        name: path.read_bytes() for path in found if (name := path.relative_to(directory).as_posix()).startswith(out)
    }


@pytest.fixture(params=[".csv", ".jsonl", ".parquet"])
def scene(request, tmp_path, monkeypatch) -> Iterator[Scene]:
    monkeypatch.setattr(recording, "COMMIT_S", 0.0)
    monkeypatch.setattr(recording, "COMMIT_PART_S", 0.0)
    cli = Cli(directory=tmp_path)
    cli.write("rows.csv", TABLE)
    out = f"out{request.param}"
    answer = poisoned(17, ROWS - 2)
    kept: dict[str, bytes] = {}

    def remember(server, rows, body):
        if not kept and any("90" in row.values() or 90 in row.values() for row in rows):
            kept.update(files_of(tmp_path, out))
        return answer(server, rows, body)

    with PredictServer(remember) as server:
        command = ["score", "rows.csv", "--target", server.url, NO, "--batch-rows", 10, "-c", 1, "-o", out]
        assert 4 == cli(*command).code
        whole = files_of(tmp_path, out)
        server.behave = answer
        yield Scene(cli=cli, files=kept, whole=whole, command=command)


def lines_of(journal: bytes) -> list[bytes]:
    return [line.partition(b" ")[2] for line in journal.splitlines()]


def written(lines: list[bytes]) -> bytes:
    """Assemble a journal, each line with its correct checksum."""
    return b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines)


@st.composite
def disturbed(draw: st.DrawFn, files: dict[str, bytes], out: str) -> dict[str, bytes]:
    """Draw the files of a job; one or two of them differ from those that the job has written."""
    made = dict(files)
    journal = f"{out}.journal"
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(("point", "point", "point", "point", "lines", "bytes", "gone")))
        name = draw(st.sampled_from(sorted(made))) if kind in ("bytes", "gone") else journal
        if name not in made:
            continue
        lines = lines_of(made[journal]) if journal in made else []
        match kind:
            case "bytes" if name == journal:
                made[name] = draw(damaged(made[name]))
            case "bytes":  # a count cannot detect rows that a person has edited
                made[name] = made[name][: draw(st.integers(0, len(made[name])))]
            case "gone":
                del made[name]
            case "lines" if lines:
                at = draw(st.integers(0, len(lines) - 1))
                made[journal] = written(
                    draw(st.sampled_from((lines[:at], lines[at:], [*lines, lines[at]], lines[::-1])))
                )
            case "point" if lines:
                at = draw(st.sampled_from((0, len(lines) - 1, len(lines) - 1, draw(st.integers(0, len(lines) - 1)))))
                try:
                    value = json.loads(lines[at])
                except (ValueError, RecursionError):
                    continue
                made[journal] = written([*lines[:at], text_of(draw(changed(value))), *lines[at + 1 :]])
    return made


def laid(directory: Path, files: dict[str, bytes], out: str) -> None:
    for path in directory.glob(f"{out}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def test_a_job_ends_as_an_undisturbed_one_or_is_refused_in_one_line(scene):
    out = str(scene.command[-1])
    states = st.sampled_from((scene.files, scene.files, scene.whole)).flatmap(lambda files: disturbed(files, out))

    def check(files: dict[str, bytes]) -> None:
        laid(scene.cli.directory, files, out)
        ran = scene.cli(*scene.command)

        # Without the list of failed rows, a complete job may claim that there were none.
        listed = files.get(f"{out}.failed.jsonl")
        assert ran.code in ((0, 2, 4) if not listed else (2, 4)), ran.err
        assert "Traceback" not in ran.err
        if ran.code == 2:
            assert 1 == len([line for line in ran.lines if "no contract says" not in line]), ran.err
            return
        left = files_of(scene.cli.directory, out)
        assert scene.whole[out] == left[out]
        if f"{out}.failed.jsonl" in files:
            assert scene.whole[f"{out}.failed.jsonl"] == left[f"{out}.failed.jsonl"]

    fuzz(f"journals_{out}", states, check)
