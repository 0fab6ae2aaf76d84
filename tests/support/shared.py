"""Where the shared reference data is: next to the repository, or where EPKIT_SHARED says."""

import os
from pathlib import Path

import pytest

from support.places import ROOT


def shared(relative: str) -> Path:
    """Return a file or directory of the shared data, or skip the calling test by name where it is missing.

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
