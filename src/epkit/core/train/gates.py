"""Parses gates such as `--gate 'AUC>=0.94'`, and decides whether a model passes them.

    GATE   = FIGURE OP LIMIT
    FIGURE = METRIC                      of all test rows
           | cohort(COLUMN).METRIC       of the worst value or range of the column, among those with 30 rows or more
           | cohort(COLUMN=VALUE).METRIC of that value or range
           | cohort.min(METRIC)          the least of the values and ranges of all columns with 30 rows or more
           | cohort.max(METRIC)          the greatest of them: for a loss
    OP     = >= | > | <= | <
    LIMIT  = a fraction (0.94; for rmse, mae and log_loss any number)
           | base | base-0.002 | base+0.002   the figure of the model that `--base` names

A value or range is skipped if the metric is not defined for its rows (AUC of one class).

METRIC is a name of `metrics.py`, epkit's or Azure's, or `ece`. `accuracy` is the accuracy of the likelier class.
`accuracy_at_threshold`, f1, recall, precision and mcc are those of the answers at the threshold.

A gate is judged by the value of the metric; the interval is only shown. A gate against the base is paired: both models
are measured on the rows that neither was trained on.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from epkit.core.near import hint
from epkit.core.report.wording import plural
from epkit.core.train import intervals
from epkit.core.train.cohorts import Cut
from epkit.core.train.metrics import GREATER_IS_BETTER, Metrics, canonical, names_of
from epkit.core.train.problem import Label
from epkit.core.train.report import Figure, Gate
from epkit.errors import UsageError

GRAMMAR: Final = (
    "write METRIC OP LIMIT, as in AUC>=0.94, AUC>=base-0.002, cohort(job).accuracy>=0.85, "
    "cohort(job=admin.).accuracy>=0.8, cohort.min(accuracy)>=0.8, ece<0.02 (OP: < <= > >=)"
)

LEAST_ROWS: Final = 30
"""Rows that a value or range needs to be judged by a gate: the worst of the smaller ones is a matter of chance."""

LEAST_SHARED: Final = 200
"""With fewer rows that neither model was trained on, a gate against the base is not judged."""

OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

UNBOUNDED: Final = frozenset({"log_loss", "rmse", "mae"})
"""Metrics that are not fractions."""

_OP: Final = re.compile(r"(<=|>=|<|>)\s*([^<>=\[\]]*)$")
_LIMIT: Final = re.compile(r"(?:(base)\s*(?:([+-])\s*)?)?(-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))?(%)?")
_WORST: Final = re.compile(r"cohort\.(min|max)\((.*)\)")
_COHORT: Final = re.compile(r"cohort\((.*)\)\.([\w.]+)", re.DOTALL)

Of = Literal["all", "cohort", "min", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateExpression:
    """A gate.

    Args:
        expression: the text of the gate.
        of: the rows that the gate is about.
        inside: the text inside `cohort(…)`: a column, or COLUMN=VALUE.
        metric: epkit's name.
        op: a key of `OPERATORS`.
        limit: the limit; with *base* the number to add to the base's metric.
        base: whether the limit is relative to the base.
    """

    expression: str
    of: Of
    inside: str | None
    metric: str
    op: str
    limit: float
    base: bool

    def met(self, observed: float, wanted: float) -> bool:
        """Tell whether an observed value meets the wanted one."""
        return OPERATORS[self.op](observed, wanted)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """The data by which gates are judged.

    Args:
        rows: test rows; out-of-fold rows if there are no test rows.
        ece: expected calibration error of these rows.
        cuts: groups of these rows; they include the columns that the gates name.
        groups: one for each row; None if the rows are independent.
        shared: the new model and the base, on the rows that neither was trained on; None without `--base`.
        shared_groups: of these rows.
    """

    rows: Metrics
    ece: float | None
    cuts: Sequence[Cut]
    groups: np.ndarray | None = None
    shared: tuple[Metrics, Metrics] | None = None
    shared_groups: np.ndarray | None = None


def parse(text: str) -> GateExpression:
    """Parse the value of `--gate`.

    Raises:
        UsageError: it cannot be parsed; one line with the mistake and the grammar.
    """

    def refuse(why: str) -> UsageError:
        return UsageError(f"--gate {text!r}: {why}")

    bare = text.strip()
    found = _OP.search(bare)
    if found is None:
        raise refuse(f"no comparison with a limit: {GRAMMAR}")
    figure, limit = bare[: found.start()].strip(), _LIMIT.fullmatch(found[2].strip())
    of: Of = "all"
    inside = None
    name = figure
    if match := _WORST.fullmatch(figure):
        of, name = ("min" if match[1] == "min" else "max"), match[2].strip()
    elif match := _COHORT.fullmatch(figure):
        of, inside, name = "cohort", match[1].strip(), match[2]
        if not inside:
            raise refuse("cohort() names no column, as in cohort(job).accuracy>=0.85")
    elif not re.fullmatch(r"\w+", figure):
        raise refuse(f"{figure or 'nothing'!r} is no metric: {GRAMMAR}")
    metric = canonical(name)
    if metric not in GREATER_IS_BETTER:
        raise refuse(f"{name!r} is no metric: {hint(name, GREATER_IS_BETTER, there='there are')}")
    if metric == "ece" and of != "all":
        raise refuse("ece is of all rows together: of few rows it is mostly chance")
    if limit is None or (limit[1] is None and limit[3] is None) or bool(limit[2]) != bool(limit[1] and limit[3]):
        raise refuse(f"{found[2].strip()!r} is no limit: {GRAMMAR}")
    amount = float(limit[3] or 0) * (-1 if limit[2] == "-" else 1)
    if limit[4] or (abs(amount) > 1 and metric not in UNBOUNDED):
        raise refuse(f"metrics are fractions: {abs(amount) / 100:g}")
    if limit[1] and of != "all":
        raise refuse("a limit relative to the base is for all rows, as in AUC>=base-0.002")
    if limit[1] and metric == "ece":
        raise refuse("ece has a limit of its own, as in ece<0.02")
    return GateExpression(
        expression=bare, of=of, inside=inside, metric=metric, op=found[1], limit=amount, base=bool(limit[1])
    )


def check(gates: Iterable[GateExpression], label: Label, columns: Sequence[str], *, base: bool) -> tuple[str, ...]:
    """Refuse gates that this training cannot judge.

    Args:
        columns: columns of the model.
        base: whether there is a base.

    Returns:
        The columns that gates name. Their cohorts are computed whatever `--cohorts` is.

    Raises:
        UsageError: the task has no such metric, the model no such column, or there is no base.
    """
    known = [*names_of(label.task)]
    known += {"binary": ["accuracy_at_threshold", "ece"], "multiclass": ["ece"], "regression": []}[label.task]
    named = []
    for gate in gates:
        where = f"--gate {gate.expression!r}"
        if gate.metric not in known:
            kind = "a regression" if label.task == "regression" else "a classification"
            raise UsageError(
                f"{where}: {gate.metric} is not measured of {kind} of this kind (known: {', '.join(known)})"
            )
        if gate.base and not base:
            raise UsageError(f"{where}: there is no base: name the model that is in use with --base DIR")
        if gate.inside is not None:
            named.append(_column(gate.inside, columns, where)[0])
    return tuple(dict.fromkeys(named))


def judge(gate: GateExpression, evidence: Evidence) -> Gate:
    """Judge a gate."""
    if gate.base:
        return _against_base(gate, evidence)
    if gate.metric == "ece":
        figure = None if evidence.ece is None else Figure(value=evidence.ece)
        return _verdict(gate, figure, len(evidence.rows.y))
    if gate.of == "all":
        figure = intervals.figure(gate.metric, evidence.rows, groups=evidence.groups)
        return _verdict(gate, figure, len(evidence.rows.y))
    return _of_cohorts(gate, evidence)


def judge_figure(gate: GateExpression, figures: Mapping[str, Figure], rows: int) -> Gate:
    """Judge a gate on all rows by metrics that were measured elsewhere.

    Args:
        figures: by metric.
        rows: number of rows that the figures are computed from.
    """
    return _verdict(gate, figures.get(gate.metric), rows)


def _of_cohorts(gate: GateExpression, evidence: Evidence) -> Gate:
    """Judge the worst of the cohorts that the gate is about, or the one that it names."""
    found = [cut for cut in evidence.cuts if len(cut.columns) == 1]
    named = None
    if gate.inside is not None:
        columns = sorted({cut.columns[0] for cut in evidence.cuts})
        column, named = _split(gate.inside, columns)
        found = [cut for cut in found if cut.columns == (column,) and named in (None, cut.value)]
        if named is not None and not found:
            return _not_judged(gate, f"no value or range of {column} that is shown is {named}")
    enough = [cut for cut in found if len(cut.rows) >= LEAST_ROWS]
    measured = []
    for cut in enough:
        groups = None if evidence.groups is None else evidence.groups[cut.rows]
        figure = intervals.figure(gate.metric, evidence.rows[cut.rows], groups=groups)
        if figure is not None:
            measured.append((figure, cut))
    if not measured:
        least = f"of the {plural(len(found), 'value')} none has {LEAST_ROWS} rows that define {gate.metric}"
        return _not_judged(
            gate, least if found else "there is no cohort", rows=max((len(c.rows) for c in found), default=0)
        )
    lowest = gate.of == "min" or (gate.of == "cohort" and GREATER_IS_BETTER[gate.metric])
    figure, cut = sorted(measured, key=lambda pair: pair[0].value if lowest else -pair[0].value)[0]
    return _verdict(gate, figure, len(cut.rows), f"{cut.where}: ")


def _against_base(gate: GateExpression, evidence: Evidence) -> Gate:
    """Judge a gate against the base, paired."""
    if evidence.shared is None:
        return _not_judged(gate, "there is no base")
    new, old = evidence.shared
    rows = len(new.y)
    if rows < LEAST_SHARED:
        why = f"{plural(rows, 'row')} that neither model was trained on, and {LEAST_SHARED} are needed"
        return _not_judged(gate, why, rows)
    apart = intervals.difference(gate.metric, new, old, groups=evidence.shared_groups)
    if apart is None:
        return _not_judged(gate, f"these rows do not define {gate.metric}", rows)
    theirs = old.of(gate.metric)[0]
    # The interval is that of the difference, moved to the base's value, which counts as exact.
    ci95 = None if apart.ci95 is None else (theirs + apart.ci95[0], theirs + apart.ci95[1])
    return _verdict(gate, Figure(value=theirs + apart.value, ci95=ci95), rows, wanted=theirs + gate.limit)


def _verdict(
    gate: GateExpression, figure: Figure | None, rows: int, where: str = "", wanted: float | None = None
) -> Gate:
    """Compare a metric with the limit."""
    if figure is None:
        return _not_judged(gate, f"{plural(rows, 'row')}, which do not define {gate.metric}", rows)
    limit = gate.limit if wanted is None else wanted
    passed = gate.met(figure.value, limit)
    reason = f"{where}{gate.metric} is {figure.value:.4g} of {plural(rows, 'row')}, not {gate.op} {limit:.4g}"
    return Gate(
        expression=gate.expression,
        state="passed" if passed else "missed",
        observed=figure.value,
        ci95=figure.ci95,
        wanted=limit,
        rows=rows,
        reason=None if passed else reason,
    )


def _not_judged(gate: GateExpression, why: str, rows: int | None = None) -> Gate:
    return Gate(
        expression=gate.expression,
        state="not judged",
        observed=None,
        ci95=None,
        wanted=None if gate.base else gate.limit,
        rows=rows,
        reason=f"cannot be judged: {why}",
    )


def _split(inside: str, columns: Sequence[str]) -> tuple[str, str | None]:
    """Split COLUMN=VALUE; a column may have = in its name."""
    if inside in columns:
        return inside, None
    for at in (place for place, letter in enumerate(inside) if letter == "="):
        column = inside[:at].strip()
        if column in columns:
            return column, inside[at + 1 :].strip()
    return inside.partition("=")[0].strip(), None


def _column(inside: str, columns: Sequence[str], where: str) -> tuple[str, str | None]:
    """Split COLUMN=VALUE, and refuse a column that the model does not have."""
    column, value = _split(inside, columns)
    if column not in columns:
        raise UsageError(f"{where}: {column!r} is no column of the model: {hint(column, columns)}")
    return column, value
