"""A scoring script whose frames are written in pandas' orient table."""

from orients import make

run = make("table")


def init():
    """Load nothing."""
