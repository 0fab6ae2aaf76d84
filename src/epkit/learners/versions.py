"""The versions of the packages that trained a model, for its card."""

import sys
from importlib import metadata

import epkit


def versions() -> dict[str, str]:
    """Return versions by name: epkit, the libraries that learn, numpy, and the minor version of Python."""
    found = {name: metadata.version(name) for name in ("lightgbm", "scikit-learn", "numpy")}
    return {"epkit": epkit.__version__, **found, "python": f"{sys.version_info.major}.{sys.version_info.minor}"}
