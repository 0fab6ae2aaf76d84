"""Suggests the known name that is nearest to an unknown one."""

from collections.abc import Iterable
from typing import Final

from epkit.core.shortening import cut
from epkit.errors import UsageError

LONGEST: Final = 100
"""Greatest length of a word for which a similar one is searched: the time of `difflib` grows with its square."""

SHORTEST: Final = 3
"""Least length of a word for which a similar one is suggested: all flags of one letter are similar to each other."""

LISTED: Final = 200
"""Greatest length of a list of all names, in characters."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the name that was probably meant: equal except for case, or the only one that begins so, or similar.

    Args:
        known: names; if two are equally near, the first one is returned.
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
    from difflib import get_close_matches  # late: only errors need it

    near = get_close_matches(lower, by_lower, n=1)
    return by_lower[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` if one of the names is near, otherwise an empty text."""
    near = nearest(word, known)
    return "" if near is None else f'; did you mean "{near}"?'


def hint(word: str, known: Iterable[str], *, there: str = "it has") -> str:
    """Return `did you mean "…"?` if one of the names is near, otherwise the list of names after *there*."""
    names = tuple(known)
    near = nearest(word, names)
    return f"{there} {cut(', '.join(names), LISTED)}" if near is None else f'did you mean "{near}"?'


def not_one_of(flag: str, value: str, known: Iterable[str]) -> UsageError:
    """Make the error for a value that a flag does not accept: it lists the accepted ones, and suggests one."""
    names = tuple(known)
    return UsageError(f"{flag} {cut(value, LONGEST)}: not one of {', '.join(names)}{suggestion(value, names)}")
