"""A scoring script whose frames have pandas' orient values."""

from orients import make

run = make("values")


def init():
    """Load nothing."""
