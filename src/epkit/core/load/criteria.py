"""The goals during a run: parses `--until 'ci(p99)<5%'` and `--find-max 'p99<250ms'`."""

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
    """How narrow the interval of an estimate must be.

    Args:
        key: key of the percentile in the report.
        share: half of the interval's width, as a fraction of the percentile.
    """

    text: str
    key: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The upper limit of a percentile.

    Args:
        key: key of the percentile in the report.
    """

    text: str
    key: str
    limit_ns: int

    @property
    def percent(self) -> Fraction:
        """The percentile as an exact number."""
        return Fraction(self.key)


def parse_tight(text: str) -> Tight:
    """Parse `ci(p99)<5%`.

    Raises:
        UsageError: it cannot be parsed; the message has the grammar.
    """
    found = _CI.fullmatch(text.strip())
    if found is None or not 0 < float(found[2]) < 100:
        raise UsageError(f"--until '{text}': cannot be read: write 'ci(p99)<5%', a percentile and a share of it")
    return Tight(text=text.strip(), key=_key("--until", text, found[1]), share=float(found[2]) / 100)


def parse_bound(text: str) -> Bound:
    """Parse `p99<250ms`.

    Raises:
        UsageError: it cannot be parsed; the message has the grammar.
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
