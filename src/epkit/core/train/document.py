"""The result of a training as the JSON document `train.json`, and its schema."""

from typing import Any, Final

from epkit.core.json.documents import DocumentFormat
from epkit.core.train.report import FORMAT, TrainReport

TRAININGS: Final = DocumentFormat(FORMAT, TrainReport)


def to_document(report: TrainReport) -> dict[str, Any]:
    """Turn a report into plain dicts, lists, strings and finite numbers.

    Raises:
        ValueError: a number is not finite.
    """
    return TRAININGS.to_document(report)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, strict: every key is required and no other is allowed."""
    return TRAININGS.schema()
