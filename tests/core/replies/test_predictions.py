"""Predictions are converted to columns."""

import pytest

from epkit.core.replies.predictions import layout_of


@pytest.mark.parametrize(
    ("prediction", "probabilities", "names"),
    [
        ("yes", True, ("prediction",)),
        (1.5, False, ("prediction",)),
        ([0.25, 0.75], False, ("probability_0", "probability_1")),
        ([0.25, 0.7], False, ("prediction",)),
        ([0.25, 0.7], True, ("probability_0", "probability_1")),
        ([1.0], False, ("prediction",)),
        ([2, -1], False, ("prediction",)),
        (["a", "b"], True, ("prediction",)),
        ([], True, ("prediction",)),
        ({"no": 0.25, "yes": 0.75}, False, ("probability_no", "probability_yes")),
        ({"label": "yes", "score": 0.75}, False, ("prediction",)),
        ([True, False], True, ("prediction",)),
    ],
)
def test_the_columns_are_chosen_by_the_first_prediction(prediction, probabilities, names):
    layout = layout_of(prediction, probabilities=probabilities)

    assert names == layout.names
    assert layout.fits(prediction)
    assert len(names) == len(layout.cells(prediction))


def test_a_prediction_of_another_shape_does_not_fit():
    pair = layout_of([0.25, 0.75], probabilities=True)
    named = layout_of({"no": 0.25, "yes": 0.75}, probabilities=True)
    word = layout_of("yes", probabilities=False)

    assert not any(pair.fits(other) for other in ([0.25, 0.25, 0.5], "yes", {"no": 1.0, "yes": 0.0}))
    assert not any(named.fits(other) for other in ({"no": 0.25}, {"yes": 0.75, "no": 0.25}, [0.25, 0.75]))
    assert not any(word.fits(other) for other in (["yes"], {"yes": 1}))
    assert word.fits(1.5)
