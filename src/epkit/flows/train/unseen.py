"""Whether a model fits a table, and which rows of the table the model was not trained on."""

from typing import TYPE_CHECKING

import numpy as np

from epkit.core.shortening import cut
from epkit.core.train import split
from epkit.core.train.cells import HASH_RULE, row_hashes
from epkit.core.train.columns import Learned
from epkit.core.train.problem import Examples, Label
from epkit.errors import UsageError
from epkit.served.model import Model

if TYPE_CHECKING:
    import polars as pl


def check_label(model: Model, label: Label, where: str) -> None:
    """Refuse a model that predicts another label.

    Raises:
        UsageError: it predicts another label, other answers, or another positive class.
    """
    own = model.card["label"]
    if own["task"] != label.task or list(own["classes"]) != list(label.classes):
        raise UsageError(f'{where}: predicts "{cut(str(own["name"]), 60)}" with other answers: nothing can be compared')
    if own.get("positive") != label.positive:
        raise UsageError(f"{where} has another positive class: name it with --positive")


def held_out_by(model: Model, frame: "pl.DataFrame", learned: Learned, name: str) -> np.ndarray:
    """Return which examples a model was not trained on, if its card has the rule that chose its test rows.

    Args:
        frame: the table from which *learned* was made.
        name: name of the table in messages.
    """
    rule = model.card.get("test", {})
    hashed = rule.get("hashed", ())
    if rule.get("rule") != HASH_RULE or rule.get("group") or rule.get("time") or not set(hashed) <= set(frame.columns):
        return np.zeros(len(learned.examples), bool)
    own = row_hashes(frame[learned.rows], tuple(hashed), name)
    return split.held_out(own, int(rule["seed"]), float(rule["size"]))


def column_names(examples: Examples) -> list[str]:
    """Return the names of the model's columns."""
    return list(dict.fromkeys(feature.column for feature in examples.features))
