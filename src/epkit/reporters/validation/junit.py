"""A validation as JUnit XML: a test case for each file; its errors are one failure."""

from epkit.core.validate.checked import CheckedFile, Validation, in_words, printable
from epkit.core.validate.violations import Severity, Verdict
from epkit.reporters.parts import xml


def render(validation: Validation) -> str:
    """Write the document; warnings are output of their case, not failures."""
    cases = "".join(map(_case, validation.files))
    failures = sum(not checked.verdict.valid for checked in validation.files)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="epkit validate" tests="{len(validation.files)}" failures="{failures}">\n'
        f' <testsuite name={_attribute(validation.schema)} tests="{len(validation.files)}" failures="{failures}"'
        ' errors="0" skipped="0">\n'
        f"{cases} </testsuite>\n</testsuites>\n"
    )


def _case(checked: CheckedFile) -> str:
    verdict = checked.verdict
    parts = []
    if not verdict.valid:
        first = next(v for v in verdict.violations if v.severity == "error") if verdict.violations else None
        message = _attribute(in_words(first) if first else f"{verdict.errors:,} errors")
        parts.append(f'   <failure type="contract" message={message}>{_list(verdict, "error")}</failure>\n')
    if verdict.warnings:
        parts.append(f"   <system-out>{_list(verdict, 'warning')}</system-out>\n")
    head = f'  <testcase classname="epkit.validate" name={_attribute(checked.file)}'
    return f"{head}>\n{''.join(parts)}  </testcase>\n" if parts else f"{head}/>\n"


def _list(verdict: Verdict, severity: Severity) -> str:
    lines = [
        f"{f'{v.line}:{v.column} ' if v.line else ''}{printable(v.pointer) or '/'} {v.rule}: {in_words(v)}"
        for v in verdict.violations
        if v.severity == severity
    ]
    return xml.text("\n".join(lines))


def _attribute(text: str) -> str:
    return xml.attribute(printable(text))
