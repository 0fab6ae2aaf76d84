"""The path of the shared reference data: next to the repository, or the value of EPKIT_SHARED."""

import os
from pathlib import Path

import pytest

from support.places import ROOT


def shared(relative: str) -> Path:
    """Return a file or directory of the shared data, or skip the calling test if it is missing.

    Args:
        relative: path below the shared directory, with slashes: `data/ab/real`.
    """
    places = [ROOT.parent / "shared"]
    if "EPKIT_SHARED" in os.environ:
        places.append(Path(os.environ["EPKIT_SHARED"]))
    for place in places:
        if (place / relative).exists():
            return place / relative
    pytest.skip(f"shared/{relative} is not here (looked next to the repository and in EPKIT_SHARED)")
