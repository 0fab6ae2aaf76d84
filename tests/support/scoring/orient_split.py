"""A scoring script whose frames have pandas' orient split."""

from orients import make

run = make("split")


def init():
    """Load nothing."""
