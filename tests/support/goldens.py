"""Golden files: outputs that a person has approved, compared byte by byte."""

import os

from support.places import ROOT

FOLDER = ROOT / "tests" / "reporters" / "golden"


def check(name, text):
    """Compare with a golden file of the reporters; with EPKIT_GOLDEN=write in the environment, write it instead."""
    check_file(FOLDER / name, text)


def check_file(path, text):
    """Compare with any file, or write it, like `check`."""
    if os.environ.get("EPKIT_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8", newline="")

    assert path.read_bytes().decode() == text, f"{path.name} is not what it should be: EPKIT_GOLDEN=write writes it"
