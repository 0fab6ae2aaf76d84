"""`epkit train`: reads the options and the table, then searches, chooses, judges, explains, writes and reports."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from signal import Signals
from typing import Any, BinaryIO, Final

import epkit
from epkit.core.http.masking import clean, mask_values
from epkit.core.train import gates
from epkit.core.train.metrics import names_of
from epkit.core.train.plan import Candidate, TrainPlan
from epkit.core.train.problem import Examples
from epkit.core.train.progress import Progress
from epkit.core.train.report import Best, DataInfo, TrainReport
from epkit.core.train.space import schedule
from epkit.errors import UsageError
from epkit.files import model_directory
from epkit.files.training import TrainingJournal
from epkit.flows.context import Context
from epkit.flows.interrupts import NotedInterrupt, noted
from epkit.flows.train import writing
from epkit.flows.train.choosing import choose
from epkit.flows.train.examples import TrainingMaterial, data_of, prepare
from epkit.flows.train.explaining import explain, leaking
from epkit.flows.train.judging import in_use, judge
from epkit.flows.train.options import TrainOptions, TrainOrder, order_of, run_directory
from epkit.flows.train.reading import read_table
from epkit.flows.train.search import search
from epkit.flows.train.unseen import column_names
from epkit.learners import foreign
from epkit.learners.base import LearnerError
from epkit.reporters.train import html

LIBRARIES = ("lightgbm", "sklearn")

_PHASE_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """The result of a training.

    Args:
        stopped_by: the signal that ended the search early, None if there was none.
        page: the report as HTML.
    """

    report: TrainReport
    page: str
    stopped_by: Signals | None

    @property
    def exit_code(self) -> int:
        """Return 130 or 143 after an interrupt, 5 if a gate was missed or not judged, otherwise 0."""
        if self.stopped_by is not None:
            return 128 + int(self.stopped_by)
        return 0 if self.report.passed else 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a training would do."""

    data: DataInfo
    runs: tuple[Candidate, ...]
    warnings: tuple[str, ...]


def train(options: TrainOptions, context: Context, stdin: BinaryIO, *, show: Callable[[Progress], None]) -> TrainResult:
    """Train: search for a model, judge it, explain it, write it.

    Args:
        show: called a few times a second while runs are tried, and at the start of each other phase.

    Raises:
        UsageError: an option, the table or a directory cannot be used; no incomplete files are left.
    """
    started, began = datetime.now(UTC), time.monotonic()
    order = _ready(options)
    plan, out = order.plan, context.cwd / options.out
    model_directory.check(out, overwrite=options.overwrite)
    saying = _Saying(plan.runs, show)
    with TrainingJournal(run_directory(out), restart=options.restart) as journal, noted() as stopped:
        saying.phase("reading the table")
        material = _material(options, order, context, stdin)
        base = None if options.base is None else in_use(options.base, material, context.cwd)
        rows = material.search
        searched = search(
            rows.examples,
            rows.places,
            rows.folds,
            plan,
            journal,
            show=saying.search,
            stopped=lambda: stopped() is not None,
        )
        number = stopped()
        if number is not None and all(tried.margins is None for tried in searched.tried):
            raise NotedInterrupt(number)  # there is no model to write
        saying.phase("choosing and fitting the model")
        try:
            chosen = choose(rows, searched.tried, plan)
        except LearnerError as error:
            raise UsageError(f"the model that was chosen cannot be fitted on all rows: {error}") from None
        saying.phase("judging the model")
        judgement = judge(material, chosen, order.gates, base, columns_shown=plan.cohorts, pairs=plan.pairs)
        best = Best(
            kind=chosen.choice.kind,
            members=chosen.choice.members,
            validation=judgement.out_of_fold.metrics,
            optimism=chosen.choice.optimism,
        )
        data = data_of(material.table, material.learned, len(material.test))
        leaks = leaking(rows, chosen, plan, stopped, show=saying.phase)
        saying.phase("explaining the model")
        explanation = explain(material, chosen, judgement, plan)
        saying.phase("writing the model")
        files = writing.model_files(material, chosen, judgement, best, data, plan, options.exports)
        artefact = writing.write_model(out, files, options.shown or options.out, overwrite=options.overwrite)
        report = TrainReport(
            version=epkit.__version__,
            started_at=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
            duration_s=time.monotonic() - began,
            partial=searched.end == "stopped",
            data=data,
            plan=_shown(plan),
            metric=rows.metric,
            runs=chosen.ranked,
            best=best,
            threshold=chosen.threshold,
            test=judgement.test,
            out_of_fold=judgement.out_of_fold,
            leaks=leaks,
            importance=explanation.importance,
            engineered=explanation.engineered,
            effects=explanation.effects,
            cohorts=judgement.cohorts,
            errors=explanation.errors,
            base=judgement.base,
            gates=judgement.gates,
            artefact=artefact,
            warnings=material.warnings,
        )
        report = mask_values(report, context.secrets)
        page = html.render(report)
        writing.write_predictions(journal.directory, material, chosen, judgement, plan.ids)
        writing.write_reports(journal.directory, report, page)
        return TrainResult(report=report, page=page, stopped_by=stopped())


class _Saying:
    """Shows the progress of a training: the search, and the phases before and after it."""

    def __init__(self, runs: int, show: Callable[[Progress], None]) -> None:
        self._show = show
        self._last = Progress(
            done=0, total=runs, running=(), last=None, best=None, metric="", elapsed_s=0.0, left_s=None, failed=0
        )

    def search(self, progress: Progress) -> None:
        """Show the progress of the search."""
        self._last = progress
        self._show(progress)

    def phase(self, text: str) -> None:
        """Show the phase that starts now."""
        self._show(replace(self._last, phase=clean(text, _PHASE_CHARACTERS), running=(), left_s=None))


def dry_run(options: TrainOptions, context: Context, stdin: BinaryIO) -> Planned:
    """Read the table, and list the runs; train nothing.

    Raises:
        UsageError: as for `train`.
    """
    order = _ready(options)
    model_directory.check(context.cwd / options.out, overwrite=options.overwrite)
    material = _material(options, order, context, stdin)
    plan, rows = order.plan, material.search
    runs = schedule(
        plan.runs, plan.seed, rows=len(rows.places), outputs=rows.examples.label.outputs, custom=plan.custom
    )
    return Planned(
        data=data_of(material.table, material.learned, len(material.test)), runs=runs, warnings=material.warnings
    )


def _ready(options: TrainOptions) -> TrainOrder:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise UsageError(f"epkit train needs {' and '.join(missing)}: pip install 'epkit[train]'")
    order = order_of(options)
    if "onnx" in options.exports:
        foreign.check_onnx()  # checked before the runs, which may take hours
    return order


def _material(options: TrainOptions, order: TrainOrder, context: Context, stdin: BinaryIO) -> TrainingMaterial:
    plan = order.plan

    def check(examples: Examples) -> None:
        task = examples.label.task
        if plan.metric is not None and plan.metric not in names_of(task):
            known = ", ".join(names_of(task))
            raise UsageError(f"--metric {plan.metric}: not a metric of this task, which is {task}: one of {known}")
        if plan.threshold.text != "0.5" and task != "binary":
            raise UsageError(f"--threshold {plan.threshold.text} is for two classes, and this task is {task}")
        gates.check(order.gates, examples.label, column_names(examples), base=options.base is not None)

    table = options.table or read_table(
        options.file, stdin, context, encoding=options.encoding, decimal=options.decimal
    )
    return prepare(table, plan, check)


def _shown(plan: TrainPlan) -> dict[str, Any]:
    """Return the plan for the report: the settings that determine the model, and those that ended the search."""
    found = {name: value for name, value in asdict(plan).items() if name not in ("threshold", "gates")}
    return {**found, "threshold": plan.threshold.text}
