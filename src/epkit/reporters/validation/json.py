"""A validation as the document `epkit.validation/1`."""

from typing import Any

from epkit.core.json import writing
from epkit.core.validate.checked import CheckedFile, Validation, in_rows, printable
from epkit.core.validate.violations import Violation


def render(validation: Validation) -> str:
    """Write the document, indented, with a final line break."""
    return writing.document(document(validation), indent=1)


def document(validation: Validation) -> dict[str, Any]:
    """Make the document of plain values."""
    return {
        "format": "epkit.validation/1",
        "schema": printable(validation.schema),
        "files": [_file(checked) for checked in validation.files],
    }


def _file(checked: CheckedFile) -> dict[str, Any]:
    verdict = checked.verdict
    return {
        "file": printable(checked.file),
        "valid": verdict.valid,
        "total": verdict.errors + verdict.warnings,
        "violations": [_violation(violation) for violation in verdict.violations],
    }


def _violation(violation: Violation) -> dict[str, Any]:
    return {
        "pointer": printable(violation.pointer),
        "rule": violation.rule,
        "message": printable(f"{violation.message}{in_rows(violation) if violation.rows > 1 else ''}"),
        "hint": None if violation.hint is None else printable(violation.hint),
        "severity": violation.severity,
        "row": violation.row,
        "rows": violation.rows,
        "line": violation.line,
        "column": violation.column,
    }
