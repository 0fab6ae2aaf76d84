"""A scoring script without schemas: its contract contains no schema."""

import json


def init():
    """Load nothing."""


def run(raw):
    """Return the body."""
    return json.loads(raw)["data"]
