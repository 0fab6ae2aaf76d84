"""The effect of a column: the mean prediction if every row had a certain value in it, and the observed mean."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from epkit.core.train.cohorts import codes_of
from epkit.core.train.importance import Predict, sample
from epkit.core.train.problem import Examples, Feature, probabilities
from epkit.core.train.report import Effect

MOST_COLUMNS: Final = 6
POINTS: Final = 12
"""Ranges of a number, or the most frequent values of a category."""

MOST_ROWS: Final = 500
"""Rows that are drawn to compute the predictions for a value."""


def effects(predict: Predict, examples: Examples, columns: Sequence[str], *, seed: int) -> tuple[Effect, ...]:
    """Return the effects of the first `MOST_COLUMNS` of the columns.

    A prediction is the probability of the positive class, or the number. With many classes there is no single value to
    draw, so there are no effects. For a date, the part with the greatest effect is used.

    Args:
        examples: rows, best those that the model was not trained on. *observed* is computed from all of them.
        columns: names of columns of the table, the most important first.

    Source: Friedman (2001), Greedy Function Approximation, section 8.2: partial dependence.
    """
    if examples.label.task == "multiclass" or not len(examples):
        return ()
    drawn = examples.matrix[sample(len(examples), seed, MOST_ROWS)]
    found = []
    for column in columns[:MOST_COLUMNS]:
        places = [(place, feature) for place, feature in enumerate(examples.features) if feature.column == column]
        parts = [_effect(predict, examples, drawn, place, feature) for place, feature in places]
        shown = [part for part in parts if part.predicted]
        if shown:
            found.append(max(shown, key=lambda part: max(part.predicted) - min(part.predicted)))
    return tuple(found)


def _effect(predict: Predict, examples: Examples, drawn: np.ndarray, place: int, feature: Feature) -> Effect:
    """Return the effect of one column of the matrix."""
    codes, values = codes_of(examples, place, feature, few=POINTS, ranges=POINTS)
    rows = np.bincount(codes, minlength=len(values))
    shown = sorted(np.argsort(-rows, kind="stable")[: POINTS + 1].tolist())
    shown = [code for code in shown if rows[code] > 0]
    own = examples.matrix[:, place]
    # A range is represented by the middle of its rows, a missing value by NaN, which is also the mean of no rows.
    given = []
    for code in shown:
        inside = own[codes == code]
        given.append(float(inside.mean()) if not np.isnan(inside).any() else float("nan"))
    stacked = np.tile(drawn, (len(given), 1))
    stacked[:, place] = np.repeat(given, len(drawn))
    answers = _answers(predict(stacked), examples).reshape(len(given), len(drawn))
    observed = np.bincount(codes, examples.y, len(values))[shown] / rows[shown]
    number = not feature.categories
    if number and any(np.isnan(given)):  # a curve cannot show a missing value
        kept = [at for at, value in enumerate(given) if not np.isnan(value)]
        shown, given = [shown[at] for at in kept], [given[at] for at in kept]
        answers, observed = answers[kept], observed[kept]
    return Effect(
        column=feature.name,
        labels=tuple(values[code].text for code in shown),
        x=tuple(given) if number else None,
        predicted=tuple(answers.mean(axis=1).tolist()),
        observed=tuple(observed.tolist()),
        rows=tuple(int(rows[code]) for code in shown),
    )


def _answers(margins: np.ndarray, examples: Examples) -> np.ndarray:
    found = probabilities(margins, examples.label.task)
    return np.asarray(found[:, -1])
