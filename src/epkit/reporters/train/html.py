"""A training as an HTML page: how good the model is and how certain that is, what it learned, and where it is wrong."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from epkit.core.report.wording import plural
from epkit.core.train.report import Cohort, Curve, Effect, ErrorLeaf, Figure, Importance, JudgedRows, TrainReport
from epkit.reporters.parts import charts, page
from epkit.reporters.parts.charts import Axis, Series
from epkit.reporters.parts.page import Branch
from epkit.reporters.train import words
from epkit.reporters.train.facts import everything
from epkit.reporters.train.words import interval, name, number

SHOWN_RUNS: Final = 20
SHOWN_COLUMNS: Final = 30
SHOWN_COHORTS: Final = 20
SHOWN_CLASSES: Final = 10
"""Greatest number of rows of a table; `train.json` has all."""

SEEN_FIRST: Final = 4
"""Number of charts that a notebook does not fold: they show how good the model is."""

DRAWN: Final = 12
"""Greatest number of rows of a chart."""

DRAWN_EFFECTS: Final = 4

DRAWN_POINTS: Final = 150
"""Greatest number of points of all curves of a chart together; if there are more, every second or third is drawn."""

ROOM: Final = 190
"""Space for the names of columns and cohorts, in units of a chart."""

STEEP: Final = 50
"""An effect whose values have a greater ratio than this is drawn on a logarithmic axis."""

BEST, LIKE_BEST, WORSE, BAD = 4, 1, 2, 3
"""Colours of runs and cohorts."""

DIAGONAL: Final = ((0.0, 0.0), (1.0, 1.0))


def render(report: TrainReport) -> str:
    """Render a training as an HTML page."""
    return page.render(sheet(report))


def sheet(report: TrainReport) -> page.Sheet:
    """Return the contents of the page of a training."""
    data, drawn = report.data, list(_charts(report))
    return page.Sheet(
        title=f"epkit train: {name(data.label)} of {name(data.path)}",
        first=[
            f"<h1>{page.said(f'{name(data.label)} of {name(data.path, 200)}')}</h1>",
            page.note(_subtitle(report)),
            page.verdict(words.verdict(report)),
            "".join(f"<p>{page.said(words.leak(leak, report))}</p>" for leak in report.leaks),
            *(page.note(f"failed: {failure}") for failure in words.failures(report)),
            *(page.note(words.name(warning, 300)) for warning in report.warnings),
            *(_gates(report) if _is_missed(report) else ()),
            page.tiles(_tiles(report)),
            page.grid(drawn[:SEEN_FIRST]),
        ],
        rest=[page.grid(drawn[SEEN_FIRST:]), *_tables(report)],
    )


def _subtitle(report: TrainReport) -> str:
    data = report.data
    what = {"binary": f"two classes, {name(data.positive or '')} is positive", "regression": "regression"}
    task = what.get(data.task, plural(len(data.classes), "class").replace("classs", "classes"))
    return f"{report.started_at}, {report.duration_s:.1f} s, {task}; epkit {report.version}"


def _tiles(report: TrainReport) -> Iterable[tuple[str, str]]:
    judged = words.headline(report)
    for metric in _headline_metrics(report):
        figure = judged.metrics[metric]
        sure = f", {interval(figure, dash='–')}" if figure.ci95 else ""
        yield number(figure.value), f"{metric.replace('_', ' ')}{sure}"
    rows = report.data.rows
    yield f"{rows:,}", f"rows, {report.data.test_rows:,} of them for the test" if report.data.test_rows else "rows"
    tried = words.searched(report.runs)
    failed = sum(run.state != "done" for run in tried)
    yield f"{len(tried):,}", f"runs, {failed} of them failed" if failed else "runs"
    if known := [run.cpu_s for run in tried if run.cpu_s is not None]:
        yield f"{sum(known):,.0f} s", "CPU"
    if report.threshold is not None:
        yield number(report.threshold.value), f"threshold ({name(report.threshold.rule, 30)})"


def _headline_metrics(report: TrainReport) -> list[str]:
    metrics = words.headline(report).metrics
    second = "accuracy_at_threshold" if "accuracy_at_threshold" in metrics else "accuracy"
    wanted = (report.metric, "r2" if report.data.task == "regression" else second)
    return [metric for metric in dict.fromkeys(wanted) if metric in metrics]


def _charts(report: TrainReport) -> Iterable[str]:
    judged, whose = words.headline(report), words.where(report)
    if len(report.runs) > 1:
        yield page.section(f"Leaderboard: {report.metric}", *_leaders(report))
    if judged.roc:
        yield page.section(f"ROC, {whose}", _curves("ROC", judged.roc, "false positive rate", "true positive rate"))
    if judged.precision_recall:
        curves = _curves("Precision and recall", judged.precision_recall, "recall", "precision", guide=False)
        yield page.section(f"Precision and recall, {whose}", curves)
    if judged.calibration is not None:
        yield page.section(f"Calibration, {whose}", *_calibration(judged, judged.calibration, report))
    yield from _importances(report)
    for effect in report.effects[:DRAWN_EFFECTS]:
        yield page.section(f"Effect of {name(effect.column, 40)}", _effect(effect, report))
    if cohorts := words.compared(report)[:DRAWN]:
        heading = f"Cohorts, the worst first: {words.cohort_metric(report).replace('_', ' ')}"
        yield page.section(heading, *_cohort_chart(report, cohorts))


def _leaders(report: TrainReport) -> Iterable[str]:
    """Draw the best runs and the vote, which is judged on rows that did not choose it."""
    rows = []
    ranked = words.ranked(report.runs)
    if len(ranked) > 2:  # the constant model would leave no space for the differences between the others
        ranked = [run for run in ranked if run.family != "naive"]
    for run in ranked[:DRAWN]:
        if figure := run.metrics.get(report.metric):
            colour = BEST if run.behind is None else WORSE if run.distinguishable else LIKE_BEST
            rows.append((f"{run.run} {run.family}", *_ends(figure), colour))
    axis = charts.around(
        f"{report.metric}, {words.validated(report)}", [value for _, *ends, _ in rows for value in ends]
    )
    yield charts.spans("Leaderboard with intervals", rows, axis)
    if report.job is not None:
        yield page.note("Green is the best run. Azure gives no intervals: small differences may be chance.")
        return
    like = words.indistinguishable(report.runs)
    others = f"{plural(like, 'run')} (blue) cannot be distinguished from it" if like else "no other is as good"
    yield page.note(f"Green is the best run; {others}; orange ones are worse. Intervals are of 95 %.")


def _ends(figure: Figure) -> tuple[float, float, float]:
    low, high = figure.ci95 or (figure.value, figure.value)
    return low, figure.value, high


def _curves(label: str, curves: Mapping[str, Curve], x: str, y: str, *, guide: bool = True) -> str:
    each = -(-sum(len(curve.x) for curve in curves.values()) // DRAWN_POINTS)
    found = [
        Series(name=name(key, 20), points=_thinned(tuple(zip(curve.x, curve.y, strict=True)), each), colour=place)
        for place, (key, curve) in enumerate(curves.items(), 1)
    ]
    return charts.lines(label, found, _share(x), _share(y), guide=DIAGONAL if guide else (), below=True)


def _thinned(points: Sequence[tuple[float, float]], each: int) -> Sequence[tuple[float, float]]:
    """Take every *each*-th point, and the last."""
    return points if each <= 1 else [*points[:-1:each], points[-1]]


def _share(title: str) -> Axis:
    return charts.linear(title, [1.0])


def _calibration(judged: JudgedRows, curve: Curve, report: TrainReport) -> Iterable[str]:
    points = tuple(zip(curve.x, curve.y, strict=True))
    series = [Series(name="came true", points=points, colour=1)]
    if report.data.task == "regression":
        low, high = min(*curve.x, *curve.y), max(*curve.x, *curve.y)
        x, y = charts.around("predicted", [low, high]), charts.around("observed", [low, high])
        guide: Sequence[tuple[float, float]] = ((low, low), (high, high))
    else:
        x, y, guide = _share("predicted probability"), _share("came true"), DIAGONAL
    yield charts.lines("Predicted probability and observed frequency", series, x, y, guide=guide)
    if judged.ece is not None:
        yield page.note(
            f"Expected calibration error {number(judged.ece)}. On the thin line, predictions match the outcomes."
        )


def _importances(report: TrainReport) -> Iterable[str]:
    if raw := report.importance[:DRAWN]:
        heading = "Importance of columns: share of all contributions"
        yield page.section(heading, charts.ranks(heading, _bars(raw), ROOM))
    shuffled = [(each.name, each.permutation) for each in raw if each.permutation is not None]
    if shuffled:
        heading = f"Permutation importance: {report.metric} lost when a column is shuffled"
        rows = [(column, *_ends(figure), 1) for column, figure in shuffled]
        axis = charts.around(f"{report.metric} lost", [0.0, *(value for _, *ends, _ in rows for value in ends)])
        yield page.section(heading, charts.spans(heading, rows, axis, ROOM))
    if engineered := report.engineered[:DRAWN]:
        heading = "Importance of engineered features"
        yield page.section(heading, charts.ranks(heading, _bars(engineered), ROOM))


def _bars(importances: Iterable[Importance]) -> list[tuple[str, float, str, int]]:
    return [(each.name, each.share, f"{each.share:.3f}", 1) for each in importances]


def _effect(effect: Effect, report: TrainReport) -> str:
    """Draw the mean prediction and the mean label: of a number as lines, of a category with one row per value."""
    names = [("predicted", 1), ("observed", 2)]
    label = f"Effect of {name(effect.column)}"
    values = [*effect.predicted, *effect.observed]
    title = f"mean {name(report.data.label, 30)}" if report.data.task == "regression" else "probability"
    axis = charts.around(title, values) if report.data.task == "regression" else charts.linear(title, values)
    if effect.x is None:
        both = zip(effect.labels, effect.rows, zip(effect.predicted, effect.observed, strict=True), strict=True)
        rows = [(_counted(value, count), pair) for value, count, pair in list(both)[: 2 * DRAWN]]
        return charts.dots(label, rows, axis, names, ROOM)
    series = [
        Series(name=said, points=tuple(zip(effect.x, heights, strict=True)), colour=colour)
        for (said, colour), heights in zip(names, (effect.predicted, effect.observed), strict=True)
    ]
    column = name(effect.column, 40)
    steep = effect.x and min(effect.x) > 0 and max(effect.x) > STEEP * min(effect.x)
    x = charts.logarithmic(f"{column}, log scale", effect.x) if steep else charts.around(column, effect.x)
    return charts.lines(label, series, x, axis)


def _counted(text: str, rows: int) -> str:
    """Name a group of rows in a chart by its description and its size; the size is never cut."""
    count = f" ({rows:,})"
    return charts.fit(name(text), ROOM - charts.width(count)) + count


def _cohort_chart(report: TrainReport, cohorts: Sequence[Cohort]) -> Iterable[str]:
    metric = words.cohort_metric(report)
    whole = words.headline(report).metrics.get(metric)
    rows = [] if whole is None else [("all rows", *_ends(whole), BEST)]
    for cohort in cohorts:
        ends = _ends(cohort.metrics[metric])
        rows.append((_counted(cohort.where, cohort.rows), *ends, BAD if _is_worse(ends, whole, metric) else 1))
    axis = charts.around(metric.replace("_", " "), [value for _, *ends, _ in rows for value in ends])
    yield charts.spans("Cohorts with intervals", rows, axis, ROOM)
    if whole is not None:
        yield page.note(f"In brackets: rows. Red: the whole interval is worse than {number(whole.value)} of all rows.")


def _is_worse(ends: tuple[float, float, float], whole: Figure | None, metric: str) -> bool:
    if whole is None:
        return False
    return ends[0] > whole.value if metric in words.LESS_IS_BETTER else ends[2] < whole.value


def _tables(report: TrainReport) -> Iterable[str]:
    yield page.section("Figures", *_figures(report), wide=True)
    if (confusion := words.headline(report).confusion) is not None:
        at = f" at the threshold {number(report.threshold.value)}" if report.threshold else ""
        heading = f"Confusion{at}, {words.where(report)}"
        yield page.section(heading, *_confusion(confusion.classes, confusion.counts), wide=True)
    if not _is_missed(report):
        yield from _gates(report)
    if report.base is not None:
        yield page.section(f"Against {name(report.base.path)}", *_base(report), wide=True)
    yield page.section("The model", *(f"<p>{page.said(line)}</p>" for line in _model(report)))
    if report.errors:
        yield page.section("Where it is wrong", *_errors(report))
    if report.cohorts:
        yield page.section("Cohorts", *_cohorts(report), wide=True)
    if report.importance:
        yield page.section("Importance of columns", *_importance(report), wide=True)
    yield page.section("Leaderboard", *_leaderboard(report), wide=True)
    yield page.section("Columns", *_columns(report), wide=True)
    if report.artefact is not None:
        files = [
            (name(file), f"{size:,}", report.artefact.sha256.get(file, ""))
            for file, size in report.artefact.bytes.items()
        ]
        yield page.section("Files", page.table(["file", "bytes", "SHA-256"], files, prose=(0, 2)), wide=True)
    yield page.section("Everything else", page.table(["", ""], everything(report), words=True))


def _figures(report: TrainReport) -> Iterable[str]:
    test, fold = report.test, report.out_of_fold
    metrics = dict.fromkeys([*(test.metrics if test else ()), *fold.metrics])
    heads = [
        "",
        *(["test rows", "95 % interval"] if test else []),
        words.validated(report),
        "95 % interval",
        "sd over folds",
    ]
    rows = []
    for metric in metrics:
        of_test = _pair(test.metrics.get(metric)) if test else ()
        figure = fold.metrics.get(metric)
        sd = "–" if figure is None or figure.sd is None else number(figure.sd)
        rows.append((metric.replace("_", " "), *of_test, *_pair(figure), sd))
    yield page.table(heads, rows)
    if said := words.optimism(report):
        yield page.note(f"Optimism: {said}.")


def _pair(figure: Figure | None) -> tuple[str, str]:
    if figure is None:
        return "–", "–"
    return number(figure.value), interval(figure, dash="–") or "–"


def _lost(figure: Figure | None) -> tuple[str, str]:
    if figure is None:
        return "–", "–"
    return number(figure.value), "–" if figure.sd is None else number(figure.sd)


def _confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Iterable[str]:
    """Show the predictions for each class; if there are very many classes, those with the most errors."""
    wrong = [sum(row) - row[place] for place, row in enumerate(counts)]
    shown = sorted(sorted(range(len(classes)), key=lambda place: -wrong[place])[:SHOWN_CLASSES])
    rows = []
    for place in shown:
        row = counts[place]
        whole = sum(row) or 1
        cells = [
            (f"{row[answer]:,}", row[answer] / whole, BEST if place == answer or not row[answer] else BAD)
            for answer in shown
        ]
        rows.append((name(classes[place], 30), cells))
    yield page.heat("is ↓, answered →", [name(classes[place], 30) for place in shown], rows)
    if len(classes) > len(shown):
        yield page.note(f"The {len(shown)} of {len(classes)} classes with the most wrong answers: train.json has all.")


def _is_missed(report: TrainReport) -> bool:
    return any(gate.state != "passed" for gate in report.gates)


def _gates(report: TrainReport) -> Iterable[str]:
    if report.gates:
        heads = ["gate", "observed", "95 % interval", "rows", "", "reason"]
        yield page.section("Gates", page.table(heads, _judged(report), prose=(0, 5)), wide=True)


def _judged(report: TrainReport) -> Iterable[tuple[str, ...]]:
    for gate in report.gates:
        observed = None if gate.observed is None else Figure(value=gate.observed, ci95=gate.ci95)
        rows = "–" if gate.rows is None else f"{gate.rows:,}"
        state = gate.state if gate.state == "passed" else gate.state.upper()
        yield (name(gate.expression, 200), *_pair(observed), rows, state, name(gate.reason, 300) if gate.reason else "")


def _base(report: TrainReport) -> Iterable[str]:
    base = report.base
    assert base is not None  # the caller has checked it
    heads = ["", "in use", "95 % interval", "new minus the model in use", "95 % interval"]
    metrics = dict.fromkeys([*base.metrics, *base.differences])
    rows = [(m.replace("_", " "), *_pair(base.metrics.get(m)), *_pair(base.differences.get(m))) for m in metrics]
    yield page.table(heads, rows)
    yield page.note(f"On {base.rows:,} test rows that neither model was trained on.")


def _model(report: TrainReport) -> Iterable[str]:
    yield words.members(report)
    if said := words.threshold(report):
        yield f"Threshold {said}"
    if command := words.next_command(report):
        yield f"To deploy it: {command}"


def _leaderboard(report: TrainReport) -> Iterable[str]:
    ranked = words.ranked(report.runs)
    others = [m for m in ("accuracy", "r2") if m != report.metric and any(m in r.metrics for r in ranked)]
    heads = ["run", report.metric, "95 % interval", "behind", "95 % interval"]
    heads = [
        *heads,
        *(other.replace("_", " ") for other in others),
        "rounds",
        "CPU (s)",
        "against the best",
        "parameters",
    ]
    rows = []
    for run in ranked[:SHOWN_RUNS]:
        figure = run.metrics.get(report.metric)
        first = ("–", "–") if figure is None else (number(figure.value, 4), interval(figure, 4, "–") or "–")
        more = (_pair(run.metrics.get(other))[0] for other in others)
        rounds = "–" if run.rounds is None else str(run.rounds)
        rows.append(
            (
                f"{run.run} {run.family}",
                *first,
                *(_pair(run.behind) if run.behind else ("", "")),
                *more,
                rounds,
                words.cpu(run),
                words.against_best(run),
                words.parameters(run),
            )
        )
    yield page.table(heads, rows, lists=(len(heads) - 1,))
    yield from _more(len(ranked) - SHOWN_RUNS, "run")


def _errors(report: TrainReport) -> Iterable[str]:
    what = "mean absolute error" if report.data.task == "regression" else "part of the rows that are wrong"
    most = max(leaf.error for leaf in report.errors) or 1.0
    root = _branch("all rows", [(leaf.path, leaf) for leaf in report.errors], most)
    yield page.tree([root])
    yield page.note(f"In colour: {what}.")


def _branch(said: str, leaves: Sequence[tuple[tuple[str, ...], ErrorLeaf]], most: float) -> Branch:
    """Put leaves below the common part of their paths.

    Args:
        leaves: the rest of the path of each leaf, and the leaf.
    """
    rows = sum(leaf.rows for _, leaf in leaves)
    error = sum(leaf.rows * leaf.error for _, leaf in leaves) / rows if rows else 0.0
    below: dict[str, list[tuple[tuple[str, ...], ErrorLeaf]]] = {}
    for path, leaf in leaves:
        if path:
            below.setdefault(path[0], []).append((path[1:], leaf))
    return Branch(
        words=f"{name(said, 120)} ({rows:,})",
        figure=number(error),
        share=error / most,
        below=tuple(_branch(condition, inside, most) for condition, inside in below.items()),
    )


def _cohorts(report: TrainReport) -> Iterable[str]:
    cohorts = words.compared(report)
    metrics = dict.fromkeys(metric for cohort in cohorts for metric in cohort.metrics)
    positive = any(cohort.positive is not None for cohort in cohorts)
    heads = ["cohort", "rows", *(["positive"] if positive else [])]
    heads += [head for metric in metrics for head in (metric.replace("_", " "), "95 % interval")]
    rows = []
    for cohort in cohorts[:SHOWN_COHORTS]:
        share = [] if not positive else ["–" if cohort.positive is None else f"{cohort.positive:.3f}"]
        figures = (cell for metric in metrics for cell in _pair(cohort.metrics.get(metric)))
        rows.append((name(cohort.where, 120), f"{cohort.rows:,}", *share, *figures))
    yield page.table(heads, rows, prose=(0,))
    yield from _more(len(cohorts) - SHOWN_COHORTS, "cohort")


def _importance(report: TrainReport) -> Iterable[str]:
    heads = ["column", "share", f"{report.metric} lost when shuffled", "sd over shuffles"]
    shown = report.importance[:SHOWN_COLUMNS]
    rows = ((name(each.name), f"{each.share:.3f}", *_lost(each.permutation)) for each in shown)
    yield page.table(heads, rows, prose=(0,))
    yield from _more(len(report.importance) - SHOWN_COLUMNS, "column")


def _columns(report: TrainReport) -> Iterable[str]:
    columns = report.data.columns
    heads = ["column", "kind", "missing", "distinct"]
    rows = ((name(c.name), c.kind, f"{c.missing:,}", f"{c.distinct:,}") for c in columns[:SHOWN_COLUMNS])
    yield page.table(heads, rows, prose=(0,))
    yield from _more(len(columns) - SHOWN_COLUMNS, "column")


def _more(left: int, noun: str) -> Iterable[str]:
    if left > 0:
        yield page.note(f"{plural(left, f'more {noun}')}: train.json has all.")
