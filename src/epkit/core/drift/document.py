"""The result of a search for drift as a JSON document, and its schema."""

from typing import Any, Final

from epkit.core.drift.report import FORMAT, DriftReport
from epkit.core.json.documents import DocumentFormat

DRIFTS: Final = DocumentFormat(FORMAT, DriftReport)


def to_document(report: DriftReport) -> dict[str, Any]:
    """Turn a report into plain dicts, lists, strings and finite numbers."""
    return DRIFTS.to_document(report)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, strict: every key is required and no other is allowed."""
    return DRIFTS.schema()
