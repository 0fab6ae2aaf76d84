"""A scoring script whose frames have pandas' orient table."""

from orients import make

run = make("table")


def init():
    """Load nothing."""
