"""Finds the shortest decimal number between two numbers: easy to read, and it splits the rows in the same way."""

from typing import Final

MOST_DIGITS: Final = 17
"""Digits after the point: with more, a rounded number is the number itself."""

REACH: Final = 0.45
"""Greatest distance from the middle, as a fraction of the interval: not near an end, where the next rows are."""


def shortest(above: float, most: float) -> float:
    """Return a number greater than *above* and at most *most*, near their middle, with as few decimals as possible.

    Args:
        above: less than *most*.
    """
    middle = above / 2 + most / 2
    for digits in range(MOST_DIGITS):
        rounded = round(middle, digits)
        if above < rounded <= most and abs(rounded - middle) <= REACH * (most - above):
            return rounded
    return most
