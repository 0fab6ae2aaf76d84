"""A training at Azure without the SDK: refusals, contents of requests, and files with names that Azure chooses."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from epkit.core.hosting.azure_jobs import AzureJob, ChildRun
from epkit.core.train.job_record import RECORDS, record_of, tags_of
from epkit.errors import BackendError, UsageError
from epkit.files import training_jobs
from epkit.flows.context import Context
from epkit.flows.train.azure.finishing import ModelPlace, finish
from epkit.flows.train.azure.following import progress_of
from epkit.flows.train.azure.options import AzureOptions, order_at_azure
from epkit.flows.train.azure.sending import order_for, prepare_table, record_for
from epkit.flows.train.options import TrainOptions

AZURE = AzureOptions(compute="cpu")


def options(tmp_path: Path, frame: pl.DataFrame, **more: Any) -> TrainOptions:
    frame.write_parquet(tmp_path / "rows.parquet")
    return TrainOptions(file=str(tmp_path / "rows.parquet"), label="y", **more)


def prepared(tmp_path: Path, frame: pl.DataFrame, azure: AzureOptions = AZURE, **more: Any) -> Any:
    asked = options(tmp_path, frame, **more)
    return prepare_table(asked, azure, order_at_azure(asked, azure), Context(cwd=tmp_path, note=print), io.BytesIO())


FRAME = pl.DataFrame({
    "code": ["007", "013", "0x1", "007"] * 25,
    "amount": ["1", "2.5", "NA", "4"] * 25,
    "flag": [True, False, None, True] * 25,
    "same": ["a"] * 100,
    "secret": list(range(100)),
    "day": ["2026-01-01", "2026-02-01", "2026-03-05", "2026-01-01"] * 25,
    "y": [0, 1, 1, None] * 25,
})  # fmt: skip


def test_what_is_sent_has_the_columns_that_are_learned_from_and_no_test_row(tmp_path: Path):
    found = prepared(tmp_path, FRAME, drop=("secret",))

    assert ["code", "amount", "flag", "day", "y"] == found.sent.columns
    assert ("code",) == found.texts
    assert pl.Float64 == found.sent["amount"].dtype
    assert {1.0, 2.5, None} == set(found.sent["amount"].to_list())
    assert FRAME.columns == found.test.columns
    assert (75, 25) == (found.data.rows, found.data.unlabelled)
    assert found.data.rows == found.sent.height + found.test.height
    # The test rows of a local training with the same seed.
    again = prepared(tmp_path, FRAME, drop=("secret",), metric="accuracy")
    assert again.test.equals(found.test)


def test_without_test_rows_all_are_sent_and_of_a_holdout_its_part_is_validated(tmp_path: Path):
    found = prepared(tmp_path, FRAME, test_size=0, holdout=0.2)

    assert (75, 0, 15) == (found.sent.height, found.test.height, found.validated_rows)


def test_a_regression_with_a_label_of_texts_is_sent_as_numbers(tmp_path: Path):
    label = [f"{n}.5" for n in range(99)] + ["NA"]
    found = prepared(
        tmp_path, FRAME.with_columns(y=pl.Series(label)), AzureOptions(compute="c", blocked=("elasticnet",))
    )

    assert (pl.Float64, "normalised_rmse", ("ElasticNet",)) == (found.sent["y"].dtype, found.metric, found.blocked)


@pytest.mark.parametrize(
    ("more", "azure", "said"),
    [
        (
            {"metric": "r2"},
            AZURE,
            "--metric r2: Azure AutoML does not choose a model of a classification by it: it is one",
        ),
        ({"gates": ("rmse<3",)}, AZURE, "rmse is not measured of a classification"),
        (
            {},
            AzureOptions(compute="c", blocked=("ElasticNet",)),
            "--block ElasticNet: no algorithm of Azure AutoML for class",
        ),
        ({"label": "z"}, AZURE, '"z"'),
    ],
)
def test_what_does_not_fit_the_table_is_refused(tmp_path: Path, more: dict[str, Any], azure: AzureOptions, said: str):
    FRAME.write_parquet(tmp_path / "rows.parquet")
    asked = TrainOptions(**{"file": str(tmp_path / "rows.parquet"), "label": "y", **more})
    with pytest.raises(UsageError) as raised:
        prepare_table(asked, azure, order_at_azure(asked, azure), Context(cwd=tmp_path, note=print), io.BytesIO())

    assert said in str(raised.value)


def job(name: str, **more: Any) -> AzureJob:
    usual: dict[str, Any] = {
        "name": name, "status": "Completed", "experiment": "e", "task": "classification", "label": "y",
        "metric": "AUC_weighted", "positive": "1", "folds": 5, "holdout": None, "trials": 3, "compute": "c", "tags": {},
        "page": None,
    }  # fmt: skip
    return AzureJob(**{**usual, **more})


def trial(number: int, score: float | None, status: str = "Completed") -> ChildRun:
    return ChildRun(
        name=f"j_{number}", number=number, status=status, algorithm="LightGBM", preprocessor=None, score=score,
        parameters={}, duration_s=1.0, error=None,
    )  # fmt: skip


def test_a_record_is_the_same_again_and_what_a_job_carries_is_enough_elsewhere(tmp_path: Path):
    sendable = prepared(tmp_path, FRAME)
    record = record_for(sendable, AZURE, "/w")
    training_jobs.write(tmp_path / "m.run", record)

    assert record == training_jobs.read(tmp_path / "m.run")
    assert RECORDS.to_document(record)["job"].startswith("epkit-rows-")
    order = order_for(record, sendable, AZURE, tmp_path, 2)
    assert all(len(text) <= 250 for text in order.tags.values())
    other = record_of(job(record.job, tags=order.tags), "/w")
    assert other is not None
    assert (record.job, "rows", record.data.rows, record.validated_rows, record.metric) == (
        other.job, other.model, other.data.rows, other.validated_rows, other.metric
    )  # fmt: skip
    assert None is record_of(job("x"), "/w")
    assert None is record_of(job("x", tags={**tags_of(record, "1"), "epkit-rows": "9" * 5000}), "/w")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "epkit.job/2"}', '{"format": "epkit.job/1", "job": 3}'])
def test_a_record_that_is_damaged_is_told(tmp_path: Path, content: str):
    (tmp_path / "job.json").write_text(content)
    with pytest.raises(UsageError, match=r"job\.json: damaged: .*: --restart forgets it"):
        training_jobs.read(tmp_path)


def test_how_far_a_job_is():
    children = [
        trial(0, 0.9),
        trial(1, 0.95),
        trial(2, None, "Failed"),
        trial(3, None, "Running"),
        trial(4, None, "Queued"),
    ]
    found = progress_of(job("j", status="Running", trials=9), children, 5.0)

    assert (3, 9, 1, ("3 LightGBM",), None) == (found.done, found.total, found.failed, found.running, found.phase)
    assert ((1, "LightGBM", 0.95), (1, "LightGBM", 0.95), "AUC_weighted") == (found.best, found.last, found.metric)
    assert "job Preparing" == progress_of(job("j", status="Preparing"), [], 0.0).phase


FILES = {
    "outputs/model.pkl": b"pickle", "outputs/scoring_file_v_2_0_0.py": b"script", "outputs/conda_env_v_1_0_0.yml": b"conda",
}  # fmt: skip


class History:
    """A hand-made run history."""

    def __init__(self, **files: bytes) -> None:
        self.kept = FILES | files

    def logged(self, run: str) -> Any:
        return {"run": {"data": {"metrics": [{"key": "AUC_weighted", "value": 0.9}]}}}

    def files(self, run: str) -> list[str]:
        return list(self.kept)

    def fetch(self, run: str, path: str, most_bytes: int) -> bytes:
        assert len(self.kept[path]) <= most_bytes
        return self.kept[path]


class Jobs:
    workspace = SimpleNamespace(name="w")
    said: Any = "rows:3"

    def register(self, *_: str) -> str:
        if isinstance(self.said, Exception):
            raise self.said
        return str(self.said)


TRIALS = (trial(0, 0.9), trial(1, 0.8))


def finished(tmp_path: Path, history: Any, jobs: Any = None, children: Any = TRIALS) -> Any:
    record = record_for(prepared(tmp_path, FRAME), AZURE, "/w")
    training_jobs.write(tmp_path / "m.run", record)
    return finish(
        job("j"), children, record, jobs or Jobs(), history, Context(cwd=tmp_path, note=print),
        place=ModelPlace(out=tmp_path / "m", run=tmp_path / "m.run", shown="m"), overwrite=False, gates=(),
        elapsed_s=lambda: 1.0, phase=lambda _: None,
    )  # fmt: skip


def test_what_the_best_trial_left_is_written_by_the_names_of_the_local_form(tmp_path: Path):
    result = finished(tmp_path, History(**{"explanation/a/b.json": b"1"}))

    assert {"model.pkl": b"pickle", "score.py": b"script", "conda.yml": b"conda"} == {
        path.name: path.read_bytes() for path in (tmp_path / "m").iterdir() if path.name != "card.json"
    }
    assert b"1" == (tmp_path / "m.run/azure/explanation/a/b.json").read_bytes()
    assert ("rows:3", 0, False) == (result.report.job.registered, result.exit_code, result.report.job.runs_here)


@pytest.mark.parametrize(
    "name", ["explanation/../../../evil", "explanation//evil", "explanation/a\\b", "explanation/" + "a/" * 20]
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str):
    with pytest.raises(UsageError, match="a file of the trial j_0: "):
        finished(tmp_path, History(**{name: b"evil"}))

    assert [] == [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"evil"]
    assert not (tmp_path / "m").exists()


def test_a_trial_that_left_no_model_is_told(tmp_path: Path):
    history = History()
    del history.kept["outputs/model.pkl"]
    with pytest.raises(BackendError, match=r"the trial j_0 left no outputs/model\.pkl: az ml job download --name j_0"):
        finished(tmp_path, history)
    with pytest.raises(BackendError, match="the job j is complete, but none of its trials has a model"):
        finished(tmp_path, history, children=(trial(0, None, "Failed"),))


def test_a_model_that_cannot_be_registered_is_written_all_the_same(tmp_path: Path):
    jobs = Jobs()
    jobs.said = BackendError("the model rows: AuthorizationFailed: no")
    report = finished(tmp_path, History(), jobs).report

    assert None is report.job.registered
    assert "the model is not registered: the model rows: AuthorizationFailed: no" in report.warnings
    assert (tmp_path / "m/model.pkl").is_file()
