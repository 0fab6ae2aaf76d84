"""Golden predictions: their division among payloads, and the comparison of replies with them."""

import pytest

from epkit.core.replies.golden import by_payload, mismatch, same


def test_a_reply_a_payload():
    assert [[1, 2], [3]] == by_payload([{"result": [1, 2]}, [3]], [2, None])


def test_a_record_a_row_is_divided_by_the_rows_of_the_payloads():
    said = [{"row": row, "prediction": row} for row in range(3)]

    assert [[0, 1], [2]] == by_payload(said, [2, 1])


@pytest.mark.parametrize(
    ("expected", "rows", "why"),
    [
        ([[1]], [1, 1], "1 replies are expected, and 2 payloads"),
        ([{"colour": 1}], [1], "reply 1: no list of predictions"),
        ([{"prediction": 1}], [2], "1 predictions are expected, and the payloads hold 2 rows"),
        ([{"prediction": 1}], [None], "is not known"),
    ],
)
def test_what_does_not_fit_is_refused(expected, rows, why):
    with pytest.raises(ValueError, match=why):
        by_payload(expected, rows)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'["yes", "no"]', None),
        (b'"{\\"result\\": [\\"yes\\", \\"no\\"]}"', None),
        (b'["yes", "yes"]', "row 1: 'yes' instead of 'no'"),
        (b'["yes"]', "1 predictions, 2 are expected"),
        (b"{", "no list of predictions"),
        (b'{"colour": 1}', "no list of predictions"),
    ],
)
def test_a_reply_says_the_same_or_what_is_other(body, why):
    found = mismatch(["yes", "no"], body)

    assert why is None if found is None else why in found


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (0.1 + 0.2, 0.3, True),
        (1, 1.0, True),
        (1, 1.001, False),
        (True, 1, False),
        (float("nan"), float("nan"), True),
        ([1, {"a": 2.0}], [1.0, {"a": 2}], True),
        ({"a": 1}, {"b": 1}, False),
        ([1], [1, 2], False),
        ("1", 1, False),
        (None, None, True),
    ],
)
def test_numbers_are_compared_to_six_digits_and_all_else_exactly(one, other, alike):
    assert alike is same(one, other)
