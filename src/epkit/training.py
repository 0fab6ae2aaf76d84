"""`epkit train` in Python: `epkit.train(frame, label="y")` returns the result and the model."""

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from epkit.core.display import Displayed
from epkit.core.hosting.azure_jobs import AUTOML_PICKLE
from epkit.core.near import hint, not_one_of
from epkit.core.shortening import cut
from epkit.core.train import columns
from epkit.core.train.progress import Progress
from epkit.core.train.report import TrainReport
from epkit.errors import EpkitError, UsageError
from epkit.files import model_directory
from epkit.flows.train.options import DEFAULTS, TrainOptions
from epkit.flows.train.reading import frame_of, table_of
from epkit.notebook import CellProgress, Look, at_work, look
from epkit.served.model import Arrays, Model

if TYPE_CHECKING:
    import polars as pl

_log = logging.getLogger("epkit")

BACKENDS: Final = ("local", "azureml")

BASE: Final = "base"
"""Name of the column with the base, to which contributions are added."""


class Training(Displayed):
    """The result of a training; a notebook shows its page.

    >>> training = epkit.train("bank.csv", label="y")
    >>> training.report.test.metrics["AUC"].value
    >>> training.model.predict(frame)

    Args:
        report: the whole report.
        directory: the directory of the model; None if there is only the report.
    """

    def __init__(self, report: TrainReport, directory: Path | None) -> None:
        self.report, self.directory = report, directory

    def __repr__(self) -> str:
        return f"<Training of {self.report.data.path!r}, label {self.report.data.label!r}, model in {self.directory}>"

    @property
    def passed(self) -> bool:
        """Tell whether every gate passed."""
        return self.report.passed

    @property
    def partial(self) -> bool:
        """Tell whether it was interrupted, so that the model is the best of the runs that were done."""
        return self.report.partial

    @cached_property
    def model(self) -> "TrainedModel":
        """The model, read from its directory when it is first asked for.

        Raises:
            UsageError: there is none, or it is a pickle that Azure AutoML made, which epkit does not open.
        """
        if self.directory is None:
            raise UsageError("there is only the report of this training: load the directory of its model")
        return TrainedModel(self.directory)


@look.register
def _(training: Training) -> Look:
    return look(training.report)


class TrainedModel:
    """A model that `epkit train` made, loaded into this process: it gives the same predictions as its endpoint.

    Rows are a frame of pandas or polars, a list of objects, or an object of columns. The order of the columns does not
    matter, and further columns are ignored. A column may be missing if values of it were missing in training. But if
    the rows have a column that training never saw, it looks like a wrong name, and the missing column is an error. A
    category that training did not see counts as missing. A missing value is refused if training saw none in its column,
    as the endpoint refuses it.

    Args:
        directory: a directory that `epkit train` wrote. A model from your own estimator is a pickle, which contains
            code: it is opened only if its SHA-256 is that of the card.

    Raises:
        UsageError: there is no model in it, or it is a pickle that Azure AutoML made.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.card = model_directory.read_card(self.directory, str(directory))
        kind = self.card.get("model", {}).get("kind")
        if kind == AUTOML_PICKLE:
            raise UsageError(
                f"{directory}: the model is a pickle that Azure AutoML made, and epkit does not open it: "
                f"epkit deploy create NAME --model {directory}, then epkit.run_score('NAME', rows)"
            )
        if kind == "pickle":
            import epkit.served.custom  # noqa: F401 - reads the models that are a user's own estimators
        try:
            self._model = Model.load(self.directory)
        except OSError as error:
            raise model_directory.no_model(self.directory, str(directory), error) from None
        except (ValueError, KeyError) as error:
            raise UsageError(cut(str(error), 300)) from None

    def __repr__(self) -> str:
        return f"<TrainedModel of {self.card['label']['name']!r} in {self.directory}>"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the model uses."""
        return tuple(column["name"] for column in self.card["columns"])

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes, in the order of `predict_proba`; empty for a regression."""
        return self._model.classes

    def predict(self, rows: Any) -> Any:
        """Predict the classes of rows (two classes by the threshold from training), or the numbers.

        Returns:
            A Series of pandas, with the index of the rows, or of polars; an array for rows of another kind.

        Raises:
            UsageError: a column is missing, or a value is not possible in its column.
        """
        answers = self._model.answers(self._model.probabilities(self._matrix(rows)))
        dtype = np.array(self.classes).dtype if self.classes else np.float64
        return _as_given(rows, {self.card["label"]["name"]: np.array(answers, dtype)}, single=True)

    def predict_proba(self, rows: Any) -> Any:
        """Return the probability of each class.

        Returns:
            A frame of pandas, with the index of the rows, or of polars, a column a class; for rows of another kind an
            array, rows × `classes`.

        Raises:
            UsageError: as `predict`; or a regression has no probabilities.
        """
        if not self.classes:
            raise UsageError("predict_proba: a regression has no probabilities: predict has its numbers")
        found = self._model.probabilities(self._matrix(rows))
        framed = _as_given(rows, {name: found[:, place] for place, name in enumerate(self.classes)})
        return found if isinstance(framed, Mapping) else framed

    def explain(self, rows: Any, *, of: Any = None) -> Any:
        """Compute the contribution of each column to the prediction, compared with a typical row.

        The typical row is `card["example"]`: medians and most frequent values. The column `base` is its margin, and the
        sum of a row is the row's margin. The margin is the number for a regression, and the log-odds of the positive
        class for two classes. For more classes it is the logarithm of the class's probability, up to a constant of the
        row. A column with the typical value adds 0. These are Shapley values (see `epkit.learners.typical`).

        Args:
            of: one of more than two classes; None for the class that is predicted for each row.

        Returns:
            `base`, and a column for each column that the model uses: a frame of pandas, with the index of the rows, or
            of polars; for rows of another kind an object of arrays by name.

        Raises:
            UsageError: as `predict`; *of* is not a class; or the model is your own estimator.
        """
        many = self._model.task == "multiclass"
        if of is not None and (not many or of not in self.classes):
            known = f"must be one of {', '.join(map(str, self.classes))}" if many else "is for more than two classes"
            raise UsageError(f"of={cut(str(of), 40)} {known}")
        values, base = self._contributions(self._matrix(rows))
        margin = np.zeros(len(values), np.intp)
        if many:
            margins = base + values.sum(axis=1)
            margin = margins.argmax(axis=1) if of is None else np.full(len(values), self.classes.index(of), np.intp)
        row = np.arange(len(values))
        names = self.columns
        first = next(name for name in (BASE + "_" * count for count in range(len(names) + 1)) if name not in names)
        return _as_given(
            rows, {first: base[margin], **{name: values[row, place, margin] for place, name in enumerate(names)}}
        )

    def _contributions(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the contributions (float64, rows × columns × margins), and the margins of the typical row."""
        from epkit.learners import typical

        arrays, usual = self._arrays, self._typical
        players = [place for place, encoder in enumerate(self._model.encoders) for _ in range(encoder.width)]
        found = typical.contributions(arrays, matrix, usual[0], players, len(self._model.encoders))
        return found, Arrays(arrays).margins(usual)[0]

    @cached_property
    def _typical(self) -> np.ndarray:
        return self._model.encode({name: [value] for name, value in self.card["example"].items()})

    @cached_property
    def _arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the model.

        Raises:
            UsageError: the model has none.
        """
        if not isinstance(self._model.scorer, Arrays):
            raise UsageError(
                f"{self.directory}: the model is an estimator of your own, which has no contributions: "
                "the training's page shows what is lost when its columns are shuffled"
            )
        with np.load(self.directory / "model.npz", allow_pickle=False) as file:
            return dict(file)

    def _matrix(self, rows: Any) -> np.ndarray:
        """Make a matrix of rows.

        Raises:
            UsageError: a column is missing, or a value is one that its column cannot have.
        """
        frame = frame_of(rows)
        if not frame.width:  # an empty list has no column names
            return np.empty((0, sum(encoder.width for encoder in self._model.encoders)))
        return columns.encode(self._with_all_columns(frame), self.card["columns"], "the rows", strict=True)

    def _with_all_columns(self, frame: "pl.DataFrame") -> "pl.DataFrame":
        """Add the missing columns, without values, if they may be missing.

        Raises:
            UsageError: a column must not be missing, or seems to have another name.
        """
        import polars as pl

        lacking = [encoder for encoder in self._model.encoders if encoder.name not in frame.columns]
        known = {*self.columns, *self.card["ignored"]}
        strange = [name for name in frame.columns if name not in known]
        if lacking and (strange or not all(encoder.may_lack for encoder in lacking)):
            named = next((encoder for encoder in lacking if not encoder.may_lack), lacking[0]).name
            offered = f": {hint(named, strange, there='there is')}" if strange else ""
            raise UsageError(f'the rows: there is no column "{cut(named, 60)}"{offered}')
        return frame.with_columns(pl.lit(None, pl.String).alias(encoder.name) for encoder in lacking)


def _as_given(rows: Any, found: Mapping[Any, np.ndarray], *, single: bool = False) -> Any:
    """Return columns in the form of the caller's rows.

    Args:
        single: whether there is one column, which is returned without a frame.
    """
    if hasattr(rows, "isna"):
        frame = type(rows)(dict(found), index=rows.index)
        return frame.iloc[:, 0] if single else frame
    import polars as pl

    if isinstance(rows, pl.DataFrame | pl.LazyFrame):
        columns = [pl.Series(str(name), values) for name, values in found.items()]
        return columns[0] if single else pl.DataFrame(columns)
    if single:
        return next(iter(found.values()))
    return found


def train(
    table: Any = None,
    label: str | None = None,
    *,
    task: str | None = DEFAULTS.task,
    drop: Sequence[str] = DEFAULTS.drop,
    ids: Sequence[str] = DEFAULTS.ids,
    positive: str | None = DEFAULTS.positive,
    encoding: str | None = DEFAULTS.encoding,
    decimal: str | None = DEFAULTS.decimal,
    runs: int = DEFAULTS.runs,
    time_limit: str | None = DEFAULTS.time_limit,
    metric: str | None = DEFAULTS.metric,
    balanced: bool = DEFAULTS.balanced,
    custom: Sequence[str] = DEFAULTS.custom,
    workers: int | None = DEFAULTS.workers,
    seed: int = DEFAULTS.seed,
    folds: int = DEFAULTS.folds,
    holdout: float | None = DEFAULTS.holdout,
    group: str | None = DEFAULTS.group,
    time: str | None = DEFAULTS.time,
    test_size: float = DEFAULTS.test_size,
    threshold: str | float = DEFAULTS.threshold,
    gates: Sequence[str] = DEFAULTS.gates,
    base: str | Path | None = DEFAULTS.base,
    cohorts: Sequence[str] | None = DEFAULTS.cohorts,
    pairs: Sequence[str] = DEFAULTS.pairs,
    out: str | Path = DEFAULTS.out,
    overwrite: bool = DEFAULTS.overwrite,
    restart: bool = DEFAULTS.restart,
    exports: Sequence[str] = DEFAULTS.exports,
    backend: str = BACKENDS[0],
    compute: str | None = None,
    create_compute: str | None = None,
    block: Sequence[str] = (),
    job: str | None = None,
) -> Training:
    """Find a model for a table, measure how good it is, and write it; `epkit train` in Python.

    Notes go to the logger `epkit`. A notebook's cell shows the progress. On the main thread SIGINT, which a
    notebook's stop button sends, and SIGTERM end the search with the best model so far, and the training is `partial`.
    A training at Azure goes on, and a warning says how to follow it again.

    Args:
        table: a frame of pandas or polars, a list of objects, an object of columns, or what the command takes: a path,
            a directory of Parquet files, a URL.
        label: the column to predict.
        task: `classification` or `regression`; None means that it follows from the label's values.
        drop: columns that the model must not see.
        ids: columns that name the row: carried along, not used.
        positive: the positive class of two; None for the rarer one.
        encoding, decimal: of a file's text, as for `score`.
        runs: most models that are tried.
        time_limit: the time after which no run starts: `90s`, `10m`, `1h`.
        metric: the metric that selects the model; None means AUC, or rmse for a regression.
        balanced: give every class the same weight.
        custom: `FILE.py:MAKE` each, functions that return an estimator of scikit-learn.
        workers: the number of runs in parallel; None means the number of cores, at most 8. Each is a process that does
            not import the caller's code, so a script needs no `if __name__ == "__main__"`.
        seed: of all random choices.
        folds: the number of folds of the cross-validation.
        holdout: a part of the rows, in place of folds.
        group: a column; rows with the same value stay on one side of every split.
        time: a column with times; the model is judged on the later rows.
        test_size: the part of the rows that no choice uses; 0 for none.
        threshold: the least probability for the positive class: a number such as `0.5`, or a rule that finds it: `f1`,
            `balanced`, `recall>=0.8`, `cost:fn=5,fp=1`.
        gates: conditions for the model, such as `AUC>=0.94`; the training's `passed` is whether all are met.
        base: the directory of the model in use, for gates that compare with it.
        cohorts: columns whose groups are examined; None for all.
        pairs: `A:B` each: two columns whose combined groups are examined.
        out: the directory of the model, below the working directory unless it is absolute; reports go to `OUT.run`.
        overwrite: replace an existing model, as for a cell that is run again.
        restart: start again, and ignore the runs in the journal.
        exports: further formats for the model: `lightgbm` or `onnx`.
        backend: the place of the training: `local`, or `azureml` for Azure AutoML.
        compute: at Azure, the compute that trains.
        create_compute: at Azure, the size of the nodes of the compute, which is made if it is missing.
        block: at Azure, algorithms that are not tried.
        job: at Azure, a job to follow that was started before; without *table* and *label*.

    Raises:
        UsageError: an option, the table or the directory cannot be used.
        BackendError: Azure refused a request, or the job failed.
        KeyboardInterrupt: it was interrupted before there was a model to return, or while Azure trains.
    """
    at_azure = _is_at_azure(backend, table, label, job, compute=compute, create_compute=create_compute, block=block)
    is_named = table is None or isinstance(table, str | Path)
    options = TrainOptions(
        file=str(table) if is_named and table is not None else "",
        table=None if is_named else table_of(table),
        label=str(label) if label is not None else "",
        out=str(out),
        encoding=encoding,
        decimal=decimal,
        task=task,
        drop=_names(drop),
        ids=_names(ids),
        positive=positive,
        metric=metric,
        runs=runs,
        time_limit=time_limit,
        seed=seed,
        folds=folds,
        holdout=holdout,
        group=group,
        time=time,
        test_size=test_size,
        threshold=str(threshold),
        balanced=balanced,
        workers=workers,
        custom=_names(custom),
        cohorts=None if cohorts is None else _names(cohorts),
        pairs=_names(pairs),
        gates=_names(gates),
        base=None if base is None else str(base),
        exports=_names(exports),
        overwrite=overwrite,
        restart=restart,
    )
    if not at_azure:
        return _train_here(options)
    return _train_at_azure(options, compute=compute, create_compute=create_compute, block=_names(block), job=job)


def _is_at_azure(backend: str, table: Any, label: str | None, job: str | None, **azure: Any) -> bool:
    """Decide where to train.

    Raises:
        UsageError: an argument is missing, or belongs to the other backend.
    """
    if backend not in BACKENDS:
        raise not_one_of("backend", backend, BACKENDS)
    if job is not None:
        if table is not None or label is not None:
            raise UsageError(f"job={job!r}: its table was sent already: name no table and no label")
        return True
    given = next((name for name, value in azure.items() if value), None)
    if backend == "local" and given is not None:
        raise UsageError(f"{given} is for backend='azureml'")
    if table is None or label is None:
        raise UsageError(f"{'table' if table is None else 'label'} is missing: epkit.train(table, label=COLUMN)")
    return backend == "azureml"


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Return names; a single name may be given as a text."""
    return (given,) if isinstance(given, str) else tuple(map(str, given))


class _Shown:
    """Shows the progress of a training in a notebook's cell."""

    def __init__(self) -> None:
        self._last: Progress | None = None
        self._cell = CellProgress(self._over)

    def __enter__(self) -> "_Shown":
        self._cell.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._cell.__exit__(*raised)

    def show(self, progress: Progress) -> None:
        """Show the progress; show a phase at once, because it is shown only once."""
        from epkit.reporters.train import progress as search

        self._last = progress
        self._cell.show(lambda: search.text(progress), at_once=progress.phase is not None)

    def _over(self) -> str:
        from epkit.reporters.train import progress as search

        return "" if self._last is None else search.line(replace(self._last, phase=None, left_s=None))


def _train_here(options: TrainOptions) -> Training:
    from epkit.flows.train import train as flow

    with at_work() as context, _Shown() as shown:
        result = flow.train(options, context, io.BytesIO(), show=shown.show)
    if result.stopped_by is not None:
        done = sum(run.state == "done" and run.family != "vote" for run in result.report.runs)
        _log.warning("interrupted after %d of %d runs; the model is the best of these", done, options.runs)
    return Training(result.report, context.cwd / options.out)


def _train_at_azure(
    options: TrainOptions, *, compute: str | None, create_compute: str | None, block: tuple[str, ...], job: str | None
) -> Training:
    from epkit.flows.train.azure import train as flow
    from epkit.flows.train.azure.options import AzureOptions

    azure = AzureOptions(compute=compute, create_compute=create_compute, blocked=block, job=job)
    said: list[str] = []
    with at_work() as context, _Shown() as shown:

        def note(line: str) -> None:
            _log.info(line)
            said[:] = [line]

        try:
            ended = flow.train_at_azure(options, azure, replace(context, note=note), io.BytesIO(), show=shown.show)
        except (KeyboardInterrupt, EpkitError):
            for line in said:  # the last note: how to follow the job
                _log.warning(line)
            raise
    assert not isinstance(ended, flow.JobNews)  # only a job that is not waited for ends so
    return Training(ended.report, context.cwd / options.out)


def load_training(path: str | Path) -> Training:
    """Read a training that `epkit train` made: its report, and its model if it exists.

    Args:
        path: the model's directory, the directory `MODEL.run` next to it, or its `train.json`.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    from epkit.flows.train.loading import load_report, model_beside

    return Training(load_report(str(path)), model_beside(Path(path)))
