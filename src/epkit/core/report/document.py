"""The report as a JSON document, back again, and the schema of it.

Caveats are two arrays of one length: their texts, which is all that there was at first, and their kinds. A reader of
the texts alone goes on as before, and the caveats of a document without kinds get theirs from `kind_before_kinds`.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from epkit.core.json.documents import DocumentFormat, wanted
from epkit.core.report.caveats import CaveatKind, kind_before_kinds
from epkit.core.report.report import FORMAT, Report
from epkit.core.samples.rows import FAILURES
from epkit.core.stats.distribution import PERCENTILES

Part = TypeVar("Part")

KEYS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("Distribution", "percentiles"): PERCENTILES,
    ("Distribution", "ci95"): (*PERCENTILES, "mean"),
    ("Counts", "failures"): tuple(kind.name.lower() for kind in FAILURES),
    ("Generator", "lag_ms"): ("p50", "p99", "max"),
    ("WorkerInfo", "lag_ms"): ("p50", "p99", "max"),
}
"""The mappings that have the same keys in every report."""

INFINITE: Final[Mapping[str, tuple[str, ...]]] = {
    "Threshold": ("observed",),
    "Distribution": ("min", "mean", "sd", "median", "max", "percentiles"),
}
"""What may be infinite (latencies of failures, where those are counted so), which JSON writes as null."""

CAVEATS: Final[Mapping[str, tuple[str, str]]] = {
    "Report": ("warnings", "warning_kinds"),
    "Validity": ("reasons", "reason_kinds"),
}
"""The field of a class that holds caveats, which is the key of their texts, and the key of their kinds."""


class _ReportFormat(DocumentFormat[Report]):
    """Reports, whose caveats are two arrays."""

    def hints(self, kind: type) -> dict[str, Any]:
        hints = super().hints(kind)
        if names := CAVEATS.get(kind.__name__):
            hints |= {names[0]: tuple[str, ...], names[1]: tuple[CaveatKind, ...]}
        return hints

    def write(self, kind: type, found: dict[str, Any]) -> None:
        if names := CAVEATS.get(kind.__name__):
            caveats = found[names[0]]
            found[names[0]] = [caveat.text for caveat in caveats]
            found[names[1]] = [caveat.kind.value for caveat in caveats]

    def read(self, kind: type, given: dict[str, Any]) -> None:
        texts, kinds = CAVEATS.get(kind.__name__, ("", ""))
        if texts in given:
            said = wanted(given[texts], list | tuple, "an array")
            named = given.pop(kinds, None)
            if named is None:  # an old document
                named = [kind_before_kinds(text) for text in said]
            pairs = zip(said, wanted(named, list | tuple, "an array"), strict=True)
            given[texts] = [{"text": text, "kind": kind} for text, kind in pairs]


_REPORTS: Final = _ReportFormat(FORMAT, Report, keys=KEYS, infinite=INFINITE)


def to_document(report: Report) -> dict[str, Any]:
    """Turn a report into plain dicts, lists, strings and finite numbers.

    Raises:
        ValueError: a number is not finite, where it should be.
    """
    return _REPORTS.to_document(report)


def from_document(document: Mapping[str, Any]) -> Report:
    """Make the report again: `from_document(to_document(report)) == report`.

    Args:
        document: as `to_document` makes it, or as it was read from JSON.

    Raises:
        ValueError: it is of another format, or not of the shape of the schema.
    """
    report = _REPORTS.from_document(document)
    counts = report.counts
    if min(counts.ok, counts.failed) < 0 or counts.sent != counts.ok + counts.failed:
        raise ValueError(
            f"counts: {counts.sent} requests are not {counts.ok} that succeeded and {counts.failed} that failed"
        )
    return report


def from_plain(kind: type[Part], value: Any) -> Part:
    """Make a part of a report again.

    Raises:
        ValueError: it is not of that shape.
    """
    made: Part = _REPORTS.from_plain(kind, value)
    return made


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, strict: every key is required and no other is allowed."""
    return _REPORTS.schema()


def to_plain(value: Any) -> Any:
    """Turn a part of a report into what JSON knows, as `to_document` does the whole."""
    return _REPORTS.to_plain(value)
