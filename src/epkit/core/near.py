"""Suggests the known name that is nearest to an unknown one."""

from collections.abc import Iterable
from typing import Final

from epkit.core.shortening import cut
from epkit.errors import UsageError

LONGEST: Final = 100
"""Characters of a word that a similar one is looked for: `difflib` takes time by the square of them."""

SHORTEST: Final = 3
"""Characters of a word from which on another one may be meant: of a flag of a letter any other one is like it."""

LISTED: Final = 200
"""Characters of a list of all names."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the name that a word is probably a slip for: by its letters in any case, as its only beginning, or alike.

    Args:
        known: names; of two that are equally near the first is taken.
    """
    by_lower: dict[str, str] = {}
    for name in known:
        if len(name) <= LONGEST:
            by_lower.setdefault(name.lower(), name)
    lower = word.lower()
    if len(word) > LONGEST:
        return None
    if lower in by_lower:
        return by_lower[lower]
    begun = [name for name in by_lower if len(lower) > 2 and name.startswith(lower)]
    if len(begun) == 1:
        return by_lower[begun[0]]
    from difflib import get_close_matches  # only on the way to an error

    near = get_close_matches(lower, by_lower, n=1)
    return by_lower[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` where one of the names is near, else nothing."""
    near = nearest(word, known)
    return "" if near is None else f'; did you mean "{near}"?'


def hint(word: str, known: Iterable[str], *, there: str = "it has") -> str:
    """Return `did you mean "…"?` where one of the names is near, else which there are, behind *there*."""
    names = tuple(known)
    near = nearest(word, names)
    return f"{there} {cut(', '.join(names), LISTED)}" if near is None else f'did you mean "{near}"?'


def not_one_of(flag: str, value: str, known: Iterable[str]) -> UsageError:
    """Make the error for a value that is none of those that a flag takes: which they are, and which was meant."""
    names = tuple(known)
    return UsageError(f"{flag} {cut(value, LONGEST)}: not one of {', '.join(names)}{suggestion(value, names)}")
