"""A scoring script whose frames are written in pandas' orient split."""

from orients import make

run = make("split")


def init():
    """Load nothing."""
