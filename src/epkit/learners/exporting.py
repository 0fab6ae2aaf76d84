"""Exports fitted models as arrays for `epkit.served.model`. The source is LightGBM's text format.

Source: LightGBM's `Tree::ToString` and `Tree::Decision` (include/LightGBM/tree.h). The result is checked on rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from epkit.learners.base import LearnerError
from epkit.served.model import CATEGORICAL, MISSING_LEFT, ZERO_MISSING, margins

TOLERANCE: Final = 1e-9
"""Greatest difference from LightGBM's own margins: both add the same numbers, but in another order."""

OBJECTIVES: Final = (
    "binary sigmoid:1",
    "multiclass",
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
)
"""Objectives whose margins are those of `core.train.problem.probabilities`."""

_CATEGORICAL: Final = 1
_DEFAULT_LEFT: Final = 2
_MISSING_ZERO, _MISSING_NAN = 1, 2  # bits 2 and 3 of `decision_type`


def from_lightgbm(booster: Any, checked: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of a booster, up to its best iteration if it stopped early.

    Args:
        checked: float64, rows × features: for these rows the arrays must give the booster's own margins.

    Raises:
        LearnerError: the arrays cannot represent its objective or its trees, or the margins differ.
    """
    iterations = booster.best_iteration if booster.best_iteration > 0 else None
    text = booster.model_to_string(num_iteration=iterations)
    arrays = from_text(text)
    found = margins(arrays, checked)
    wanted = booster.predict(checked, raw_score=True, num_iteration=iterations, num_threads=1)
    # The raw score of a forest is the sum of its trees, but its answer is computed from their mean.
    wanted = np.reshape(wanted, found.shape) * _share(_fields(text.partition("\nTree=")[0]), len(arrays["roots"]))
    difference = np.abs(found - wanted).max(initial=0.0)
    if not difference <= TOLERANCE * max(1.0, float(np.abs(found).max(initial=0.0))):
        raise LearnerError(f"the exported trees and LightGBM differ by {difference:.1e}: has its format changed?")
    return arrays


def from_text(text: str) -> dict[str, np.ndarray]:
    """Return the arrays of a model in LightGBM's text format, version 4.

    Raises:
        LearnerError: as for `from_lightgbm`.
    """
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    header = _fields(head)
    objective = header.get("objective", "")
    known = any(objective == known or objective.startswith(f"{known} ") for known in OBJECTIVES)
    if not known or "sqrt" in objective.split():  # `reg_sqrt` squares the sum
        raise LearnerError(f"objective {objective!r}: its margins cannot be exported")
    outputs = int(header.get("num_tree_per_iteration", "1"))
    trees = [_Tree(_fields(block)) for block in blocks]
    if not trees:
        raise LearnerError("the booster has no trees")
    found: dict[str, np.ndarray] = {"base": np.zeros(outputs)}
    return found | _joined(trees, outputs, _share(header, len(trees)))


def _share(header: Mapping[str, str], trees: int) -> float:
    """Return the weight of each tree: in a forest, 1 divided by the number of trees for the same margin."""
    return int(header.get("num_tree_per_iteration", "1")) / trees if "average_output" in header else 1.0


def _joined(trees: "list[_Tree]", outputs: int, weight: float) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {}
    roots: list[int] = []
    nodes = words = 0
    for tree in trees:
        roots.append(nodes)
        for name, array in tree.arrays(nodes, words):
            parts.setdefault(name, []).append(array)
        nodes += tree.size
        words += len(tree.words)
    found = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return found | {
        "feature": found["feature"].astype(np.min_scalar_type(int(found["feature"].max()))),
        "value": found["value"] * weight,
        "roots": np.array(roots, np.int32),
        "output": (np.arange(len(trees)) % outputs).astype(np.int32),
    }


class _Tree:
    """A tree of the text. Its inner nodes come first, then its leaves."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        if fields.get("is_linear", "0") != "0":
            raise LearnerError("linear trees cannot be exported: leave out linear_tree")
        self.leaves = int(fields["num_leaves"])
        self.inner = self.leaves - 1
        self.size = self.inner + self.leaves

        def numbers(name: str, dtype: Any) -> np.ndarray:
            return np.array(fields.get(name, "").split(), dtype=dtype)

        self.value = numbers("leaf_value", np.float64)
        self.feature = numbers("split_feature", np.int32)[: self.inner]
        self.threshold = numbers("threshold", np.float64)[: self.inner]
        self.decision = numbers("decision_type", np.int32)[: self.inner]
        self.children = [numbers(name, np.int32)[: self.inner] for name in ("left_child", "right_child")]
        self.boundaries = numbers("cat_boundaries", np.int64)
        self.words, self.starts, self.counts = self._bit_sets(numbers("cat_threshold", np.uint64))

    def _bit_sets(self, halves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Join 32-bit words into 64-bit words, each set by itself; return words, starts and lengths of the sets."""
        sizes = np.diff(self.boundaries) if len(self.boundaries) else np.zeros(0, np.int64)
        counts = (sizes + 1) // 2
        starts = np.cumsum(counts) - counts
        words = np.zeros(int(counts.sum()), np.uint64)
        for place, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
            half = np.zeros(2 * ((size + 1) // 2), np.uint64)
            half[:size] = halves[self.boundaries[place] : self.boundaries[place] + size]
            words[start : start + len(half) // 2] = half[::2] | half[1::2] << np.uint64(32)
        return words, starts, counts

    def arrays(self, node: int, word: int) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the arrays of the tree; *node* nodes and *word* words precede its own."""
        leaf = np.arange(self.inner, self.size, dtype=np.int32) + np.int32(node)
        nothing = np.zeros(self.leaves, np.int32)
        categorical = (self.decision & _CATEGORICAL) != 0
        missing = self.decision >> 2 & 3
        default_left = (self.decision & _DEFAULT_LEFT) != 0
        # If the training data had no missing value, a missing number counts as 0, and a missing category goes right.
        missing_left = np.where(missing == 0, self.threshold >= 0.0, default_left) & ~categorical
        flags = np.where(categorical, CATEGORICAL, 0) | np.where(missing_left, MISSING_LEFT, 0)
        flags |= np.where((missing == _MISSING_ZERO) & ~categorical, ZERO_MISSING, 0)
        bit_set = np.where(categorical, self.threshold, 0).astype(np.intp)
        starts = np.append(self.starts, 0)[bit_set]
        counts = np.append(self.counts, 0)[bit_set]
        yield "feature", np.concatenate((self.feature, nothing))
        yield "split", np.concatenate((np.where(categorical, 0.0, self.threshold), np.zeros(self.leaves)))
        for name, children in zip(("left", "right"), self.children, strict=True):
            inside = np.where(children >= 0, children, self.inner - 1 - children)  # leaf k has the number ~k
            yield name, np.concatenate((inside + node, leaf)).astype(np.int32)
        yield "value", np.concatenate((np.zeros(self.inner), self.value))
        yield "flags", np.concatenate((flags, nothing)).astype(np.uint8)
        yield "mask", np.concatenate((np.where(categorical, starts + word, -1), nothing - 1)).astype(np.int32)
        yield "words_of", np.concatenate((np.where(categorical, counts, 0), nothing)).astype(np.int32)
        yield "words", self.words


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {name: value for name, _, value in pairs}
