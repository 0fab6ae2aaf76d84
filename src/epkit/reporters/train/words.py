"""The sentences of training reports: figures, the verdict, leaks, thresholds, gates."""

import shlex
from collections.abc import Iterable, Mapping
from typing import Final

from epkit.core.http.masking import clean
from epkit.core.report.wording import plural
from epkit.core.train.report import Cohort, Figure, Gate, JudgedRows, Leak, RunInfo, TrainReport
from epkit.reporters.parts.verdict import VerdictLine

LESS_IS_BETTER: Final = frozenset({"log_loss", "rmse", "mae", "normalised_rmse", "normalised_mae"})
"""Metrics of which a lower value is better."""

FAMILIES: Final[Mapping[str, str]] = {
    "naive": "the same answer to every row",
    "linear": "a linear model",
    "gbdt": "boosted trees",
    "extra": "boosted trees that split at random values",
    "forest": "a random forest",
    "dart": "boosted trees that drop some while they learn",
    "custom": "an estimator of your own",
}
"""Descriptions of the families of runs."""

NAME: Final = 60
"""Greatest number of characters that are shown of a name from a table."""


def name(text: str, limit: int = NAME) -> str:
    """Shorten a name from a table so that it fits into a line."""
    return clean(text, limit) or "(empty)"


def number(value: float, digits: int = 3) -> str:
    """Format a figure: a fraction with *digits* decimals, small and large numbers with the digits that they need."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.2f}"
    if size >= 0.1 or not value:
        return f"{value:.{digits}f}"
    return f"{value:.{digits + 1}f}" if size >= 0.001 else f"{value:.2g}"


def interval(figure: Figure | None, digits: int = 3, dash: str = "to") -> str:
    """Format an interval; "" if there is none."""
    if figure is None or figure.ci95 is None:
        return ""
    low, high = figure.ci95
    return f"{number(low, digits)} {dash} {number(high, digits)}"


def with_interval(figure: Figure, digits: int = 3) -> str:
    """Format a figure, with its interval in brackets."""
    sure = interval(figure, digits)
    return f"{number(figure.value, digits)} ({sure})" if sure else number(figure.value, digits)


def headline(report: TrainReport) -> JudgedRows:
    """Return the rows on which the model is judged: the test rows, or out of fold if there are none."""
    return report.test or report.out_of_fold


def where(report: TrainReport) -> str:
    """Describe the rows of `headline`."""
    judged = headline(report)
    return f"{judged.rows:,} {'test rows' if report.test else f'rows, {validated(report)}'}"


def validated(report: TrainReport) -> str:
    """Describe the source of figures that are not from test rows."""
    return "out of fold" if report.job is None else "by Azure"


def accuracy(metrics: Mapping[str, Figure]) -> Figure | None:
    """Return the accuracy of the model in use: at its threshold, if it has one."""
    return metrics.get("accuracy_at_threshold") or metrics.get("accuracy")


def ranked(runs: Iterable[RunInfo]) -> list[RunInfo]:
    """Sort runs in the order of the leaderboard: the best, the others, those that failed."""

    def place(run: RunInfo) -> tuple[bool, float, int]:
        return run.state != "done", run.behind.value if run.behind else 0.0, run.run

    return sorted(runs, key=place)


def indistinguishable(runs: Iterable[RunInfo]) -> int:
    """Count the other runs that are not distinguishable from the best one."""
    return sum(like_the_best(run) for run in runs)


def like_the_best(run: RunInfo) -> bool:
    """Tell whether a run is not distinguishable from the best one, and is not itself the best one."""
    return run.state == "done" and run.behind is not None and run.distinguishable is False


def cpu(run: RunInfo) -> str:
    """Format the CPU seconds of a run."""
    return "–" if run.cpu_s is None else f"{run.cpu_s:.1f}"


def searched(runs: Iterable[RunInfo]) -> list[RunInfo]:
    """Return the runs that were tried, without the vote, which consists of them."""
    return [run for run in runs if run.family != "vote"]


def against_best(run: RunInfo) -> str:
    """Compare a run with the best one, in words."""
    if run.state != "done":
        return "failed"
    if run.behind is None:
        return "best"
    return {None: "", True: "worse", False: "not distinguishable"}[run.distinguishable]


def parameters(run: RunInfo, limit: int = 200) -> str:
    """Format the parameters of a run; of a failed run, the reason."""
    if run.state != "done":
        return clean(run.error or "", limit)
    shown = (
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in run.parameters.items()
    )
    return clean(", ".join(shown), limit)


def failures(report: TrainReport) -> list[str]:
    """Return why runs failed: all estimators of the user, and the first of the other runs."""
    failed = sorted((run for run in report.runs if run.state != "done"), key=lambda run: run.run)
    own = [run for run in failed if run.family == "custom"]
    others = [run for run in failed if run.family != "custom"]
    return [
        *(f"--custom {name(str(run.parameters.get('make')), 80)}: {parameters(run)}" for run in own),
        *(f"run {run.run}, {run.family}: {parameters(run)}" for run in others[:1]),
    ]


def members(report: TrainReport) -> str:
    """Describe the members of the model."""
    parts = report.best.members
    if report.best.kind != "vote" and len(parts) == 1:
        family = parts[0].family
        kind = FAMILIES.get(family)
        return f"run {parts[0].run}, {family}{f': {kind}' if kind else ''}"
    each = ", ".join(f"{member.run} {member.family} {member.weight:.2f}" for member in parts)
    return f"vote of {plural(len(parts), 'run')}: {each}"


def verdict(report: TrainReport) -> list[VerdictLine]:
    """Return the result of the training, the worst news last.

    Returns:
        The main figure, then the `outcome`.
    """
    figure = headline(report).metrics.get(report.metric)
    if figure is None:
        return outcome(report)
    sure = f", 95 % interval {interval(figure)}" if figure.ci95 else ""
    text = f"{report.metric} {number(figure.value)} on {where(report)}{sure}"
    return [VerdictLine(text=text, bad=False), *outcome(report)]


def outcome(report: TrainReport) -> list[VerdictLine]:
    """Return whether the search was interrupted, and whether all gates passed, or which were missed or not judged."""
    lines = []
    if report.gates and report.passed:
        text = gate(report.gates[0]) if len(report.gates) == 1 else f"all {len(report.gates)} gates passed"
        lines.append(VerdictLine(text=text, bad=False))
    if report.partial:
        text = f"PARTIAL: interrupted after {plural(len(searched(report.runs)), 'run')}; the model is the best of them"
        lines.append(VerdictLine(text=text, bad=True))
    return [*lines, *(VerdictLine(text=gate(each), bad=True) for each in report.gates if each.state != "passed")]


def gate(judged: Gate) -> str:
    """Return the result of a gate in words."""
    expression = clean(judged.expression, 200)
    reason = clean(judged.reason or "", 300)
    if judged.state == "not judged":
        return f"{expression} {reason or 'cannot be judged'}"
    figure = "" if judged.observed is None else f"observed {number(judged.observed)}"
    sure = f"95 % interval {interval(Figure(value=0, ci95=judged.ci95))}" if judged.ci95 else ""
    facts = "; ".join(fact for fact in (reason or figure, sure) if fact)
    return f"{'MISSED' if judged.state == 'missed' else judged.state}: {expression}{f' ({facts})' if facts else ''}"


def leak(found: Leak, report: TrainReport) -> str:
    """Return the warning that a column may be known too late, with advice."""
    alone = "R²" if report.data.task == "regression" else "AUC"
    drop = f"--drop {shlex.quote(found.column)}" if name(found.column) == found.column else "leave it out with --drop"
    begin = f"{name(found.column)}: {alone} alone {number(found.alone)}"
    if found.disguise:
        return f"{begin}: it repeats the label; {drop}"
    other = "" if report.metric == alone else f"{report.metric} "
    without = f"; without it {other}{with_interval(found.without)}" if found.without else ""
    return f"{begin}{without}: is it known when a prediction is requested? If not: {drop}"


def optimism(report: TrainReport) -> str | None:
    """Return how much the choice among runs would improve the figure, None if it was not measured."""
    added = report.best.optimism
    if added is None:
        return None
    figure = report.best.validation.get(report.metric)
    if added <= 0:
        honest = f"the {number(figure.value)} out of fold" if figure else "the figure out of fold"
        return f"none: choosing among the runs adds nothing to {honest}"
    honest = f" than the {number(figure.value)} out of fold" if figure else ""
    return f"judged on the rows that chose the model, {report.metric} would look better by {number(added)}{honest}"


def threshold(report: TrainReport) -> str | None:
    """Return the threshold above which an answer is positive, and the effect of `f1`."""
    found = report.threshold
    if found is None:
        return None
    rule = "" if found.rule == number(found.value, 1) else f" ({clean(found.rule, 100)})"
    line = f"{number(found.value)}{rule}: from this probability of {name(report.data.positive or '')} on"
    if found.f1 is None or found.f1_at_half is None or found.f1_value is None or found.rule == "f1":
        return line
    return (
        f"{line}. A class is rare: --threshold f1 would take {number(found.f1_value)}, "
        f"F1 {number(found.f1)} in place of {number(found.f1_at_half)}"
    )


def cohort_metric(report: TrainReport) -> str:
    """Return the metric by which cohorts are compared: the first one that they have."""
    return next((metric for cohort in report.cohorts for metric in cohort.metrics), "accuracy")


def compared(report: TrainReport) -> list[Cohort]:
    """Return the cohorts that have that metric, in the report's order: the worst first."""
    metric = cohort_metric(report)
    return [cohort for cohort in report.cohorts if metric in cohort.metrics]


def worst(report: TrainReport) -> Cohort | None:
    """Return the worst cohort, None if it is no worse than all rows together."""
    metric = cohort_metric(report)
    whole = headline(report).metrics.get(metric)
    for cohort in compared(report)[:1]:
        behind = 0.0 if whole is None else whole.value - cohort.metrics[metric].value
        if whole is None or (-behind if metric in LESS_IS_BETTER else behind) > 0:
            return cohort
    return None


def next_command(report: TrainReport) -> str | None:
    """Return the command that deploys the model, None if no model was written."""
    if report.artefact is None:
        return None
    command = f"epkit deploy create NAME --model {shlex.quote(name(report.artefact.path, 500))} --entry score.py"
    return command if report.job is None else f"{command} --backend azureml"
