"""The shortest decimal inside an interval."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from epkit.core.train.decimals import shortest


@pytest.mark.parametrize(
    ("above", "most", "expected"),
    [(0.3199, 0.3211, 0.32), (491, 493, 492), (3, 4, 3.5), (0.4, 1.0, 0.7), (0.1, 0.9, 0.5), (92.89, 92.95, 92.9)],
)
def test_rooms_that_can_be_seen(above: float, most: float, expected: float) -> None:
    assert expected == shortest(above, most)


FLOATS = st.floats(-1e12, 1e12)


@given(FLOATS, FLOATS)
def test_it_is_in_the_room(a: float, b: float) -> None:
    assume(a != b)
    above, most = sorted((a, b))

    assert above < shortest(above, most) <= most


def test_of_neighbours_it_is_the_upper_one() -> None:
    assert np.nextafter(0.5, 1) == shortest(0.5, float(np.nextafter(0.5, 1)))
