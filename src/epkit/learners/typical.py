"""The exact contributions of the columns to the margins of a row, relative to a typical row, from the deployed arrays.

Every column has either the row's own value or that of the typical row. The contribution of a column is its Shapley
value in this game. The base and the contributions add up to the margins of the row. A column with the typical value
contributes nothing. TreeSHAP (`learners.contributions`) also needs the number of training rows at each node, which the
arrays do not have; this method needs only the arrays.

A tree is the sum of its leaves. Suppose that A columns lead to a leaf only with the row's values, and B columns only
with the typical ones. Then the leaf counts only if all of A have the row's values and none of B has. Each of A gets
(A-1)! B! / (A+B)! of its value, each of B gets -A! (B-1)! / (A+B)!. A leaf to which some column leads in neither way
contributes nothing.

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
"""Rows times conditions that are evaluated at a time: about 50 MB."""

_ZERO: Final = float(np.float32(1e-35))  # LightGBM treats smaller numbers as 0
_CONDITIONS: Final = 1 << 14  # conditions of trees that are evaluated at a time


def contributions(
    arrays: Mapping[str, np.ndarray], matrix: np.ndarray, typical: np.ndarray, players: Sequence[int], count: int
) -> np.ndarray:
    """Return float64, rows × players × margins: the contributions, to be added to the margins of the typical row.

    Args:
        arrays: of `model.npz`.
        matrix: float64, rows × features.
        typical: float64, one row of features.
        players: for each feature, the number of its column: all parts of a date have the same number.
        count: number of players.
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
    """Add the terms of a linear model: each term is its own contribution."""
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
    """Some trees, as the conditions of their leaves. Conditions of one column on the path to one leaf are adjacent.

    Args:
        arrays: of the model.
        node, left: for each condition, the node, and whether the path goes left.
        step: the first condition of each step: the conditions of one column on the path to one leaf.
        player: for each step.
        leaf: the first step of each leaf.
        value, output: for each leaf.
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
        """Add the contributions of the columns for some rows."""
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
        """Return for each row and step whether the column leads to the leaf."""
        nodes, at = np.unique(self.node, return_inverse=True)
        kept = _goes_left(self.arrays, nodes, matrix)[:, at] == self.left
        return np.asarray(np.logical_and.reduceat(kept, self.step, axis=1))


def _shares(count: int) -> np.ndarray:
    """Return (p-1)! q! / (p+q)! for p and q below *count*; 0 for p = 0."""
    return np.array([[0.0 if not p else 1.0 / (p * comb(p + q, p)) for q in range(count)] for p in range(count)])


def _goes_left(arrays: Mapping[str, np.ndarray], nodes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return bool, rows × nodes: whether a row goes left."""
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
    """Collects the leaves of some trees."""

    def __init__(self) -> None:
        self.conditions: list[tuple[int, bool]] = []
        self.steps: list[tuple[int, int]] = []
        self.leaves: list[tuple[int, float, int]] = []

    def add(self, way: "Sequence[_Condition]", value: float, output: int) -> None:
        """Add a leaf and the path to it."""
        self.leaves.append((len(self.steps), value, output))
        before = -1
        for player, node, left in sorted(way):
            if player != before:
                self.steps.append((len(self.conditions), player))
            self.conditions.append((node, left))
            before = player

    def group(self, arrays: Mapping[str, np.ndarray]) -> _Group:
        """Return the collected leaves as arrays."""
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
"""Player, node, and whether the path goes left."""


def _groups(arrays: Mapping[str, np.ndarray], players: np.ndarray) -> Iterator[_Group]:
    """Split the trees into groups of about `_CONDITIONS` conditions."""
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
            elif way:  # a tree with one leaf adds the same to every row
                found.add(way, value[node], output)
        if len(found.conditions) >= _CONDITIONS:
            yield found.group(arrays)
            found = _Leaves()
    if found.conditions:
        yield found.group(arrays)
