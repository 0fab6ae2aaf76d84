"""Files that were checked, as input for the reporters of `epkit validate`."""

from dataclasses import dataclass

from epkit.core.validate.violations import Verdict, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """One file, and the verdict on it.

    Args:
        file: its name as the user wrote it.
    """

    file: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The findings of one call of `epkit validate`.

    Args:
        schema: the contract's source, in a form that may be shown.
    """

    schema: str
    files: tuple[CheckedFile, ...]

    @property
    def valid(self) -> bool:
        """Whether no file has an error."""
        return all(checked.verdict.valid for checked in self.files)


def in_words(violation: Violation) -> str:
    """Return a violation as one line: message, hint, rows."""
    hint = f": {violation.hint}" if violation.hint else ""
    return printable(f"{violation.message}{hint}{in_rows(violation)}")


def printable(text: str) -> str:
    """Make a text safe for a terminal and for UTF-8: control characters and half surrogates become escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def in_rows(violation: Violation) -> str:
    """Return the rows that have a violation as text: their number and the first ones; empty if there are none."""
    if violation.row is None:
        return ""
    if violation.rows == 1:
        return f" (row {violation.row})"
    first = ", ".join(map(str, violation.first_rows))
    more = ", …" if violation.rows > len(violation.first_rows) else ""
    return f" ({violation.rows:,} rows: {first}{more})"
