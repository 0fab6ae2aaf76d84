"""Collects violations of a payload: equal ones are reported once, with their number of rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from typing import Final, Literal

from epkit.core.contract.schemas import escape
from epkit.core.display import Displayed

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]
Place = tuple[str | int | None, ...]
Hint = str | None | Callable[[], str | None]
"""Advice. A function if the advice takes time to find: it is called only for violations that are reported."""

FIRST_ROWS: Final = 5
"""Greatest number of row numbers that are shown for one violation."""

MAX_KINDS: Final = 10_000
"""Greatest number of different violations that are kept; further ones are only counted, each as a different one."""

_CANDIDATES: Final = 1_000
"""Greatest number of names that a misspelt name is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One fault, with all rows that have it.

    Args:
        pointer: JSON pointer (RFC 6901) to the first place; "" is the whole body.
        rule: the JSON Schema keyword that is broken, or a short name of the server's objection.
        message: what was found and what was expected; no row numbers.
        hint: what to do, or None.
        row: number of the first row that has it, from 0; None if it is not in a row.
        rows: number of rows that have it; 0 if *row* is None.
        first_rows: numbers of the first of these rows, at most `FIRST_ROWS`.
        line, column: the first place in the text, from 1; None if there is no text.
    """

    pointer: str
    rule: str
    message: str
    severity: Severity
    hint: str | None = None
    row: int | None = None
    rows: int = 0
    first_rows: tuple[int, ...] = ()
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Displayed):
    """The result of a check.

    Args:
        violations: errors before warnings, each group in the order of the check; the list may be shortened.
        errors, warnings: total numbers; each row counts.
        kinds: number of different violations, with those that the shortened list lacks.
    """

    violations: tuple[Violation, ...] = ()
    errors: int = 0
    warnings: int = 0
    kinds: int = 0

    @property
    def valid(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def strict(self) -> "Verdict":
        """Return the verdict with each warning an error."""
        violations = tuple(replace(violation, severity="error") for violation in self.violations)
        return replace(self, violations=violations, errors=self.errors + self.warnings, warnings=0)


@dataclass(slots=True, kw_only=True)
class Finding:
    """A violation while it is collected: its path is not written as a pointer yet, and its rows are not listed yet."""

    rule: str
    path: Path
    message: str
    severity: Severity
    hint: Hint
    rows: list[int]
    count: int
    at_key: bool


Places = Callable[[Finding], tuple[int | None, int | None]]
"""Returns line and column of a finding, from 1. A table knows them by row and column; a JSON text is scanned."""


class Findings:
    """Collects violations; a rule that is broken at the same place of many rows is one finding."""

    def __init__(self) -> None:
        self._groups: dict[tuple[object, ...], Finding] = {}
        self.errors = 0
        self.warnings = 0
        self.beyond = 0

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(
        self,
        rule: str,
        path: Path,
        message: str,
        *,
        severity: Severity = "error",
        hint: Hint = None,
        rows: Sequence[int] = (),
        count: int | None = None,
        place: Place | None = None,
        at_key: bool = False,
    ) -> None:
        """Note a violation.

        Args:
            path: path of the first place.
            rows: numbers of the rows, ascending; empty if it is in no row.
            count: number of all rows, if *rows* are only the first of them.
            place: violations of one *rule* with the same place are one finding; the path by default.
            at_key: point at the key in the text, not at the value.
        """
        count = count or len(rows) or 1
        if severity == "error":
            self.errors += count
        else:
            self.warnings += count
        key = (severity, rule, path if place is None else place)
        if (known := self._groups.get(key)) is None:
            if len(self._groups) >= MAX_KINDS:
                self.beyond += 1
                return
            self._groups[key] = Finding(
                rule=rule,
                path=path,
                message=message,
                severity=severity,
                hint=hint,
                rows=list(rows[:FIRST_ROWS]),
                count=count,
                at_key=at_key,
            )
        else:
            known.count += count
            if rows and (len(known.rows) < FIRST_ROWS or rows[0] < known.rows[-1]):
                known.rows = sorted([*known.rows, *rows[:FIRST_ROWS]])[:FIRST_ROWS]

    def take(self, others: "Findings", place: Callable[[Path], Path], *, alone: bool = False) -> None:
        """Take over the findings in rows that are written in another form.

        Args:
            place: converts a path in a list of rows into the path in the body.
            alone: the only row is the body itself, so its number means nothing.
        """
        for key, found in others._groups.items():  # noqa: SLF001 - the same class
            self._groups.setdefault(key, replace(found, path=place(found.path), rows=[] if alone else found.rows))
        self.errors += others.errors
        self.warnings += others.warnings
        self.beyond += others.beyond

    def in_order(self) -> list[Finding]:
        """Return the findings: errors before warnings, each in the order in which they were added."""
        return sorted(self._groups.values(), key=lambda finding: finding.severity)


def verdict(findings: Findings, *, limit: int, places: Places | None = None) -> Verdict:
    """Make the verdict from the findings.

    Args:
        limit: greatest number of violations in it.
        places: finds the places in the text; None if there is no text.
    """
    ordered = findings.in_order()
    violations = []
    for finding in ordered[:limit]:
        line, column = places(finding) if places else (None, None)
        violations.append(
            Violation(
                pointer=pointer(finding.path),
                rule=finding.rule,
                message=finding.message,
                severity=finding.severity,
                hint=finding.hint() if callable(finding.hint) else finding.hint,
                row=finding.rows[0] if finding.rows else None,
                rows=finding.count if finding.rows else 0,
                first_rows=tuple(finding.rows),
                line=line,
                column=column,
            )
        )
    return Verdict(
        violations=tuple(violations),
        errors=findings.errors,
        warnings=findings.warnings,
        kinds=len(ordered) + findings.beyond,
    )


def pointer(path: Iterable[str | int]) -> str:
    """Write a path as a JSON pointer."""
    return "".join(f"/{escape(step)}" for step in path)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Find the name that was probably meant: equal except for case, or very similar."""
    known = [candidate for candidate in islice(names, _CANDIDATES) if isinstance(candidate, str)]
    folded = {_folded(candidate): candidate for candidate in reversed(known)}
    if (same := folded.get(_folded(name))) is not None:
        return same
    close = get_close_matches(_folded(name[:200]), folded, n=1, cutoff=0.65)
    return folded[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str], *, there: bool = False) -> Hint:
    """Make the hint for a name that is unknown or missing.

    Args:
        names: the names that may be meant.
        there: *names* were found, and *name* was expected.
    """

    def hint() -> str | None:
        near = nearest(name, names)
        if near is None:
            return None
        return f'there is "{near}": did you mean "{name}"?' if there else f'did you mean "{near}"?'

    return hint


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum()) or name
