"""A run's files about its candidate and its golden rows, damaged or made up: they are read, or refused in one line."""

from pathlib import Path

from hypothesis import strategies as st

from epkit.errors import UsageError
from epkit.files.pipelines import CANDIDATE as RECORD
from epkit.flows.pipeline.golden import GOLDEN
from epkit.flows.pipeline.golden import read as read_golden
from epkit.flows.pipeline.records import CandidateRecord, load_record
from support.fuzzing import changed, damaged, fuzz, text_of

CANDIDATE = {
    "place": "bank", "endpoint": "bank", "backend": "local", "name": "bank-green", "model": "/m", "sha256": "0" * 64,
    "before": {"blue": 100}, "phase": "moving", "part": 10,
}  # fmt: skip
ROWS = {
    "format": "epkit.golden-rows/1",
    "rows": [{"age": 17, "job": "student"}],
    "answers": ["yes"],
    "probabilities": [[0.25, 0.75]],
}
FILES = {RECORD: CANDIDATE, GOLDEN: ROWS}


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(FILES)))
    whole = text_of(FILES[name])
    match draw(st.integers(0, 4)):
        case 0:
            return name, draw(damaged(whole))
        case 1:
            return name, draw(st.sampled_from((b"", b"null", b" " * 2_000_000, b"\xff\xfe", b"[" * 100_000)))
        case _:
            return name, text_of(draw(changed(FILES[name])))


def test_what_a_run_wrote_of_its_candidate_is_read_or_refused_in_one_line(tmp_path: Path):
    def check(file: tuple[str, bytes]) -> None:
        name, content = file
        (tmp_path / name).write_bytes(content)
        try:
            found = load_record(tmp_path) if name == RECORD else read_golden(tmp_path)
        except UsageError as error:
            refused, found = str(error), None

            assert refused.startswith(f"{tmp_path / name}: damaged")
            assert 1 == len(refused.splitlines())
        if isinstance(found, CandidateRecord):
            assert found.name in (f"{found.endpoint}-green", "blue", "green")

    fuzz("candidates", files(), check)


def test_what_is_whole_is_read(tmp_path: Path):
    for name, value in FILES.items():
        (tmp_path / name).write_bytes(text_of(value))
    assert CandidateRecord(**CANDIDATE) == load_record(tmp_path)  # type: ignore[arg-type]
    rows = read_golden(tmp_path)

    assert rows is not None
    assert ((0.25, 0.75),) == rows.probabilities
    (tmp_path / RECORD).unlink()
    assert None is load_record(tmp_path)
