"""The text at the end of a training, about 40 lines: how good the model is, where it is wrong, and what to do next."""

from collections.abc import Iterable, Sequence
from typing import Final

from epkit.core.report.wording import plural
from epkit.core.train.report import Cohort, RunInfo, TrainReport
from epkit.reporters.parts.layout import wrap
from epkit.reporters.train import words
from epkit.reporters.train.words import interval, name, number

LABEL: Final = 14
"""Width of a label."""

LEADERS: Final = 5
"""Number of leaderboard runs that are shown; the page has more, `train.json` has all."""

IMPORTANCES: Final = 6
GATES: Final = 6
LEAKS: Final = 2
WARNINGS: Final = 3
"""Greatest number of lines of each list, so that the whole text fits on a screen."""


def render(report: TrainReport) -> str:
    """Render a training for people: plain text of 80 characters per line, the verdict last."""
    sections = [
        _data(report),
        _model(report),
        _leaderboard(report),
        _explained(report) + _remarks(report),
        _files(report),
        [line for entry in words.outcome(report)[:GATES] for line in wrap(entry.text)],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _labelled(label: str, text: str) -> list[str]:
    """Put text after a label, wrapped into lines."""
    return wrap(text, f"{label + ':' if label else '':<{LABEL}}", " " * LABEL)


def _data(report: TrainReport) -> list[str]:
    data = report.data
    used = [column for column in data.columns if column.kind in ("number", "category", "date")]
    test = f", {data.test_rows:,} of them for the test" if data.test_rows else ""
    classes = ""
    if data.classes:
        few = [f"{name(key, 20)} {count:,}" for key, count in list(data.classes.items())[:4]]
        more = [f"and {len(data.classes) - 4} more classes"] if len(data.classes) > 4 else []
        classes = f": {', '.join([*few, *more])}"
    without = f"; {plural(data.unlabelled, 'row')} without a label left out" if data.unlabelled else ""
    return [
        f"epkit {report.version}, train, {report.started_at}",
        *_labelled("Data", f"{name(data.path)}, {data.rows:,} rows{test}, {plural(len(used), 'column')}{without}"),
        *_labelled("Label", f"{name(data.label)}, {_task(report)}{classes}"),
    ]


def _task(report: TrainReport) -> str:
    data = report.data
    if data.task == "binary":
        return f"two classes, {name(data.positive or '', 20)} is positive"
    return f"{len(data.classes):,} classes" if data.classes else "regression"


def _model(report: TrainReport) -> list[str]:
    judged = words.headline(report)
    shown = [(report.metric, judged.metrics.get(report.metric)), ("accuracy", words.accuracy(judged.metrics))]
    figures = ", ".join(
        f"{metric} {words.with_interval(figure)}"
        for metric, figure in dict(shown).items()
        if figure is not None and (metric != "accuracy" or report.data.task != "regression")
    )
    whose = "Test rows" if report.test else "Out of fold" if report.job is None else "At Azure"
    lines = [*_labelled("Best model", words.members(report)), *_labelled(whose, figures)]
    if said := words.optimism(report):
        lines += _labelled("Optimism", said)
    if said := words.threshold(report):
        lines += _labelled("Threshold", said)
    return lines


def _leaderboard(report: TrainReport) -> list[str]:
    if len(report.runs) < 2:
        return []
    ranked, metric, at_azure = words.ranked(report.runs), report.metric, report.job is not None
    wide = max(LABEL + 4, *(len(f"{run.run:>4} {run.family} ") for run in ranked[:LEADERS]))
    figures = max(10, len(metric))
    # Azure gives neither intervals nor CPU seconds.
    sure_head, cpu_head = ("", "") if at_azure else (f"   {'95 % interval':<17}", f"{'CPU (s)':>9}")
    lines = [f"{'Leaderboard':<{wide}}{metric:>{figures}}{sure_head}{'behind':>8}{cpu_head}"]
    for run in ranked[:LEADERS]:
        figure = run.metrics.get(metric)
        value, sure = ("–", "") if figure is None else (number(figure.value, 4), interval(figure, 4))
        behind = number(run.behind.value) if run.behind else ""
        like = "  like the best" if words.like_the_best(run) else ""
        sure, cpu = ("", "") if at_azure else (f"   {sure:<17}", f"{words.cpu(run):>9}")
        row = f"{f'{run.run:>4} {run.family}':<{wide}}{value:>{figures}}{sure}{behind:>8}{cpu}{like}"
        lines.append(row.rstrip())
    return [*lines, *_others(ranked)]


def _others(ranked: Sequence[RunInfo]) -> list[str]:
    parts = []
    if (more := len(ranked) - LEADERS) > 0:
        parts.append(f"{more} more")
    if like := words.indistinguishable(ranked):
        parts.append(f"{like} not distinguishable from the best")
    if failed := sum(run.state != "done" for run in ranked):
        parts.append(f"{failed} failed")
    return wrap("; ".join(parts), "     ", "     ") if parts else []


def _explained(report: TrainReport) -> list[str]:
    lines = []
    if report.importance:
        top = ", ".join(f"{name(each.name, 24)} {each.share:.3f}" for each in report.importance[:IMPORTANCES])
        lines += _labelled("Importance", top)
    if (worst := words.worst(report)) is not None:
        lines += _labelled("Worst cohort", _cohort(report, worst))
    leaf = max(report.errors, key=lambda each: each.error, default=None)
    if leaf is not None and leaf.path and leaf.error:  # otherwise no group of rows is worse than the others
        much = f"{number(leaf.error)} of {leaf.rows:,} rows are wrong"
        if report.data.task == "regression":
            much = f"mean absolute error {number(leaf.error)} on {leaf.rows:,} rows"
        conditions = " and ".join(name(condition, 40) for condition in leaf.path)
        lines += _labelled("Most wrong", f"{conditions}: {much}")
    return lines


def _cohort(report: TrainReport, cohort: Cohort) -> str:
    metric = words.cohort_metric(report)
    figure = f"{metric.replace('_', ' ')} {words.with_interval(cohort.metrics[metric])}"
    whole = words.headline(report).metrics.get(metric)
    of_all = f"; of all rows {number(whole.value)}" if whole else ""
    return f"{name(cohort.where)}: {figure}, {cohort.rows:,} rows{of_all}"


def _remarks(report: TrainReport) -> list[str]:
    lines = [line for each in report.leaks[:LEAKS] for line in _labelled("Leak", words.leak(each, report))]
    lines += _cut(len(report.leaks) - LEAKS, "such column")
    lines += [line for each in words.failures(report) for line in _labelled("Failed", each)]
    lines += [line for each in report.warnings[:WARNINGS] for line in _labelled("Warning", name(each, 300))]
    return [*lines, *_cut(len(report.warnings) - WARNINGS, "warning")]


def _cut(left: int, noun: str) -> Iterable[str]:
    return _labelled("", f"and {plural(left, f'more {noun}')}: train.json has all") if left > 0 else []


def _files(report: TrainReport) -> list[str]:
    if report.artefact is None or (command := words.next_command(report)) is None:
        return []
    path = name(report.artefact.path, 200).rstrip("/")
    files = ", ".join(name(file, 40) for file in report.artefact.bytes)
    lines = _labelled("Written", f"{path}/ ({files}); reports and the journal in {path}.run/")
    if report.job is not None and report.job.registered is not None:
        lines += _labelled("Registered", f"azureml:{report.job.registered} in {report.job.workspace}")
    first, backend, rest = command.partition(" --backend")
    more = f" \\\n{'':<{LABEL}} {backend}{rest}" if backend else ""
    lines += f"{'Next:':<{LABEL}}{first}{more}".splitlines()
    if report.job is not None and report.job.runs_here:
        lines.append(f"{'':<{LABEL}}or the same with --backend local")
    return lines
