"""The place of a value in a JSON text is found without decoding the whole text."""

import pytest

from epkit.core.json.places import JsonPlaces


@pytest.mark.parametrize(
    ("path", "offset"),
    [((), 1), (("a",), 7), (("a", 1), 11), (("a", 1, "b"), 17), (("a", 9), 7), (("z",), 1), (("a", 0, "x"), 8)],
)
def test_a_place_is_that_of_the_innermost_value_there_is(path: tuple[str | int, ...], offset: int) -> None:
    places = JsonPlaces(b' {"a": [1, {"b": 2}], "c": 3}')

    assert offset == places.offset(path)


def test_a_place_has_line_and_column_of_the_value_or_its_key() -> None:
    places = JsonPlaces('{"é": 1,\n "b": 2}'.encode())

    assert [(1, 7), (2, 7), (2, 2)] == [
        places.position(["é"]),
        places.position(["b"]),
        places.position(["b"], at_key=True),
    ]
