"""Results without a page of their own, as sheets and as texts: a verdict, a contract, predictions, reports."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from epkit.core.contract.columns import Column, RowSpec
from epkit.core.contract.contract import ParsedContract
from epkit.core.contract.rows import rows_of
from epkit.core.http.masking import clean
from epkit.core.json.writing import dumps
from epkit.core.report.report import Report
from epkit.core.report.wording import plural
from epkit.core.score.scored import ScoreResult
from epkit.core.shortening import cut
from epkit.core.validate.checked import CheckedFile, Validation, in_rows, printable
from epkit.core.validate.violations import Verdict, Violation
from epkit.reporters import score_text
from epkit.reporters.parts import page
from epkit.reporters.parts.page import Sheet
from epkit.reporters.parts.verdict import VerdictLine
from epkit.reporters.run import repeats
from epkit.reporters.validation import text as validation

SHOWN_ROWS: Final = 10
"""Greatest number of rows of predictions that are shown."""

SHOWN: Final = 200
"""Greatest number of rows of any other table."""


def of_verdict(verdict: Verdict) -> Sheet:
    """Show the findings of a check."""
    said = VerdictLine(text=validation.summary(verdict), bad=not verdict.valid)
    rows = [_violation(violation) for violation in verdict.violations[:SHOWN]]
    table = page.table(["where", "rule", "found", "what to do", "rows"], rows, prose=(2, 3), lists=(1,))
    more = verdict.kinds - len(rows)
    return Sheet(
        title="epkit validate",
        first=[
            page.verdict([said], [f"{plural(more, 'more kind')} of violation not shown"] if more > 0 else []),
            *([page.section("Violations", table, wide=True)] if rows else []),
        ],
    )


def _violation(violation: Violation) -> tuple[str, ...]:
    where = violation.pointer or "/"
    if violation.line is not None:
        column = "" if violation.column is None else f":{violation.column}"
        where += f" ({violation.line}{column})"
    warning = "warning: " if violation.severity == "warning" else ""
    rows = in_rows(violation).strip(" ()")
    return printable(where), violation.rule, f"{warning}{violation.message}", violation.hint or "", rows


def verdict_text(verdict: Verdict) -> str:
    """Write the findings of a check like `epkit validate`."""
    return validation.render(Validation(schema="", files=(CheckedFile(file="payload", verdict=verdict),)))


def of_contract(contract: ParsedContract) -> Sheet:
    """Show the requirements of a contract: the operation, and the columns of its rows."""
    rows = rows_of(contract)
    title = f"{contract.method} {contract.path}"
    first = [f"<h1>{page.said(title)}</h1>", page.note(_about(contract, rows))]
    if rows is not None and rows.columns:
        heads = ["column", "kind", "", "example"]
        first.append(
            page.section("Columns", page.table(heads, _columns(contract, rows), prose=(3,), lists=(1, 2)), wide=True)
        )
    example = [] if contract.example is None else [page.section("Example", _pre(_json(contract.example, 2000)))]
    return Sheet(title=f"epkit: {title}", first=first, rest=example)


def contract_text(contract: ParsedContract) -> str:
    """Write the requirements of a contract."""
    rows = rows_of(contract)
    lines = [f"{clean(contract.method)} {clean(contract.path)}", _about(contract, rows)]
    if rows is not None:
        found = list(_columns(contract, rows))
        width = max((len(name) for name, *_ in found), default=0)
        lines += [f"  {name:<{width}}  {kind}{f', {needed}' if needed else ''}" for name, kind, needed, _ in found]
    return "\n".join(lines) + "\n"


def _about(contract: ParsedContract, rows: RowSpec | None) -> str:
    kind = "Swagger" if contract.version.startswith("2") else "OpenAPI"
    about = f"{kind} {contract.version}" + (f", {clean(contract.source, 200)}" if contract.source else "")
    if contract.media is not None:
        return f"{about}; the body is {clean(contract.media, 100)}"
    if rows is None:
        return f"{about}; it says nothing of rows"
    place = "/".join(rows.path)
    return f"{about}; rows as {rows.form}" + (f" at {clean(place, 200)}" if place else "")


def _columns(contract: ParsedContract, rows: RowSpec) -> Iterator[tuple[str, str, str, str]]:
    example = _first_row(contract.example, rows.path)
    for name, column in list(rows.columns.items())[:SHOWN]:
        needed = "required" if name in rows.required else ""
        shown = _json(example[name], 60) if name in example else ""
        yield clean(name, 100), _kind(column), needed, shown
    if len(rows.columns) > SHOWN:
        yield f"and {len(rows.columns) - SHOWN} more", "", "", ""


def _kind(column: Column) -> str:
    kind = f"{column.kind or 'any'}{f' ({column.format})' if column.format else ''}"
    return clean(f"{kind} or null" if column.nullable else kind, 100)


def _first_row(example: Any, path: Sequence[str]) -> Mapping[str, Any]:
    for key in path:
        example = example.get(key) if isinstance(example, Mapping) else None
    row = example[0] if isinstance(example, list) and example else example
    return row if isinstance(row, Mapping) else {}


Failures = Sequence[tuple[int, str, str]]
"""Rows without a prediction: number, reason, text of the reply."""


def of_predictions(predictions: Sequence[Any], count: int, failures: Failures, summary: ScoreResult) -> Sheet:
    """Show predictions.

    Args:
        predictions: the first predictions; None for a row without one.
        count: number of all predictions.
    """
    said = []
    if summary.stopped_by is not None:
        said.append(VerdictLine(text=f"interrupted after {score_text.rows(summary)}", bad=True))
    elif summary.failed_rows:
        said.append(VerdictLine(text=f"{summary.failed_rows:,} of {plural(summary.rows, 'row')} failed", bad=True))
    rows = [(str(row), "–" if value is None else _json(value, 120)) for row, value in enumerate(predictions)]
    more = [page.note(f"and {count - len(rows):,} more")] if count > len(rows) else []
    lost = page.table(["row", "reason", "what the endpoint said"], _lost(failures), prose=(2,))
    return Sheet(
        title=f"epkit score: {summary.target}",
        first=[
            page.verdict(said),
            page.tiles(_tiles(summary)),
            page.section("Predictions", page.table(["row", "prediction"], rows, prose=(1,)), *more),
            *([page.section("Rows without a prediction", lost, wide=True)] if failures else []),
        ],
    )


def predictions_text(predictions: Sequence[Any], count: int, summary: ScoreResult) -> str:
    """Write the first predictions, and the result of the job; see `of_predictions`."""
    more = f"and {count - len(predictions):,} more\n" if count > len(predictions) else ""
    table = score_text.table(list(enumerate(predictions))) if predictions else ""
    stopped = "" if summary.stopped_by is None else "interrupted: these are not all rows\n"
    return table + more + stopped + "\n".join(score_text.summary(summary))


def _lost(failures: Failures) -> Iterator[tuple[str, str, str]]:
    yield from ((f"{row:,}", reason, detail) for row, reason, detail in failures[:SHOWN_ROWS])
    if len(failures) > SHOWN_ROWS:
        yield f"and {len(failures) - SHOWN_ROWS:,} more", "", ""


def _tiles(summary: ScoreResult) -> Iterator[tuple[str, str]]:
    yield f"{summary.rows:,}", "rows"
    yield f"{summary.failed_rows:,}", "failed"
    if summary.seconds > 0:
        yield f"{(summary.rows - summary.before) / summary.seconds:,.0f}/s", "rows"
    yield f"{summary.requests:,}", f"requests, {summary.retries:,} of them again" if summary.retries else "requests"
    if summary.service.count:
        for p in score_text.PERCENTILES:
            yield f"{summary.service.percentile(Fraction(p)) / 1e6:,.4g} ms", f"p{p} of a request"


def of_reports(reports: Sequence[Report]) -> Sheet:
    """Show reports, one per line."""
    rows = [
        (f"{place}", report.run.target, report.run.started_at, *cells, "" if report.validity.valid else "not valid")
        for place, report in enumerate(reports[:SHOWN])
        for cells in [repeats.cells(report)]
    ]
    heads = ["", "target", "started", *repeats.COLUMNS, ""]
    more = [page.note(f"and {len(reports) - SHOWN:,} more")] if len(reports) > SHOWN else []
    table = page.section(plural(len(reports), "report"), page.table(heads, rows, lists=(1, 2)), *more, wide=True)
    return Sheet(title="epkit report", first=[table])


def _json(value: Any, most: int) -> str:
    text = value if isinstance(value, str) else dumps(value).decode("utf-8", "replace")
    return clean(cut(text, most), most)


def _pre(text: str) -> str:
    return f'<p style="font-family:var(--jp-code-font-family,monospace)">{page.said(text)}</p>'
