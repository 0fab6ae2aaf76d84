"""A scoring script without schemas: its contract says nothing."""

import json


def init():
    """Load nothing."""


def run(raw):
    """Give the body back."""
    return json.loads(raw)["data"]
