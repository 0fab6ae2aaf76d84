"""A validation as small tables, for a comment on a pull request or the summary of a job."""

from collections.abc import Iterator
from typing import Final

from epkit.core.report.wording import plural
from epkit.core.validate.checked import CheckedFile, Validation, in_words, printable
from epkit.core.validate.violations import Verdict
from epkit.reporters.parts.markdown import code, escape
from epkit.reporters.validation.text import count, place

SHOWN: Final = 20
"""Greatest number of violations that are shown of a file."""

MOST: Final = 100
"""Greatest number of files whose violations are shown."""


def render(validation: Validation) -> str:
    """Render a validation as GitHub-flavoured Markdown: the verdict, the files that are not valid, their violations."""
    bad = [checked for checked in validation.files if not checked.verdict.valid]
    files = plural(len(validation.files), "file")
    lines = [f"### epkit validate: {f'{len(bad)} of {files} invalid' if bad else f'{files} valid'}", ""]
    warned = [each for each in validation.files if each.verdict.valid and each.verdict.warnings]
    for checked in (*bad, *warned)[:MOST]:
        lines += _file(checked)
    if (more := len(bad) + len(warned) - MOST) > 0:
        lines += [f"{plural(more, 'more file')} with violations.", ""]
    lines.append(f"contract: `{code(printable(validation.schema))}`")
    return "\n".join(lines) + "\n"


def _file(checked: CheckedFile) -> Iterator[str]:
    verdict = checked.verdict
    yield f"`{code(printable(checked.file))}`: {_counts(verdict)}"
    yield ""
    if not verdict.violations:
        return
    yield "| place | in the payload | rule | |"
    yield "|---|---|---|---|"
    for violation in verdict.violations[:SHOWN]:
        warning = "warning: " if violation.severity == "warning" else ""
        cells = (printable(violation.pointer) or "/", violation.rule, f"{warning}{in_words(violation)}")
        yield f"| {place(violation).removeprefix(':')} | {' | '.join(map(escape, cells))} |"
    yield ""
    if (more := verdict.kinds - len(verdict.violations[:SHOWN])) > 0:
        yield f"{plural(more, 'more kind')} of violation."
        yield ""


def _counts(verdict: Verdict) -> str:
    return ", ".join(filter(None, (count(verdict.errors, "error"), count(verdict.warnings, "warning"))))
