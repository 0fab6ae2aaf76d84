"""Golden files: what a reporter printed once and a person found good, kept to the byte."""

import os

from support.places import ROOT

FOLDER = ROOT / "tests" / "reporters" / "golden"


def check(name, text):
    """Compare with the golden file; with EPKIT_GOLDEN=write in the environment, write it instead."""
    path = FOLDER / name
    if os.environ.get("EPKIT_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8", newline="")

    assert path.read_bytes().decode() == text
