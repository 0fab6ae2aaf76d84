"""The paths of the repository's own files."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The root of the repository."""
DATA = ROOT / "tests" / "data"
"""Files of earlier versions and of other tools, for the tests."""
