"""The plan of a training as text, for `--dry-run`."""

from collections.abc import Iterable, Sequence

from epkit.core.train.plan import Candidate
from epkit.core.train.report import ColumnInfo, DataInfo
from epkit.reporters.train import words

SHOWN = 12
"""Greatest number of runs that are listed."""


def render(data: DataInfo, runs: Sequence[Candidate], warnings: Iterable[str]) -> str:
    """Return the columns, the runs and the warnings as text."""
    counts = ", ".join(f"{words.name(label)} {count:,}" for label, count in list(data.classes.items())[:8])
    what = f"{words.name(data.label)} is predicted: {data.task}{f' ({counts})' if counts else ''}"
    lines = [
        f"{data.path}: {data.rows:,} rows, {data.test_rows:,} of them for the test; {what}",
        "",
        *(_column(column) for column in data.columns),
        "",
        f"{len(runs)} runs:",
        *(f"  {run.run:>3} {run.family:<7} {_parameters(run)}" for run in runs[:SHOWN]),
    ]
    if len(runs) > SHOWN:
        lines.append(f"  and {len(runs) - SHOWN} more")
    lines += [f"warning: {warning}" for warning in warnings]
    return "\n".join([*lines, "", "No model was trained."]) + "\n"


def _column(column: ColumnInfo) -> str:
    missing = f", {column.missing:,} missing" if column.missing else ""
    return f"  {words.name(column.name):<24} {column.kind}, {column.distinct:,} values{missing}"


def _parameters(run: Candidate) -> str:
    return ", ".join(f"{name} {value}" for name, value in run.parameters.items())
