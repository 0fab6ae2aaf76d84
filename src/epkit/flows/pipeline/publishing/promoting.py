"""Promotes a job at Azure: fetches its model, judges it by the same gates, deploys, proves, benches and switches it.

Only the training is taken from the job. Its result goes to this pipeline's cache, under the key of the step `train`
here, so an ordinary run reuses it. The job's own verdict does not let a model pass.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from epkit.core.hosting.azure_jobs import CANCELLED, DONE
from epkit.core.pipeline import document
from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import StepResult
from epkit.errors import BackendError, UsageError, unwritable
from epkit.files import model_directory
from epkit.files.pipelines import STEP
from epkit.flows.context import Context
from epkit.flows.pipeline import pipeline, table
from epkit.flows.pipeline.loading import LoadedPipeline, load
from epkit.flows.pipeline.publishing.azure import AzureJobs, JobFiles, Pause
from epkit.flows.pipeline.publishing.azure_upload import LEFT
from epkit.flows.pipeline.steps.train import TrainStep
from epkit.flows.pipeline.world import World
from epkit.paths import inside

MOST_MODEL_BYTES: Final = 1 << 30
"""Greatest size of all files of a training."""

MOST_PARTS: Final = 8
"""Greatest length of a path among them."""


def promote(
    name: str,
    job: str,
    context: Context,
    pause: Pause,
    *,
    show: Callable[[StepResult], None],
    say: Callable[[str], None],
) -> PipelineRun:
    """Fetch the model of a completed job, and run the steps after the training.

    Returns:
        The run on this machine; the job's run, if its gate was missed there.

    Raises:
        BackendError: the job is not complete, or its files are not those of a training.
        UsageError: it was trained with another table, configuration or library than those here.
    """
    jobs = AzureJobs(context, pause)
    found = jobs.state(job)
    report = jobs.report(job) if found.is_over and found.status != CANCELLED else None
    if report is not None and report.state == "stopped":
        return report
    if found.status != DONE:
        page = f" ({found.page})" if found.page else ""
        if not found.is_over:
            raise BackendError(f"the job {job} is {found.status}: there is no model yet{page}")
        why = "it was cancelled" if found.status == CANCELLED else (report and report.reason) or jobs.why(job)
        raise BackendError(f"the job {job} is {found.status}: {why}{page}")
    files = jobs.artefacts(job)
    trained = None if report is None else report.step("train")
    if report is None or files is None or trained is None or trained.key is None or report.pipeline != name:
        raise BackendError(f"the job {job}: it has left no training of the pipeline {name}")
    unchanged = load(name, context)
    changes = _changes(unchanged, report.parameters)
    loaded = load(name, context, changes)
    _check_same(loaded, report, trained.key, job)
    if loaded.store.outcome(trained.key) is None:
        say(f"fetching the model of the job {job}")
        _take(loaded, jobs, files, trained.key, job)
    options = pipeline.PipelineOptions(changes=changes, why=f"the model of the job {job} at Azure")
    return pipeline.run(name, options, context, show=show, say=say)


def _changes(loaded: LoadedPipeline, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the changes of the job's caller, as for `--set`. Only publishable keys are used."""
    found = []
    for key in (each.key for each in loaded.config.publishable):
        given, here = _at(parameters, key), _at(loaded.config.table, key)
        if given != here and isinstance(given, int | float) and not isinstance(given, bool):
            found.append(f"{key}={given!r}")
    return tuple(found)


def _at(plain: Mapping[str, Any], key: str) -> Any:
    found: Any = plain
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _check_same(loaded: LoadedPipeline, report: PipelineRun, key: str, job: str) -> None:
    """Refuse a training that differs from the one that would be done here.

    Raises:
        UsageError: the table, the configuration or a library differs.
    """
    data = report.step("data")
    again = f"epkit pipeline publish {loaded.config.name} --backend azureml, and trigger it again"
    if data is None:
        raise BackendError(f"the job {job}: it has left no step data")
    with TemporaryDirectory(prefix="epkit-") as directory:
        world = World(
            context=loaded.context,
            config=loaded.config,
            run=0,
            directory=Path(directory),
            cache=loaded.store.cache,
            show=lambda _: None,
            stopped=lambda: None,
        )
        if table.hash_of(world) != data.result["file_sha256"]:
            raise UsageError(f"{table.name_of(world)} is not the table that the job {job} learned from: {again}")
        if TrainStep().key({"data": data}, world) != key:
            raise UsageError(
                f"{loaded.config.place}: the job {job} trained with another configuration, other candidates or other "
                f"versions of the libraries: {again}"
            )


def _take(loaded: LoadedPipeline, jobs: AzureJobs, files: JobFiles, key: str, job: str) -> None:
    """Put the result of a training into the cache, completely or not at all.

    Raises:
        BackendError: it is not the result of a training.
        UsageError: a file name leads out of the directory, another run is going on, or the disk is full.
    """
    where, below, left_bytes = f"a file of the job {job}", f"{LEFT}/cache/{key}/", MOST_MODEL_BYTES
    with loaded.store.lock():
        part = loaded.store.part(key, afresh=True)
        try:
            for name in (path.removeprefix(below) for path in files.files if path.startswith(below)):
                path = inside(
                    part, name, where=where, parts=MOST_PARTS
                )  # checked before the request: it becomes part of a URL
                content = jobs.fetch(files, below + name, left_bytes)
                left_bytes -= len(content)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            outcome = _outcome(part / STEP, key, job)
            model = inside(part, outcome.files["model"], where=where, parts=MOST_PARTS)
            if not model.is_dir() or model_directory.digest(model) != outcome.result["model_sha256"]:
                raise BackendError(f"the job {job}: its model is not the one that was trained there")
            places = {name: f"../../cache/{key}/{path}" for name, path in outcome.files.items()}
            loaded.store.keep(key, replace(outcome, files=places))
        except OSError as error:
            raise unwritable(str(error.filename or part), error) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _outcome(path: Path, key: str, job: str) -> StepResult:
    """Read the result; its paths are relative to its own directory.

    Raises:
        BackendError: it is not the result of a successful training.
    """
    try:
        found = document.step_from_plain(json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, RecursionError) as error:
        raise BackendError(f"the job {job}: it has left no outcome of the training: {error}") from None
    start = f"../../cache/{key}/"
    files = {name: each.removeprefix(start) for name, each in found.files.items() if each.startswith(start)}
    if found.step != "train" or not found.passed or found.key != key or "model" not in files:
        raise BackendError(f"the job {job}: it has left no outcome of the training")
    return replace(found, files=files)
