"""Decides whether the wire engine uses its compiled module `lane`.

The module is optional: an installation without a C compiler does not have it (`hatch_build.py`), and `EPKIT_ENGINE`
switches it off. It is loaded late, because most commands send few requests.
"""

import os
import sys
from importlib import import_module
from typing import Any, Final, NamedTuple

from epkit.core.shortening import cut
from epkit.errors import UsageError

VARIABLE: Final = "EPKIT_ENGINE"
COMPILED: Final = "wire+c"
"""The name of the wire engine in a report if it used the compiled module."""


LONGEST: Final = 100
"""Greatest length of a value in a message."""


class _Lane(NamedTuple):
    """The class of the compiled module, or None and the reason."""

    found: type[Any] | None
    reason: str = ""


def lane_class() -> type[Any] | None:
    """Return the class `Lane` of the compiled module; None if it is switched off, not built, or cannot be loaded.

    Raises:
        UsageError: the value of `EPKIT_ENGINE` is neither empty nor `python`.
    """
    return _load().found


def engine_line() -> str:
    """Return the name of the wire engine of this installation; if it is not compiled, with the reason in parentheses.

    Raises:
        UsageError: as `lane_class`.
    """
    lane = _load()
    return f"wire ({lane.reason})" if lane.found is None else COMPILED


def _load() -> _Lane:
    value = os.environ.get(VARIABLE, "").strip()
    if value == "python":
        return _Lane(None, f"{VARIABLE}=python")
    if value:
        raise UsageError(f'{VARIABLE}={cut(value, LONGEST)}: must be "python", or not set')
    try:
        return _Lane(import_module("epkit.engines.wire.lane").Lane)
    except ModuleNotFoundError:
        why = "the installation has no compiled module" if _is_supported() else "it needs CPython on Linux"
    except ImportError as error:  # for another libc, for example
        why = str(error)
    return _Lane(None, f"not compiled: {why}")


def _is_supported() -> bool:
    return sys.platform == "linux" and sys.implementation.name == "cpython"
