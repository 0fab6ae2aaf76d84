"""Models that are damaged, or forged with knowledge of the format: they are read, or refused in one line."""

import json
from pathlib import Path

import jsonschema_rs
import numpy as np
import polars as pl
from hypothesis import strategies as st

from epkit.core.drift.document import schema, to_document
from epkit.core.drift.drift import drift
from epkit.core.drift.reference import Reference
from epkit.core.json.writing import dumps
from epkit.core.train.card import card_bytes
from epkit.errors import UsageError
from epkit.files.model_directory import npz_bytes, read_card
from epkit.served.encoding import BadValueError
from epkit.served.model import Model
from support.fuzzing import changed, damaged, fuzz, text_of
from support.trained import card_of, learned_from

LEARNED = learned_from(
    {
        "n": [float(row % 9) for row in range(60)],
        "c": ["abc"[row % 3] for row in range(60)],
        "d": [f"2024-0{1 + row % 9}-01" for row in range(60)],
        "y": ["no" if row % 3 else "yes" for row in range(60)],
    }
)
CARD = json.loads(card_bytes(card_of(LEARNED)))
ARRAYS = {
    "base": np.array([0.5]),
    "roots": np.array([0, 3], np.int32),
    "output": np.array([0, 0], np.int32),
    "feature": np.array([0, 0, 0, 1, 0, 0], np.uint8),
    "split": np.array([4.0, 0, 0, 0, 0, 0]),
    "left": np.array([1, 1, 2, 4, 4, 5], np.int32),
    "right": np.array([2, 1, 2, 5, 4, 5], np.int32),
    "value": np.array([0, 0.5, -0.5, 0, 1, -1]),
    "flags": np.array([2, 0, 0, 1, 0, 0], np.uint8),
    "mask": np.array([-1, -1, -1, 0, -1, -1], np.int32),
    "words_of": np.array([0, 0, 0, 1, 0, 0], np.int32),
    "words": np.array([5], np.uint64),
    "linear_feature": np.array([0, 1], np.int32),
    "linear_code": np.array([-1, 2], np.int32),
    "linear_mean": np.array([4.0, 0.0]),
    "linear_scale": np.array([2.0, 1.0]),
    "linear_weight": np.array([[0.1], [0.2]]),
}


def asked(directory: Path, card: bytes, arrays: bytes) -> None:
    """Load a model, and predict a row with it if possible."""
    (directory / "card.json").write_bytes(card)
    (directory / "model.npz").write_bytes(arrays)
    try:
        model = Model.load(directory)
    except ValueError:
        return
    try:
        found = model.predict_proba({encoder.name: [1, "a", None] for encoder in model.encoders})
    except BadValueError:
        return
    assert len(found) == (3 if model.encoders else 0)


@st.composite
def arrays(draw: st.DrawFn) -> bytes:
    """Change some numbers of some arrays, or leave arrays out."""
    made = {name: array.copy() for name, array in ARRAYS.items()}
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(made)))
        if draw(st.integers(0, 5)) == 0:
            del made[name]
        elif made[name].size:
            flat = made[name].reshape(-1)
            place = draw(st.integers(0, flat.size - 1))
            if flat.dtype.kind == "f":
                flat[place] = draw(st.floats())
            else:
                bounds = np.iinfo(flat.dtype)
                flat[place] = draw(st.one_of(st.integers(0, 7), st.integers(int(bounds.min), int(bounds.max))))
    return npz_bytes(made)


def test_the_model_that_is_changed_is_one(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes(card_bytes(CARD))
    (tmp_path / "model.npz").write_bytes(npz_bytes(ARRAYS))
    found = Model.load(tmp_path).scorer.margins(np.array([[1.0, 2.0, 1, 1], [np.nan, 0.0, 1, 1]]))

    assert np.allclose([[0.5 + 0.5 + 1 - 0.15 + 0.2], [0.5 + 0.5 + 1]], found)


def test_a_card_that_was_changed_is_read_or_refused(tmp_path: Path) -> None:
    fuzz("card", changed(CARD).map(text_of), lambda card: asked(tmp_path, card, npz_bytes(ARRAYS)))


def test_arrays_that_were_changed_are_read_or_refused(tmp_path: Path) -> None:
    fuzz("arrays", arrays(), lambda changed: asked(tmp_path, card_bytes(CARD), changed))


def test_arrays_that_are_damaged_are_read_or_refused(tmp_path: Path) -> None:
    fuzz("npz", damaged(npz_bytes(ARRAYS)), lambda broken: asked(tmp_path, card_bytes(CARD), broken))


TABLE = pl.DataFrame(
    {"n": [float(row) for row in range(30)], "c": ["abz"[row % 3] for row in range(30)], "d": "2024-03-01"}
)


def compared(directory: Path, card: bytes) -> None:
    """Compare a table with a card if possible."""
    (directory / "card.json").write_bytes(card)
    try:
        report = drift(Reference.of_card(read_card(directory, "model")), TABLE)
    except UsageError:
        return
    document = to_document(report)
    jsonschema_rs.validator_for(schema()).validate(json.loads(dumps(document)))


def test_a_card_that_was_changed_is_compared_with_or_refused(tmp_path: Path) -> None:
    fuzz("card for drift", changed(CARD).map(text_of), lambda card: compared(tmp_path, card))


def test_a_card_whose_reference_was_changed_is_compared_with_or_refused(tmp_path: Path) -> None:
    cards = changed(CARD["reference"]).map(lambda found: text_of({**CARD, "reference": found}))

    fuzz("reference of a card", cards, lambda card: compared(tmp_path, card))
