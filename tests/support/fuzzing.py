"""Common parts of the fuzzers: a budget of time, and made-up values that are almost valid.

A fuzzer is an ordinary test in `tests/fuzz/` that passes a strategy and a check to `fuzz`. Hypothesis makes examples in
rounds until the fuzzer's time is over: some seconds, or longer with `nox -s fuzz`. A failing example is shrunk, printed
with its seed, and kept in `.hypothesis/`; the next run of the fuzzer begins with it.
"""

import copy
import json
import os
import re
import resource
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st


@dataclass(slots=True)
class Time:
    """The time of each fuzzer; ten of them add two minutes to the suite.

    Args:
        anew: whether each run makes other examples. The suite uses the same examples each time, so that its result
            depends only on the code.
    """

    share_s: float = 12.0
    anew: bool = False


TIME: Final = Time()

ROUND: Final = 40
"""Number of examples between two checks of the time."""

MOST_MB: Final = 400
"""Greatest growth of the process's memory, which consists mostly of modules and of Hypothesis's own data."""

DEEP: Final = "\x00deep\x00"
"""Represents an array nested 100,000 times, which `text_of` writes."""

_DEEP_TEXT: Final = "[" * 100_000 + "]" * 100_000

STRANGE: Final[Sequence[Any]] = (
    None, True, False, 0, 1, -1, 2, 255, 256, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30,
    -(10**30), 10**400, 0.0, 0.5, -0.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"),
    "", "0", "x", "é", "\x1b[2J", "\x00", "\u202e", "\ud800", "\n", "x" * 5000, "../../x", "<script>", "%s{0}",
    [], {}, [[]], [None], [1, 2, 3], {"": {}}, {"x": 1}, DEEP,
)  # fmt: skip
"""Values that a reader may not expect in their place."""


def fuzz(name: str, examples: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Check made-up examples until the time is over.

    Args:
        name: name of the fuzzer, under which its failing examples are kept.
        check: raises an exception if an example is not handled correctly.
    """
    deadline = time.monotonic() + TIME.share_s
    first = int.from_bytes(os.urandom(4)) if TIME.anew else zlib.crc32(name.encode())
    number = 0
    before_mb = _peak_mb()
    while number == 0 or time.monotonic() < deadline:

        def one(example: Any) -> None:
            check(example)

        one.__name__ = one.__qualname__ = re.sub(r"\W", "_", f"fuzz_{name}")  # the key of Hypothesis's failing examples
        limits = settings(max_examples=ROUND, print_blob=True, suppress_health_check=list(HealthCheck))
        try:
            seed(first + number)(limits(given(examples)(one)))()
        except Exception as error:
            error.add_note(f"the seed is {first + number}; the next run of this fuzzer begins with this example")
            raise
        number += 1
        assert _peak_mb() - before_mb < MOST_MB, f"{name}: {_peak_mb() - before_mb:.0f} MB were taken"


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux


def changed(value: Any, strange: Sequence[Any] = STRANGE, most: int = 3) -> st.SearchStrategy[Any]:
    """Make a JSON value with one to *most* changes at any depth: replacing, deleting, adding, moving, adjusting or repeating."""

    @st.composite
    def make(draw: st.DrawFn) -> Any:
        made = copy.deepcopy(value)
        for _ in range(draw(st.integers(1, most))):
            made = _change(made, draw, strange)
        return made

    return make()


def _change(value: Any, draw: st.DrawFn, strange: Sequence[Any]) -> Any:
    places = list(_places(value))
    if not places:
        return copy.deepcopy(draw(st.sampled_from(strange)))
    holder, key = draw(st.sampled_from(places))
    now = holder[key]
    match draw(st.sampled_from(("replace", "replace", "replace", "delete", "add", "move", "nudge", "repeat"))):
        case "replace":
            holder[key] = copy.deepcopy(draw(st.sampled_from(strange)))
        case "delete":
            del holder[key]
        case "add" if isinstance(now, dict):
            now[draw(st.sampled_from(("extra", "", "format", "0")))] = copy.deepcopy(draw(st.sampled_from(strange)))
        case "add" if isinstance(now, list):
            now.append(copy.deepcopy(draw(st.sampled_from(strange))))
        case "move":
            other, its = draw(st.sampled_from(places))
            holder[key] = copy.deepcopy(other[its])
        case "nudge" if isinstance(now, int | float):
            holder[key] = draw(
                st.sampled_from((now + 1, now - 1, -now, now * 2, float(now) if abs(now) < 2**60 else 0))
            )
        case "nudge" if isinstance(now, str):
            holder[key] = draw(st.sampled_from((now[:-1], now + now, now.upper(), now + "\n", now + "\x1b[31m")))
        case "repeat" if isinstance(holder, list):
            holder.append(copy.deepcopy(now))
        case _:
            holder[key] = draw(st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the container and the key of each value inside a value."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def text_of(value: Any) -> bytes:
    """Write a made-up value as JSON, including NaN and values too deep for other writers."""
    return json.dumps(value, separators=(",", ":")).replace(json.dumps(DEEP), _DEEP_TEXT).encode()


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Make bytes that are truncated, or with some bytes flipped, removed, repeated or inserted."""

    @st.composite
    def make(draw: st.DrawFn) -> bytes:
        made = bytearray(data)
        for _ in range(draw(st.integers(1, 3))):
            at = draw(st.integers(0, max(0, len(made) - 1)))
            length = draw(st.integers(1, 64))
            match draw(st.sampled_from(("cut", "flip", "drop", "repeat", "put"))):
                case "cut":
                    del made[at:]
                case "flip" if made:
                    made[at] ^= 1 << draw(st.integers(0, 7))
                case "drop":
                    del made[at : at + length]
                case "repeat":
                    made[at:at] = made[at : at + length]
                case _:
                    made[at:at] = draw(st.binary(max_size=16))
        return bytes(made)

    return make()
