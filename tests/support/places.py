"""Where the tests find the repository's own files."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The top of the repository."""
DATA = ROOT / "tests" / "data"
"""Files of earlier versions and of other tools, kept for the tests."""
