"""Divides the time among the fuzzers."""

import math
import os
from pathlib import Path

import pytest

from support import fuzzing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Divide `EPKIT_FUZZ_SECONDS` among the fuzzers; as many run in parallel as there are processes."""
    total = os.environ.get("EPKIT_FUZZ_SECONDS")
    fuzzers = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    if total is not None and fuzzers:
        side_by_side = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        fuzzing.TIME.anew = True
        fuzzing.TIME.share_s = float(total) / math.ceil(len(fuzzers) / side_by_side)
