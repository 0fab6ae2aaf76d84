"""A validation as SARIF 2.1.0, which code hosts show next to the lines of a file."""

from typing import Any
from urllib.parse import quote

from epkit.core.json import writing
from epkit.core.validate.checked import Validation, in_words, printable
from epkit.core.validate.violations import Violation


def render(validation: Validation, *, version: str) -> str:
    """Write the document, indented, with a final line break.

    Args:
        version: epkit's version.

    Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
    """
    rules = sorted({violation.rule for checked in validation.files for violation in checked.verdict.violations})
    results = [
        _result(checked.file, violation, rules)
        for checked in validation.files
        for violation in checked.verdict.violations
    ]
    driver = {"name": "epkit", "version": version, "rules": [{"id": rule} for rule in rules]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return writing.document(document, indent=1)


def _result(file: str, violation: Violation, rules: list[str]) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(printable(file))}}
    if violation.line is not None:
        physical["region"] = {"startLine": violation.line}
        if violation.column is not None:
            physical["region"]["startColumn"] = violation.column
    pointer = printable(violation.pointer) or "/"
    return {
        "ruleId": violation.rule,
        "ruleIndex": rules.index(violation.rule),
        "level": violation.severity,
        "message": {"text": in_words(violation)},
        "locations": [{"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": pointer}]}],
    }
