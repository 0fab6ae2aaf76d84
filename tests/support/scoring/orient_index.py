"""A scoring script whose frames have pandas' orient index."""

from orients import make

run = make("index")


def init():
    """Load nothing."""
