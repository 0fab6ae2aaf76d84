"""The keys that a caller of a published pipeline may set: the owner lists some of a few safe keys, with bounds.

A settable key holds a number, one of a few words, or a rule that is checked. No settable key holds a path, a command, a
URI or the name of a column. None decides what passes, where the model goes, or how much of the machine is used.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.near import suggestion
from epkit.core.quantities import read_ns

SETTABLE: Final[Mapping[str, type]] = {
    "train.balanced": bool,
    "train.folds": int,
    "train.holdout": float,
    "train.metric": str,
    "train.runs": int,
    "train.seed": int,
    "train.test_size": float,
    "train.threshold": str,
    "train.time_limit": str,
}
"""The keys that `publishable` can list, and their types."""

BOUNDED: Final[Mapping[str, float]] = {"train.runs": 85, "train.time_limit": math.inf}
"""Settable keys that cost time, each with the value if the pipeline sets none: epkit train's default, or seconds."""

FACTOR: Final = 10
"""If the owner sets no bound, a caller may ask for at most this number of times the pipeline's own value."""

LONGEST: Final = 200
"""Greatest length of a value, in characters."""

_ENTRY: Final = re.compile(r"\s*([^\s<=]+)\s*(?:<=\s*(\S+)\s*)?")
_PLAIN: Final = re.compile(r"[+-]?[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishable:
    """A key that callers may set.

    Args:
        key: one of the keys of `SETTABLE`.
        most: the owner's bound, a number or seconds; None if there is none.
    """

    key: str
    most: float | None = None


def read_publishable(entries: Sequence[str]) -> tuple[Publishable, ...]:
    """Read `publishable` of a pipeline: each entry is `KEY` or `KEY<=MOST`.

    Raises:
        ValueError: callers can never set this key, or the bound is wrong.
    """
    found: dict[str, Publishable] = {}
    for entry in entries:
        parts = _ENTRY.fullmatch(entry)
        key, most = (parts[1], parts[2]) if parts is not None else (entry, None)
        if key not in SETTABLE:
            near = suggestion(key, SETTABLE)
            raise ValueError(f"{key[:60]!a} cannot be set by callers, only {', '.join(SETTABLE)}{near}")
        if key in found:
            raise ValueError(f"{key} is listed twice")
        if most is not None and key not in BOUNDED:
            raise ValueError(f"{key} takes no bound; {' and '.join(BOUNDED)} do, as in train.runs<=50")
        amount = None if most is None else _amount(key, most)
        if amount is not None and not 0 < amount < math.inf:
            raise ValueError(f"{key}<={(most or '')[:40]} is not a bound: train.runs<=50, train.time_limit<=30m")
        found[key] = Publishable(key=key, most=amount)
    return tuple(found.values())


def changes_of(values: Mapping[str, Any], publishable: Sequence[Publishable]) -> tuple[str, ...]:
    """Turn the parameters of a request into changes in the form of `--set`.

    Args:
        values: by name, plain JSON. A text is parsed as the type of its key.

    Raises:
        ValueError: a parameter may not be set, or its value is wrong; the message begins with its name.
    """
    allowed = [each.key for each in publishable]
    return tuple(f"{name}={_toml(name, values[name], allowed)}" for name in sorted(values))


def check_bounds(
    before: Mapping[str, Any], after: Mapping[str, Any], changed: Sequence[str], publishable: Sequence[Publishable]
) -> None:
    """Refuse values that cost more than the owner allows.

    Args:
        before, after: `train` of the pipeline, without and with the caller's changes.
        changed: keys that the caller sets.

    Raises:
        ValueError: a value is above its bound; the message begins with the name of the parameter.
    """
    own = {each.key: each.most for each in publishable}
    for key in changed:
        if key not in BOUNDED:
            continue
        name = key.removeprefix("train.")
        usual = _amount(key, str(before[name])) if name in before else BOUNDED[key]
        most = own.get(key)
        limit = FACTOR * usual if most is None else most
        if _amount(key, str(after[name])) > limit:
            unit = "s" if key == "train.time_limit" else ""
            raise ValueError(f"{key} must be at most {limit:g}{unit} for callers of this pipeline")


def _amount(key: str, text: str) -> float:
    """Return the number behind a bounded key, or infinity if it is not a number; other code checks its type."""
    try:
        return read_ns(text) / 1e9 if key == "train.time_limit" else float(text)
    except ValueError:
        return math.inf


def _toml(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Format a value as TOML."""
    if name not in allowed:
        listed = f"only {', '.join(allowed)}" if allowed else "nothing: publishable in epkit.toml lists what may be"
        raise ValueError(f"{ascii(name[:60])[1:-1]} is not a parameter that may be set: {listed}")
    if isinstance(value, int | float) and abs(value) < 2**63:  # excludes NaN
        return json.dumps(value)
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise ValueError(f"{name} must be a number, true or false, or a text of at most {LONGEST} printable characters")
    if SETTABLE[name] is str:
        return json.dumps(value, ensure_ascii=False)
    # The protocol of published pipelines transports only texts.
    plain = value.strip().lower()
    if not _PLAIN.fullmatch(plain):
        raise ValueError(f"{name}: {value[:40]!a} is neither a number nor true or false")
    return plain
