"""A validation as text: one line for each violation, then one for each file."""

from collections.abc import Iterator

from epkit.core.validate.checked import CheckedFile, Validation, in_words, printable
from epkit.core.validate.violations import Verdict, Violation


def render(validation: Validation) -> str:
    """Write each violation as `FILE:LINE:COL  POINTER  RULE  MESSAGE`, and each file's verdict."""
    return "".join(f"{line}\n" for checked in validation.files for line in _lines(checked))


def _lines(checked: CheckedFile) -> Iterator[str]:
    file = printable(checked.file)
    for violation in checked.verdict.violations:
        warning = "warning: " if violation.severity == "warning" else ""
        where = printable(violation.pointer) or "/"
        yield f"{file}{place(violation)}  {where}  {violation.rule}  {warning}{in_words(violation)}"
    if more := checked.verdict.kinds - len(checked.verdict.violations):
        yield f"{file}: {more:,} more {'kind' if more == 1 else 'kinds'} of violation not shown (--max-violations)"
    yield f"{file}: {summary(checked.verdict)}"


def place(violation: Violation) -> str:
    """Format the line and column of a violation, as `:3:7`; "" if it has none."""
    if violation.line is None:
        return ""
    return f":{violation.line}" if violation.column is None else f":{violation.line}:{violation.column}"


def summary(verdict: Verdict) -> str:
    """Return whether a payload is valid, and the number of its violations."""
    counts = [count(verdict.errors, "error"), count(verdict.warnings, "warning")]
    parts = ", ".join(count for count in counts if count)
    return f"{'valid' if verdict.valid else 'invalid'}{': ' if parts else ''}{parts}"


def count(number: int, noun: str) -> str:
    """Format a number with its noun; "" for none."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""
