"""The shortest decimal between two numbers: what a person can read, and splits the same rows."""

from typing import Final

MOST_DIGITS: Final = 17
"""Behind the point: with more a rounded number is the number itself."""

REACH: Final = 0.45
"""How far from the middle, as a part of the room: not at an end of it, where the next rows are."""


def shortest(above: float, most: float) -> float:
    """Return a number above one and at most another, with as few decimals as it can have, near their middle.

    Args:
        above: below *most*.
    """
    middle = above / 2 + most / 2
    for digits in range(MOST_DIGITS):
        rounded = round(middle, digits)
        if above < rounded <= most and abs(rounded - middle) <= REACH * (most - above):
            return rounded
    return most
