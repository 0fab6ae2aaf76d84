"""The journal of a training."""

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from epkit.core.train.plan import Candidate
from epkit.core.train.tried import Tried
from epkit.errors import UsageError
from epkit.files.training import TrainingJournal
from support.small_disk import PAGE, fill, small_disk

IDENTITY = {"--seed": "0", "--folds": "5"}


def tried(run: int, **given: object) -> Tried:
    values: dict[str, object] = {
        "state": "done",
        "margins": np.arange(3.0, dtype=np.float32).reshape(3, 1) + run,
        "rounds": (3, 1, 2),
        "median": 2,
        "cpu_s": 0.1,
    }
    return Tried(
        candidate=Candidate(run=run, family="gbdt", parameters={"learning_rate": 0.1, "extra": True}),
        **(values | given),  # type: ignore[arg-type]
    )


def failed(run: int) -> Tried:
    return tried(run, state="failed", margins=None, rounds=(), median=None, error='no “way”\u2028: "x"')


def seen(directory: Path, identity: dict[str, str] = IDENTITY, *, restart: bool = False) -> dict[int, Tried]:
    with TrainingJournal(directory, restart=restart) as journal:
        journal.begin(identity)
        return dict(journal.done)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with TrainingJournal(tmp_path / "model.run") as journal:
        journal.begin(IDENTITY)
        for each in (tried(1), tried(3), failed(2)):
            journal.add(each)
    return tmp_path / "model.run"


def test_runs_that_are_done_are_known_to_the_next_call(directory: Path) -> None:
    found = seen(directory)

    assert [1, 2, 3] == sorted(found)
    assert tried(3).candidate == found[3].candidate
    assert ("done", (3, 1, 2), 2, 0.1, None, None) == (
        found[3].state, found[3].rounds, found[3].median, found[3].cpu_s, found[3].note, found[3].error,
    )  # fmt: skip
    np.testing.assert_array_equal(found[3].margins, [[3.0], [4.0], [5.0]])
    assert ("failed", None, (), 'no “way”\u2028: "x"') == (
        found[2].state, found[2].margins, found[2].rounds, found[2].error,
    )  # fmt: skip


def test_each_line_is_json_that_others_can_read(directory: Path) -> None:
    lines = [json.loads(line) for line in (directory / "runs.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]

    assert ["epkit.training/1", os.getpid()] == [lines[0]["format"], lines[1]["pid"]]
    assert [1, 3, 2] == [line["run"] for line in lines[2:]]


@pytest.mark.parametrize("cut", [1, 5, 150])
def test_half_a_line_is_cut_off_and_the_journal_goes_on(directory: Path, cut: int) -> None:
    path = directory / "runs.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with TrainingJournal(directory) as journal:
        journal.begin(IDENTITY)
        assert [1, 3] == sorted(journal.done)
        journal.add(failed(2))

    assert [1, 2, 3] == sorted(seen(directory))


def test_a_journal_without_a_whole_line_begins_anew(directory: Path) -> None:
    path = directory / "runs.jsonl"
    for length in range(0, 90, 13):
        path.write_bytes(path.read_bytes()[:length])

        assert {} == seen(directory)


@pytest.mark.parametrize("damage", ["gone", "shorter", "changed", "of another run", "longer"])
def test_a_run_whose_margins_are_not_what_its_line_says_is_done_again(directory: Path, damage: str) -> None:
    path = directory / "oof" / "3.npy"
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(
            {
                "shorter": content[:-1],
                "longer": content + b"0",
                "changed": content[:-1] + bytes([content[-1] ^ 1]),
                "of another run": (directory / "oof" / "1.npy").read_bytes(),
            }[damage]
        )
    with TrainingJournal(directory) as journal:
        journal.begin(IDENTITY)
        assert [1, 2] == sorted(journal.done)
        journal.add(tried(3, cpu_s=7.0))

    assert 7.0 == seen(directory)[3].cpu_s


def test_margins_without_a_line_do_not_count(directory: Path) -> None:
    (directory / "oof" / "9.npy").write_bytes((directory / "oof" / "1.npy").read_bytes())

    assert [1, 2, 3] == sorted(seen(directory))


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        ({"--seed": "1", "--folds": "9"}, r"another --seed \(0, now 1\)"),
        ({"--seed": "0", "--folds": "9"}, r"another --folds \(5, now 9\)"),
        ({"--seed": "0"}, r"another --folds \(5, now not known\)"),
        ({**IDENTITY, "table": "ab"}, r"another table \(not known, now ab\)"),
    ],
)
def test_another_search_is_refused_and_names_what_differs(directory: Path, identity, said: str) -> None:
    before = (directory / "runs.jsonl").read_bytes()

    with pytest.raises(UsageError, match=rf"model\.run was begun with {said}: --restart forgets its runs"):
        seen(directory, identity)
    assert before == (directory / "runs.jsonl").read_bytes()

    assert {} == seen(directory, identity, restart=True)
    assert [] == list((directory / "oof").iterdir())


def test_another_search_may_begin_where_none_got_anywhere(tmp_path: Path) -> None:
    assert {} == seen(tmp_path)
    assert {} == seen(tmp_path, {"--seed": "1"})
    assert {} == seen(tmp_path, {"--seed": "1"})


def signed(text: str) -> bytes:
    """Return a line with its checksum."""
    cut = text.encode()[:-1]
    return cut + b', "crc": "%08x"}\n' % zlib.crc32(cut)


RUN = {
    "run": 5, "family": "gbdt", "parameters": {}, "state": "failed", "rounds": [], "cpu_s": 1.0, "error": "x",
    "bytes": 0, "crc32": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "at", "said"),
    [
        (b"garbage\n", 6, "checksum mismatch"),
        (b"\n", 6, "checksum mismatch"),
        (b"\xff\x00\n", 6, "checksum mismatch"),
        (b"[" * 100_000 + b"\n", 6, "checksum mismatch"),
        (signed('{"a": 1}').replace(b"1", b"2", 1), 6, "checksum mismatch"),
        (signed('{"a": 1}'), 6, "it has no family"),
        (signed(json.dumps(RUN | {"run": "5"})), 6, "run is '5', not a whole number from 1 to [0-9]+"),
        (signed(json.dumps(RUN | {"run": 0})), 6, "run is 0, not a whole number from 1 to [0-9]+"),
        (signed(json.dumps(RUN | {"state": "odd"})), 6, "it is no run"),
        (signed(json.dumps(RUN | {"rounds": [None]})), 6, "rounds is another type, not an array of whole numbers"),
        (signed(json.dumps({name: value for name, value in RUN.items() if name != "crc32"})), 6, "it has no crc32"),
    ],
)
def test_a_line_that_nobody_wrote_is_refused_with_its_number(directory: Path, line: bytes, at: int, said: str) -> None:
    with (directory / "runs.jsonl").open("ab") as file:
        file.write(line)

    with pytest.raises(UsageError, match=rf"runs\.jsonl:{at}: damaged: {said}: --restart forgets its runs$"):
        seen(directory)
    assert {} == seen(directory, restart=True)


def test_a_changed_line_in_the_middle_is_refused_with_its_number(directory: Path) -> None:
    path = directory / "runs.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"median": 2', b'"median": 3', 1))

    with pytest.raises(UsageError, match=r"runs\.jsonl:3: damaged: checksum mismatch"):
        seen(directory)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes(signed('{"format": "another/1"}'))

    with pytest.raises(UsageError, match=r"runs\.jsonl:1: damaged: it is no journal of this format"):
        seen(tmp_path)


def test_a_second_run_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom epkit.files.training import TrainingJournal\n"
        "with TrainingJournal(sys.argv[1]) as journal:\n"
        "    journal.begin({'a': 'b'})\n    print('ready', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert b"ready\n" == first.stdout.readline()
        with pytest.raises(UsageError, match=rf"another run is writing it \(process {first.pid}\): wait for that"):
            seen(tmp_path, restart=True)
        first.kill()

    assert {} == seen(tmp_path, {"a": "b"})


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")

    with pytest.raises(UsageError, match=r"model\.run: not a directory"):
        seen(tmp_path / "file" / "model.run")


def test_a_full_disk_is_one_line_and_what_is_done_is_safe() -> None:
    with small_disk(30 * PAGE) as folder:
        with TrainingJournal(folder) as journal:
            journal.begin(IDENTITY)
            journal.add(tried(1))
            fill(folder)
            with pytest.raises(UsageError, match=r"no space left on device: make room there.*: 1 run is safe"):
                journal.add(tried(2, margins=np.zeros((30_000, 1), np.float32)))
            journal.done.clear()  # a disk with a mapped file cannot be unmounted
        (folder / "ballast").unlink()

        assert [1] == sorted(seen(folder))
        assert ["1.npy"] == [path.name for path in (folder / "oof").iterdir()]


def test_scratch_is_private_and_gone_afterwards_and_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".work-left"
    left.mkdir()
    with TrainingJournal(tmp_path) as journal:
        journal.begin(IDENTITY)
        assert not left.exists()
        with journal.scratch() as path:
            (path / "x").write_text("x", encoding="utf-8")
            assert 0o700 == path.stat().st_mode & 0o777
        assert not path.exists()
