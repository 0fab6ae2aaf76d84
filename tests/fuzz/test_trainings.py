"""Damaged or made-up journals of trainings: their values are accepted as they were written, or refused in one line."""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from epkit.core.train.plan import Candidate
from epkit.core.train.tried import Tried
from epkit.errors import UsageError
from epkit.files.training import TrainingJournal
from support.fuzzing import changed, damaged, fuzz, text_of

IDENTITY = {"--seed": "0"}


def begun(directory: Path) -> dict[int, Tried]:
    with TrainingJournal(directory) as journal:
        journal.begin(IDENTITY)
        return dict(journal.done)


def signed(line: bytes) -> bytes:
    cut = line[:-1]
    return cut + b', "crc": "%08x"}\n' % zlib.crc32(cut)


def lines_of(journal: bytes) -> list[object]:
    found = [json.loads(line) for line in journal.split(b"\n")[:-1]]
    for each in found:
        del each["crc"]
    return found


def one_line(error: UsageError) -> None:
    assert "\n" not in str(error)


def check_in(directory: Path, files: dict[str, bytes], whole: dict[int, Tried]):
    def check(journal: bytes) -> None:
        shutil.rmtree(directory)
        (directory / "oof").mkdir(parents=True)
        for name, content in files.items():
            (directory / "oof" / name).write_bytes(content)
        (directory / "runs.jsonl").write_bytes(journal)
        try:
            found = begun(directory)
        except UsageError as error:
            one_line(error)
            assert journal == (directory / "runs.jsonl").read_bytes(), "what is refused is left alone"
            return
        for run, tried in found.items():
            assert run == tried.candidate.run
            assert (tried.state == "failed") == (tried.margins is None)
            if tried.margins is not None:
                assert tried.margins.tobytes() in [
                    each.margins.tobytes() for each in whole.values() if each.margins is not None
                ]
        assert found == {} or begun(directory).keys() == found.keys()

    return check


def test_journals_of_trainings(tmp_path) -> None:
    directory = tmp_path / "model.run"
    with TrainingJournal(directory) as journal:
        journal.begin(IDENTITY)
        for run in (1, 2):
            margins = np.full((4, 1), run, np.float32)
            candidate = Candidate(run=run, family="gbdt", parameters={"learning_rate": 0.1})
            journal.add(Tried(candidate=candidate, state="done", margins=margins, rounds=(3, 4), median=3, cpu_s=0.5))
        failed = Candidate(run=3, family="linear", parameters={"C": 1.0})
        journal.add(Tried(candidate=failed, state="failed", margins=None, error="all rows are of one class"))
        whole = dict(journal.done)
    content = (directory / "runs.jsonl").read_bytes()
    files = {path.name: path.read_bytes() for path in (directory / "oof").iterdir()}
    made_up = changed(lines_of(content)).map(
        lambda lines: b"".join(signed(text_of(line)) for line in lines) if isinstance(lines, list) else text_of(lines)
    )

    fuzz("trainings", st.one_of(damaged(content), made_up), check_in(directory, files, whole))
