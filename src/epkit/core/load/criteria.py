"""The words for what is aimed at in mid-run: `--until 'ci(p99)<5%'` and `--find-max 'p99<250ms'`."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from epkit.core.stats.distribution import PERCENTILES
from epkit.errors import UsageError

FIND_MAX: Final = "find-max"
KNEE: Final = "knee"
UNTIL: Final = "until"
BATCH_ROWS: Final = "batch-rows"

_NUMBER: Final = r"(\d+\.?\d*|\.\d+)"
_CI: Final = re.compile(rf"ci\(p(\d+(?:\.\d+)?)\)\s*<\s*{_NUMBER}\s*%")
_BOUND: Final = re.compile(rf"p(\d+(?:\.\d+)?)\s*<\s*{_NUMBER}\s*(us|ms|s)")
_UNITS: Final = {"us": 10**3, "ms": 10**6, "s": 10**9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tight:
    """How tight an estimate is to be.

    Args:
        key: of the percentile, as the report keys it.
        share: half the interval's width, as a share of the percentile.
    """

    text: str
    key: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a percentile is to stay below.

    Args:
        key: of the percentile, as the report keys it.
    """

    text: str
    key: str
    limit_ns: int

    @property
    def percent(self) -> Fraction:
        """The percentile, exact."""
        return Fraction(self.key)


def parse_tight(text: str) -> Tight:
    """Read `ci(p99)<5%`.

    Raises:
        UsageError: it is something else, with the grammar.
    """
    found = _CI.fullmatch(text.strip())
    if found is None or not 0 < float(found[2]) < 100:
        raise UsageError(f"--until '{text}': cannot be read: write 'ci(p99)<5%', a percentile and a share of it")
    return Tight(text=text.strip(), key=_key("--until", text, found[1]), share=float(found[2]) / 100)


def parse_bound(text: str) -> Bound:
    """Read `p99<250ms`.

    Raises:
        UsageError: it is something else, with the grammar.
    """
    found = _BOUND.fullmatch(text.strip())
    if found is None or not float(found[2]):
        raise UsageError(f"--find-max '{text}': cannot be read: write 'p99<250ms', a percentile and a time (us, ms, s)")
    limit = round(float(found[2]) * _UNITS[found[3]])
    return Bound(text=text.strip(), key=_key("--find-max", text, found[1]), limit_ns=limit)


def _key(flag: str, text: str, percent: str) -> str:
    if percent not in PERCENTILES[:-1]:
        known = ", ".join(f"p{key}" for key in PERCENTILES[:-1])
        raise UsageError(f"{flag} '{text}': p{percent} is not one of {known}")
    return percent
