"""A scoring script whose frames are written in pandas' orient index."""

from orients import make

run = make("index")


def init():
    """Load nothing."""
