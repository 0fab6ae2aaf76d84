"""A scoring script whose frames are written in pandas' orient values."""

from orients import make

run = make("values")


def init():
    """Load nothing."""
