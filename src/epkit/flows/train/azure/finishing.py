"""Turns a completed job into a model directory and a report. Nothing that Azure returned is opened."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import epkit
from epkit.core.hosting.azure_jobs import DONE, AzureJob, ChildRun, best_child_of, metrics_of
from epkit.core.http.masking import mask_values
from epkit.core.train.azure import figures_of, finished_card, leaderboard, task_of
from epkit.core.train.card import card_bytes
from epkit.core.train.gates import GateExpression, judge_figure
from epkit.core.train.job_record import JobRecord
from epkit.core.train.report import Artefact, Best, JudgedRows, RunInfo, TrainingJob, TrainReport, VoteMember
from epkit.errors import BackendError, EpkitError, UsageError
from epkit.files import training_jobs
from epkit.files.training_jobs import TEST_FILE
from epkit.flows.context import Context
from epkit.flows.train import writing
from epkit.flows.train.train import TrainResult
from epkit.paths import inside
from epkit.reporters.train import html

if TYPE_CHECKING:
    from epkit.flows.azure import AutoMLJobs, RunHistory

MOST_MODEL_BYTES: Final = 1 << 30
MOST_FILE_BYTES: Final = 16 << 20
MOST_EXPLAINED_BYTES: Final = 256 << 20
MOST_EXPLAINED: Final = 500
"""Greatest number of files with explanations, and of their bytes together. More are left at Azure."""

MOST_PARTS: Final = 12
"""Greatest depth of directories in the files of a run."""

MODEL: Final = "outputs/model.pkl"
MLFLOW: Final = "outputs/mlflow-model"
SCRIPTS: Final = ("outputs/scoring_file_v_1_0_0.py", "outputs/scoring_file_v_2_0_0.py")
"""Names of the scoring script. The first one that exists is used: its bodies are those of epkit's own `score.py`."""

CONDA: Final = ("outputs/conda_env_v_1_0_0.yml",)
EXTRAS: Final = (f"{MLFLOW}/MLmodel", "outputs/generated_code/script.py")
EXPLAINED: Final = "explanation/"
RUNTIME: Final = "azureml.automl.runtime"
"""Modules that the pickles of AutoML need."""

FETCHED: Final = "azure"
"""Directory next to the journal for files that are not deployed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlace:
    """Where a training writes its files.

    Args:
        out: directory of the model.
        run: directory of the reports.
        shown: name of *out* in the report.
    """

    out: Path
    run: Path
    shown: str


def finish(
    job: AzureJob,
    children: Sequence[ChildRun],
    record: JobRecord,
    jobs: "AutoMLJobs",
    history: "RunHistory",
    context: Context,
    *,
    place: "ModelPlace",
    overwrite: bool,
    gates: Sequence[GateExpression],
    elapsed_s: Callable[[], float],
    phase: Callable[[str], None],
) -> TrainResult:
    """Fetch the best model, register it, and write it and the report.

    Args:
        elapsed_s: returns the time since the start.

    Raises:
        BackendError: the job has no model, or a file cannot be fetched.
        UsageError: the disk is full.
    """
    task = task_of(record.data.task)
    phase("fetching the metrics")
    metrics = {child.name: metrics_of(history.logged(child.name)) for child in children if child.status == DONE}
    runs = leaderboard(children, metrics, record.metric, task)
    best = _best(job.name, children, runs, best_child_of(history.logged(job.name)))
    figures = figures_of(metrics.get(best.name, {}), task)
    listed = history.files(best.name)
    phase("fetching the model")
    files = _model_files(best.name, listed, history)
    card = finished_card(
        record.card,
        job=job.name,
        child=best,
        figures=figures,
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    )
    phase("fetching the explanations")
    _fetch_extras(best.name, listed, history, place.run / FETCHED)
    phase("writing the model")
    artefact = writing.write_model(
        place.out, {**files, "card.json": card_bytes(card)}, place.shown, overwrite=overwrite
    )
    phase("registering the model")
    registered, trouble = _register(jobs, record, best.name, listed)
    judged = JudgedRows(
        rows=record.validated_rows,
        metrics=figures,
        confusion=None,
        roc={},
        precision_recall={},
        calibration=None,
        ece=None,
    )
    report = _report(
        record,
        runs,
        best,
        judged,
        job=TrainingJob(
            name=job.name,
            workspace=jobs.workspace.name,
            child=best.name,
            registered=registered,
            page=job.page,
            runs_here=_has(RUNTIME),
        ),
        artefact=artefact,
        gates=gates,
        duration_s=elapsed_s(),
        warnings=(*_said(place.run), *trouble, *record.warnings),
    )
    report = mask_values(report, context.secrets)
    page = html.render(report)
    writing.write_reports(place.run, report, page)
    return TrainResult(report=report, page=page, stopped_by=None)


def _report(
    record: JobRecord,
    runs: tuple[RunInfo, ...],
    best: ChildRun,
    judged: JudgedRows,
    *,
    job: TrainingJob,
    artefact: Artefact,
    gates: Sequence[GateExpression],
    duration_s: float,
    warnings: tuple[str, ...],
) -> TrainReport:
    """Make the report, without the parts that need predictions of the rows."""
    member = VoteMember(run=best.number, family=best.algorithm, weight=1.0)
    return TrainReport(
        version=epkit.__version__,
        started_at=record.started_at,
        duration_s=duration_s,
        partial=False,
        data=record.data,
        plan=record.plan,
        metric=record.metric,
        runs=runs,
        best=Best(kind="run", members=(member,), validation=judged.metrics, optimism=None),
        threshold=None,
        test=None,
        out_of_fold=judged,
        leaks=(),
        importance=(),
        engineered=(),
        effects=(),
        cohorts=(),
        errors=(),
        base=None,
        gates=tuple(judge_figure(gate, judged.metrics, judged.rows) for gate in gates),
        artefact=artefact,
        warnings=warnings,
        job=job,
    )


def _has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is missing too
        return False


def _said(run: Path) -> list[str]:
    """Return remarks: what the metrics are computed from, and what was made."""
    said = ["the figures are Azure's own, without intervals: small differences may be chance"]
    if (run / TEST_FILE).is_file():
        said.append(f"the test rows were not sent: they are in {run.name}/{TEST_FILE}, to be scored by the endpoint")
    return [
        *said,
        "model.pkl is a pickle that Azure AutoML made: opening it runs its code, and epkit has not opened it",
    ]


def _best(job: str, children: Sequence[ChildRun], runs: Sequence[RunInfo], named: str | None) -> ChildRun:
    """Return the trial with the best model: the one that Azure names, otherwise the best one by its metric.

    Raises:
        BackendError: no trial has a model.
    """
    by_number = {child.number: child for child in children}
    found = next((child for child in children if child.name == named), None)
    done = [run for run in runs if run.state == "done"]
    if found is None and done:
        found = by_number[done[0].run]
    if found is None:
        raise BackendError(f"the job {job} is complete, but none of its trials has a model")
    return found


def _model_files(child: str, listed: Sequence[str], history: "RunHistory") -> dict[str, bytes]:
    """Return the files to deploy, by their names in epkit's own layout.

    Raises:
        BackendError: the trial lacks one of them.
    """
    found = {}
    for name, candidates in (("model.pkl", (MODEL,)), ("score.py", SCRIPTS), ("conda.yml", CONDA)):
        path = next((each for each in candidates if each in listed), None)
        if path is None:
            raise BackendError(
                f"the trial {child} left no {candidates[0]}: az ml job download --name {child} has what it left"
            )
        found[name] = history.fetch(child, path, MOST_MODEL_BYTES if path == MODEL else MOST_FILE_BYTES)
    return found


def _fetch_extras(child: str, listed: Sequence[str], history: "RunHistory", directory: Path) -> None:
    """Fetch the files that explain the model into a new directory.

    Raises:
        UsageError: the name of a file leads out of it, or the disk is full.
    """
    explained = [path for path in listed if path.startswith(EXPLAINED)][:MOST_EXPLAINED]
    left = MOST_EXPLAINED_BYTES
    shutil.rmtree(directory, ignore_errors=True)
    for path in (*(each for each in EXTRAS if each in listed), *explained):
        # Azure chose this name, so it may lead out of the directory.
        target = inside(directory, path, where=f"a file of the trial {child}", parts=MOST_PARTS)
        content = history.fetch(child, path, min(MOST_FILE_BYTES, left))
        left -= len(content)
        training_jobs.write_fetched(target, content)


def _register(
    jobs: "AutoMLJobs", record: JobRecord, child: str, listed: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """Register the model. If this fails, only its name in the workspace is missing; the model is still written."""
    base = f"azureml://jobs/{child}/outputs/artifacts"
    is_mlflow = f"{MLFLOW}/MLmodel" in listed
    path, kind = (f"{base}/{MLFLOW}", "mlflow_model") if is_mlflow else (f"{base}/{MODEL}", "custom_model")
    try:
        return jobs.register(record.model, record.job, path, kind), ()
    except UsageError:
        raise
    except EpkitError as error:
        return None, (f"the model is not registered: {error}",)
