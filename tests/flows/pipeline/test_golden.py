"""Golden rows: which rows are drawn, whose predictions they have, and who may read them."""

import stat
from pathlib import Path

import polars as pl
import pytest

from epkit.errors import UsageError
from epkit.flows.pipeline.golden import draw, read, write
from epkit.served.model import Model
from support.hand_pipeline import MODELS, TABLE, make_project, predicted


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("golden")
    make_project(directory)
    return directory


def drawn(project: Path, predictions: pl.DataFrame, *, count: int = 20, trained: bool = True, seed: int = 1):
    model = Model.load(project / MODELS / "one")
    return draw(pl.read_csv(project / TABLE), predictions, model, count, seed, trained=trained)


def test_rows_of_the_test_have_the_answers_of_the_training(project: Path):
    predictions = predicted(project / MODELS / "one", project / TABLE)
    table = pl.read_csv(project / TABLE)
    golden = drawn(project, predictions)
    assert golden.probabilities is not None
    tests = {
        (*row[:-1],): answer
        for row, answer in zip(table.rows(), predictions.rows(), strict=True)
        if answer[-1] == "test"
    }

    assert 20 == len(golden.rows) == len(golden.answers) == len(golden.probabilities)
    for row, answer, chances in zip(golden.rows, golden.answers, golden.probabilities, strict=True):
        found = tests[tuple(row[name] for name in table.columns[:-1])]
        assert (answer, *chances) == found[2:5]
    assert golden == drawn(project, predictions)
    assert golden != drawn(project, predictions, seed=2)
    assert 30 == len(drawn(project, predictions, count=50).rows)


def test_the_answers_are_not_computed_here(project: Path):
    other = predicted(project / MODELS / "one", project / TABLE).with_columns(pl.lit("never").alias("prediction"))

    assert {"never"} == set(drawn(project, other).answers)


@pytest.mark.parametrize("why", ["no test", "another model"])
def test_without_answers_of_this_model_to_a_test_the_model_gives_them(project: Path, why: str):
    other = predicted(project / MODELS / "one", project / TABLE).with_columns(pl.lit("never").alias("prediction"))
    if why == "no test":
        other = other.with_columns(pl.lit("fold 1").alias("judged"))
    golden = drawn(project, other, trained=why == "no test")

    assert {"yes", "no"} >= set(golden.answers)
    assert 20 == len(golden.rows)


def test_a_table_that_is_shorter_than_the_predictions_is_named(project: Path):
    predictions = predicted(project / MODELS / "one", project / TABLE).with_columns(pl.col("row") + 1000)

    with pytest.raises(UsageError, match="not the one that was trained on"):
        drawn(project, predictions)


def test_golden_rows_are_for_nobody_else_and_damaged_ones_are_named(project: Path, tmp_path: Path):
    golden = drawn(project, predicted(project / MODELS / "one", project / TABLE))
    assert None is read(tmp_path)
    path = write(tmp_path, golden)

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert golden == read(tmp_path)
    path.write_text("{}")
    with pytest.raises(UsageError, match=r"golden\.json: damaged"):
        read(tmp_path)
