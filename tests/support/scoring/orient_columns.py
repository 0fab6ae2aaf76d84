"""A scoring script whose frames have pandas' orient columns."""

from orients import make

run = make("columns")


def init():
    """Load nothing."""
