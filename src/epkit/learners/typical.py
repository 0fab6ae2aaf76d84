"""What each column of a row adds to its margins, compared with a typical row: exactly, from the deployed arrays.

Every column of the row takes either its own value or that of the typical row; the contribution of a column is its
Shapley value in this game. Base and contributions sum to the margins of the row, and a column whose value is the
typical one adds nothing. In contrast to TreeSHAP (`learners.contributions`) nothing but the arrays is needed: they do
not say how many rows came through each node.

A tree is the sum of its leaves. Where A columns lead to a leaf by the row's values alone, and B by the typical ones
alone, the leaf counts only if all of A take the row's values and all of B do not: each of A gets (A-1)! B! / (A+B)! of
its value, each of B gets -A! (B-1)! / (A+B)!. A leaf that some column never leads to gives nothing.

Source: Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees,
interventional TreeSHAP for one background row; Sundararajan & Najmi (2020), The many Shapley values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np

from epkit.served.model import CATEGORICAL, MISSING_LEFT, ZERO_MISSING

MOST_CELLS: Final = 1 << 22
"""Rows times conditions of trees that are looked at together: some 50 MB."""

_ZERO: Final = float(np.float32(1e-35))  # what LightGBM takes for 0
_CONDITIONS: Final = 1 << 14  # of trees that are looked at together


def contributions(
    arrays: Mapping[str, np.ndarray], matrix: np.ndarray, typical: np.ndarray, players: Sequence[int], count: int
) -> np.ndarray:
    """Return float64, rows × players × margins: what is added to the margins of the typical row.

    Args:
        arrays: of `model.npz`.
        matrix: float64, rows × features.
        typical: float64, a row of features.
        players: of each feature the number of the column that it belongs to: the parts of a date go together.
        count: of the players.
    """
    found = np.zeros((len(matrix), count, len(arrays["base"])))
    if "linear_feature" in arrays:
        _add_terms(arrays, matrix, typical, players, found)
    if "roots" in arrays:
        for group in _groups(arrays, np.asarray(players, np.intp)):
            block = max(1, MOST_CELLS // max(1, len(group.node)))
            for start in range(0, len(matrix), block):
                group.add(matrix[start : start + block], typical, found[start : start + block])
    return found


def _add_terms(
    arrays: Mapping[str, np.ndarray],
    matrix: np.ndarray,
    typical: np.ndarray,
    players: Sequence[int],
    found: np.ndarray,
) -> None:
    """Add the terms of a sum: each is its own contribution."""
    names = ("linear_feature", "linear_code", "linear_mean", "linear_scale", "linear_weight")
    for feature, code, mean, scale, weights in zip(*(arrays[name] for name in names), strict=True):
        column = np.append(matrix[:, feature], typical[feature])
        if code == -1:
            term = np.where(np.isnan(column), 0.0, (column - mean) / scale)
        else:
            term = (np.isnan(column) if code == -2 else column == code).astype(np.float64)
        found[:, players[feature]] += np.outer(term[:-1] - term[-1], weights)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Group:
    """Some trees: the conditions of their leaves, those of one column on the way to one leaf next to each other.

    Args:
        arrays: of the model.
        node, left: of each condition the node, and whether its answer has to be left.
        step: the first condition of each step, which is what one column decides on the way to one leaf.
        player: of each step.
        leaf: the first step of each leaf.
        value, output: of each leaf.
    """

    arrays: Mapping[str, np.ndarray]
    node: np.ndarray
    left: np.ndarray
    step: np.ndarray
    player: np.ndarray
    leaf: np.ndarray
    value: np.ndarray
    output: np.ndarray

    def add(self, matrix: np.ndarray, typical: np.ndarray, found: np.ndarray) -> None:
        """Add what the columns of some rows contribute."""
        led = self._led(np.vstack((matrix, typical)))
        own, usual = led[:-1], led[-1]
        by_row, by_typical = own & ~usual, ~own & usual
        a = np.add.reduceat(by_row, self.leaf, axis=1, dtype=np.intp)
        b = np.add.reduceat(by_typical, self.leaf, axis=1, dtype=np.intp)
        value = np.where(np.logical_or.reduceat(~own & ~usual, self.leaf, axis=1), 0.0, self.value)
        share = _shares(int(max(a.max(initial=0), b.max(initial=0))) + 1)
        steps = np.repeat(np.arange(len(self.leaf)), np.diff(np.append(self.leaf, len(self.step))))
        added = np.where(by_row, (value * share[a, b])[:, steps], 0.0)
        added -= np.where(by_typical, (value * share[b, a])[:, steps], 0.0)
        places = self.player * found.shape[2] + self.output[steps]
        order = np.argsort(places, kind="stable")
        first = np.flatnonzero(np.diff(places[order], prepend=-1))
        flat = found.reshape(len(found), -1)
        flat[:, places[order][first]] += np.add.reduceat(added[:, order], first, axis=1)

    def _led(self, matrix: np.ndarray) -> np.ndarray:
        """Tell of each row and step whether the column leads to the leaf."""
        nodes, at = np.unique(self.node, return_inverse=True)
        kept = _goes_left(self.arrays, nodes, matrix)[:, at] == self.left
        return np.asarray(np.logical_and.reduceat(kept, self.step, axis=1))


def _shares(count: int) -> np.ndarray:
    """Return (p-1)! q! / (p+q)! for p and q below *count*; 0 for p = 0."""
    return np.array([[0.0 if not p else 1.0 / (p * comb(p + q, p)) for q in range(count)] for p in range(count)])


def _goes_left(arrays: Mapping[str, np.ndarray], nodes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return bool, rows × nodes: which way a row goes."""
    values, flags = matrix[:, arrays["feature"][nodes].astype(np.intp)], arrays["flags"][nodes]
    gone = np.isnan(values) | (((flags & ZERO_MISSING) != 0) & (np.abs(values) <= _ZERO))
    left = np.where(gone, (flags & MISSING_LEFT) != 0, values <= arrays["split"][nodes])
    categorical = np.flatnonzero((flags & CATEGORICAL) != 0)
    if len(categorical):
        own = nodes[categorical]
        codes = values[:, categorical]
        known = (codes >= 0) & (codes < 64 * arrays["words_of"][own].astype(np.int64))
        codes = np.where(known, codes, 0).astype(np.int64)
        word = np.where(known, arrays["mask"][own].astype(np.int64) + codes // 64, 0)
        bits = arrays["words"][word] >> (codes % 64).astype(np.uint64)
        left[:, categorical] = known & ((bits & np.uint64(1)) != 0)
    return np.asarray(left)


class _Leaves:
    """The leaves of some trees, as they are found."""

    def __init__(self) -> None:
        self.conditions: list[tuple[int, bool]] = []
        self.steps: list[tuple[int, int]] = []
        self.leaves: list[tuple[int, float, int]] = []

    def add(self, way: "Sequence[_Condition]", value: float, output: int) -> None:
        """Take a leaf, and the way to it."""
        self.leaves.append((len(self.steps), value, output))
        before = -1
        for player, node, left in sorted(way):
            if player != before:
                self.steps.append((len(self.conditions), player))
            self.conditions.append((node, left))
            before = player

    def group(self, arrays: Mapping[str, np.ndarray]) -> _Group:
        """Return them as arrays."""
        nodes, answers = zip(*self.conditions, strict=True)
        steps, players = zip(*self.steps, strict=True)
        leaves, values, outputs = zip(*self.leaves, strict=True)
        return _Group(
            arrays=arrays,
            node=np.array(nodes, np.intp),
            left=np.array(answers, np.bool_),
            step=np.array(steps, np.intp),
            player=np.array(players, np.intp),
            leaf=np.array(leaves, np.intp),
            value=np.array(values),
            output=np.array(outputs, np.intp),
        )


_Condition = tuple[int, int, bool]
"""Player, node, whether its answer has to be left."""


def _groups(arrays: Mapping[str, np.ndarray], players: np.ndarray) -> Iterator[_Group]:
    """Cut the trees into groups of `_CONDITIONS` or a few more."""
    left, right, value = arrays["left"].tolist(), arrays["right"].tolist(), arrays["value"].tolist()
    player = players[arrays["feature"].astype(np.intp)].tolist()
    found = _Leaves()
    for root, output in zip(arrays["roots"].tolist(), arrays["output"].tolist(), strict=True):
        stack: list[tuple[int, tuple[_Condition, ...]]] = [(root, ())]
        while stack:
            node, way = stack.pop()
            if left[node] != node:
                stack.append((right[node], (*way, (player[node], node, False))))
                stack.append((left[node], (*way, (player[node], node, True))))
            elif way:  # a tree of one leaf adds the same to every row
                found.add(way, value[node], output)
        if len(found.conditions) >= _CONDITIONS:
            yield found.group(arrays)
            found = _Leaves()
    if found.conditions:
        yield found.group(arrays)
