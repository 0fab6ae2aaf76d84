"""The slowest requests of a run: a table of the page, and a line of the text."""

from collections.abc import Sequence

from epkit.core.report.report import Report
from epkit.reporters.parts.layout import LABEL


def section(report: Report) -> str:
    """Lay out the table; empty if no request succeeded."""
    found = report.slowest
    if not found:
        return ""
    from epkit.reporters.parts import page  # the text does not need it

    phased = any(request.phase is not None for request in found)
    named = any(request.id is not None for request in found)
    heads = ["service (ms)", "started (s)", "status", *["phase"] * phased, *["id"] * named]
    rows = [
        (
            f"{request.service:.3f}",
            f"{request.start_s:.3f}",
            str(request.status),
            *[request.phase or ""] * phased,
            *[request.id or ""] * named,
        )
        for request in found
    ]
    sent = report.run.request_ids
    words = "The id is the value of the header {}; epkit logs show NAME --request ID finds it."
    notes = [] if sent is None else [page.note(words.format(sent.header))]
    return page.section("The slowest requests", page.table(heads, rows), *notes, wide=True)


def lines(report: Report) -> Sequence[str]:
    """Name the slowest request, if requests had ids."""
    if report.run.request_ids is None or not report.slowest:
        return []
    slowest = report.slowest[0]
    return [
        f"{'Slowest request:':<{LABEL}}{slowest.service:.3f} ms, started after {slowest.start_s:.3f} s",
        f"{'':{LABEL}}{slowest.id}",
    ]
