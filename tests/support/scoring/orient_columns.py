"""A scoring script whose frames are written in pandas' orient columns."""

from orients import make

run = make("columns")


def init():
    """Load nothing."""
