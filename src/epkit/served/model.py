"""A trained model: `card.json` says what the columns mean, `model.npz` holds trees and coefficients; numpy scores it.

Theory of operation. Rows become a matrix of float64: a number is itself, a category its place in the card's list, a
date some numbers. What a model adds up for a row are its margins: the log-odds of the positive class, one margin a
class, or the number that is predicted. margins = base + trees + linear. A vote is the weighted sum of its members, put
into one set of arrays by `combine`. The arrays, K margins wide:

    base            f8[K]
    roots, output   i4[T]    of a tree: its first node, the margin that it adds to
    feature         [N]      of a node: the column of the matrix that it looks at
    split           f8[N]    a number goes left where it is ≤ this
    left, right     i4[N]    children; a leaf is its own child
    value           f8[N]    what a leaf adds
    flags           u1[N]    CATEGORICAL, MISSING_LEFT, ZERO_MISSING
    mask, words_of  i4[N]    of a categorical node: its first word in `words` (else -1), and how many it has
    words           u8[W]    bit sets of the codes that go left
    linear_feature, linear_code  i4[D]   code ≥ 0: 1 where the value has it; -1: the standardised number, 0 where it is
                                         missing; -2: 1 where it is missing
    linear_mean, linear_scale    f8[D]
    linear_weight                f8[D, K]

A model without trees has none of the arrays of trees, one without coefficients none of those.

Trees are not walked. Each leaf has a bit in words of 16 bits, and an answer of a node takes away the leaves on its
other side. All that a column does to all words depends on where its value lies among the splits, so that there is a row
of words for each such range; the rows of a row's columns, ANDed, leave the one bit of the leaf that it ends in.

Source: Lucchese et al. (2015), QuickScorer, with ranges looked up in place of nodes.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

import numpy as np

from epkit.served.encoding import Encoder

CATEGORICAL: Final = 1
MISSING_LEFT: Final = 2
ZERO_MISSING: Final = 4
"""In `flags`: a zero counts as missing, as LightGBM's `zero_as_missing` has it."""

_ZERO: Final = float(np.float32(1e-35))  # LightGBM's kZeroThreshold
_WORD_BITS: Final = 16
_ALL: Final = np.uint16(0xFFFF)
_GROUP_WORDS: Final = 512  # of trees whose tables are one: bounds the memory, which grows with its square
_MOST_CODES: Final = 1 << 16  # of a column: tables have a row for each
_BLOCK_BYTES: Final = 256 << 10  # of words that are ANDed at once: within the processor's cache


class Scorer(Protocol):
    """What gives margins for a matrix."""

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × margins."""


class Arrays:
    """The arrays of `model.npz`, made ready to score."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Make ready.

        Raises:
            ValueError: they are no trees, or point beyond their ends.
        """
        _check(arrays)
        self.base = np.asarray(arrays["base"], np.float64)
        self._groups = list(_groups(arrays)) if "roots" in arrays and len(arrays["roots"]) else []
        self._linear = _Linear(arrays) if "linear_feature" in arrays and len(arrays["linear_feature"]) else None

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × margins.

        Args:
            matrix: float64, rows × columns as `Model.encode` makes them.
        """
        found = np.empty((len(matrix), len(self.base)))
        found[:] = self.base
        for group in self._groups:
            group.add(matrix, found)
        if self._linear is not None:
            self._linear.add(matrix, found)
        return found


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    outputs = len(arrays["base"])
    if "roots" in arrays:
        left, right, count = arrays["left"], arrays["right"], len(arrays["feature"])
        node = np.arange(count)
        leaf = (left == node) & (right == node)
        inner = (left > node) & (right > node) & (left < count) & (right < count)
        children = np.concatenate((left[inner], right[inner], arrays["roots"]))
        ends = arrays["mask"].astype(np.int64) + arrays["words_of"]
        if not (
            (leaf | inner).all()  # no way leads back
            and len(_distinct(children)) == len(children)  # nor do two lead to one node
            and _within(arrays["roots"], count)
            and _within(arrays["output"], outputs)
            and _within(ends[(arrays["flags"] & CATEGORICAL) != 0], len(arrays["words"]) + 1)
        ):
            raise ValueError("the arrays are no trees")
    if "linear_weight" in arrays:
        shape = (len(arrays["linear_feature"]), outputs)
        if arrays["linear_weight"].shape != shape or not _within(arrays["linear_code"] + 2, _MOST_CODES):
            raise ValueError("the arrays are no coefficients")


def _distinct(values: np.ndarray) -> np.ndarray:
    """Return the values that there are, ascending; `np.unique` imports `numpy.ma`, as long as all else here takes."""
    ordered = np.sort(values)
    found: np.ndarray = ordered[_begins(ordered)]
    return found


def _begins(ordered: np.ndarray) -> np.ndarray:
    """Tell of each of some ordered values whether it is another than the one before it."""
    begins = np.ones(len(ordered), bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    return begins


def _within(places: np.ndarray, count: int) -> bool:
    return not len(places) or bool(places.min() >= 0 and places.max() < count)


class _Linear:
    """Coefficients, by what they are multiplied with: numbers, codes, missing values."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        feature, code, weight = arrays["linear_feature"], arrays["linear_code"], arrays["linear_weight"]
        numbers, missing = code == -1, code == -2
        self._numbers, self._missing = feature[numbers], feature[missing]
        self._mean, self._scale = arrays["linear_mean"][numbers], arrays["linear_scale"][numbers]
        self._weight, self._missing_weight = weight[numbers], weight[missing]
        self._codes: list[tuple[int, np.ndarray]] = []
        for column in _distinct(feature[code >= 0]).tolist():
            own = (feature == column) & (code >= 0)
            table = np.zeros((int(code[own].max()) + 2, weight.shape[1]))  # the last row: a code without one
            table[code[own]] = weight[own]
            self._codes.append((column, table))

    def add(self, matrix: np.ndarray, margins: np.ndarray) -> None:
        if len(self._numbers):
            standardised = (matrix[:, self._numbers] - self._mean) / self._scale
            margins += np.where(np.isnan(standardised), 0.0, standardised) @ self._weight
        if len(self._missing):
            margins += np.isnan(matrix[:, self._missing]) @ self._missing_weight
        for column, table in self._codes:
            margins += table[_codes(matrix[:, column], len(table) - 1)]


def _codes(values: np.ndarray, most: int) -> np.ndarray:
    """Return codes as whole numbers; *most* for those that are missing or beyond."""
    return np.where((values >= 0) & (values < most), values, most).astype(np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """What one column does to the words of a group of trees.

    Args:
        place: of the column in the matrix.
        edges: of the ranges of numbers, ascending, infinity last: a missing value is behind it; None for codes.
        table: uint16, ranges (or codes, and one for all others) × words: the leaves that are left.
    """

    place: int
    edges: np.ndarray | None
    table: np.ndarray

    def ranges(self, matrix: np.ndarray) -> np.ndarray:
        values = matrix[:, self.place]
        found = _codes(values, len(self.table) - 1) if self.edges is None else self.edges.searchsorted(values)
        return np.asarray(found)


class _Group:
    """Some trees of one model, and the leaves of each as bits of words."""

    def __init__(self, columns: list[_Column], all_leaves: np.ndarray, values: np.ndarray, outputs: np.ndarray) -> None:
        """Take what was built.

        Args:
            all_leaves: uint16: the words before any column was looked at.
            values: float64, words × 17: what a bit adds, from the lowest; of no bit nothing, at place 0.
            outputs: of each word: the margin that it adds to, ascending.
        """
        self._columns, self._values = columns, values.reshape(-1)
        self._offsets = np.arange(len(outputs), dtype=np.intp) * (_WORD_BITS + 1)
        self._starts = np.flatnonzero(_begins(outputs))
        self._outputs = outputs[self._starts]
        self._all = all_leaves
        self._block = max(16, _BLOCK_BYTES // (2 * len(outputs)))

    def add(self, matrix: np.ndarray, margins: np.ndarray) -> None:
        for start in range(0, len(matrix), self._block):
            block = slice(start, start + self._block)
            leaves = self._leaves(matrix[block])
            added = self._values[_PLACE[leaves] + self._offsets]
            if len(self._starts) == 1:
                margins[block, self._outputs[0]] += added.sum(axis=1)
            else:
                margins[block, self._outputs] += np.add.reduceat(added, self._starts, axis=1)

    def _leaves(self, matrix: np.ndarray) -> np.ndarray:
        left = np.empty((len(matrix), len(self._all)), np.uint16)
        left[:] = self._all
        for column in self._columns:
            left &= column.table[column.ranges(matrix)]
        return left


_PLACE: Final = np.zeros(1 << _WORD_BITS, np.intp)
"""By a word with one bit: its place from 1; 0 for none."""
_PLACE[1 << np.arange(_WORD_BITS)] = np.arange(1, _WORD_BITS + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaves:
    """Where the leaves of a tree are: its leaf k, from the left, is bit k % 16 of its word k // 16.

    Args:
        first, middle, last: of each inner node: its leaves are [first, last), those of its left child end at middle.
        node, leaf: the nodes of the two.
    """

    node: np.ndarray
    first: np.ndarray
    middle: np.ndarray
    last: np.ndarray
    leaf: np.ndarray


def _leaves_of(root: int, left: list[int], right: list[int]) -> _Leaves:
    node: list[int] = []
    spans: list[list[int]] = []
    leaf: list[int] = []
    stack: list[tuple[int, int]] = [(root, -1)]  # a node to visit, or one whose child is done: ~node, its span
    while stack:
        here, span = stack.pop()
        if span >= 0:
            spans[span].append(len(leaf))
        elif left[here] == here:
            leaf.append(here)
        else:
            node.append(here)
            spans.append([len(leaf)])
            own = len(spans) - 1
            stack += [(here, own), (right[here], -1), (here, own), (left[here], -1)]
    first, middle, last = np.array(spans, np.int64).reshape(-1, 3).T
    return _Leaves(node=np.array(node, np.intp), first=first, middle=middle, last=last, leaf=np.array(leaf, np.intp))


def _groups(arrays: Mapping[str, np.ndarray]) -> "list[_Group]":
    left, right = arrays["left"].tolist(), arrays["right"].tolist()
    trees: list[_Leaves] = []
    outputs: list[int] = []
    groups: list[_Group] = []
    words = 0
    for tree in np.argsort(arrays["output"], kind="stable").tolist():
        leaves = _leaves_of(int(arrays["roots"][tree]), left, right)
        trees.append(leaves)
        outputs.append(int(arrays["output"][tree]))
        words += _words(leaves)
        if words >= _GROUP_WORDS:
            groups.append(_group(arrays, trees, outputs))
            trees, outputs, words = [], [], 0
    return [*groups, _group(arrays, trees, outputs)] if trees else groups


def _words(leaves: _Leaves) -> int:
    return -(-len(leaves.leaf) // _WORD_BITS)


def _group(arrays: Mapping[str, np.ndarray], trees: list[_Leaves], outputs: list[int]) -> _Group:
    counts = np.array([_words(leaves) for leaves in trees])
    starts = np.concatenate(([0], np.cumsum(counts)))
    values = np.zeros((starts[-1], _WORD_BITS + 1))
    all_leaves = np.zeros(starts[-1], np.uint16)
    for leaves, start in zip(trees, starts.tolist(), strict=False):
        word, bit = np.divmod(np.arange(len(leaves.leaf)), _WORD_BITS)
        values[start + word, bit + 1] = arrays["value"][leaves.leaf]
        np.bitwise_or.at(all_leaves, start + word, (1 << bit).astype(np.uint16))
    marks = _marks(trees, starts)
    feature = arrays["feature"][marks.node].astype(np.intp)
    categorical = (arrays["flags"][marks.node] & CATEGORICAL) != 0
    columns: list[_Column] = []
    for place in _distinct(feature).tolist():
        for kind, build in ((False, _numeric), (True, _categorical)):
            own = marks.only((feature == place) & (categorical == kind))
            if len(own.node):
                columns.append(build(place, own, arrays, int(starts[-1])))
    return _Group(columns, all_leaves, values, np.repeat(outputs, counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """What the inner nodes do to the words; an entry a node and word that it changes.

    Args:
        word: which one.
        if_left, if_right: uint16: the leaves that remain where the node's answer is left, or right.
    """

    node: np.ndarray
    word: np.ndarray
    if_left: np.ndarray
    if_right: np.ndarray

    def only(self, which: np.ndarray) -> "_Marks":
        parts = (self.node[which], self.word[which], self.if_left[which], self.if_right[which])
        return _Marks(node=parts[0], word=parts[1], if_left=parts[2], if_right=parts[3])

    def where(self, left: np.ndarray) -> np.ndarray:
        return np.where(left, self.if_left, self.if_right)


def _marks(trees: list[_Leaves], starts: np.ndarray) -> _Marks:
    node = np.concatenate([leaves.node for leaves in trees])
    tree = np.repeat(np.arange(len(trees)), [len(leaves.node) for leaves in trees])
    first, middle, last = (
        np.concatenate([getattr(leaves, name) for leaves in trees]) for name in ("first", "middle", "last")
    )
    lowest = first // _WORD_BITS
    count = (last - 1) // _WORD_BITS - lowest + 1  # words that the node has leaves in
    entry = np.repeat(np.arange(len(node)), count)
    within = lowest[entry] + np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
    bit = within * _WORD_BITS
    return _Marks(
        node=node[entry],
        word=starts[tree[entry]] + within,
        if_left=~_bits(middle[entry] - bit, last[entry] - bit),
        if_right=~_bits(first[entry] - bit, middle[entry] - bit),
    )


def _bits(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return uint16 whose bits [start, stop) are set, as far as they are within the word."""
    low, high = np.clip(start, 0, _WORD_BITS), np.clip(stop, 0, _WORD_BITS)
    return np.asarray((1 << high) - (1 << low), np.uint16)


def _numeric(place: int, marks: _Marks, arrays: Mapping[str, np.ndarray], words: int) -> _Column:
    split, flags = arrays["split"][marks.node], arrays["flags"][marks.node]
    zero_missing = (flags & ZERO_MISSING) != 0
    zero_edges = [np.nextafter(-_ZERO, -np.inf), _ZERO] if zero_missing.any() else []
    edges = _distinct(np.concatenate((split, zero_edges, [np.inf])))
    at = edges.searchsorted(split)
    table = np.full((len(edges) + 1, words), _ALL)
    np.bitwise_and.at(table, (at, marks.word), marks.if_left)  # left up to the range that ends at the split
    table[:-1] = np.bitwise_and.accumulate(table[-2::-1])[::-1]
    above = np.full_like(table, _ALL)
    np.bitwise_and.at(above, (at + 1, marks.word), marks.if_right)
    table &= np.bitwise_and.accumulate(above)
    missing_left = (flags & MISSING_LEFT) != 0
    special = {len(edges): missing_left}
    if len(zero_edges):
        below, zero = edges.searchsorted(zero_edges)
        special |= {row: np.where(zero_missing, missing_left, at >= row) for row in range(below + 1, zero + 1)}
    for row, goes_left in special.items():
        table[row] = _ALL
        np.bitwise_and.at(table[row], marks.word, marks.where(goes_left))
    return _Column(place=place, edges=edges, table=table)


def _categorical(place: int, marks: _Marks, arrays: Mapping[str, np.ndarray], words: int) -> _Column:
    start, count = arrays["mask"][marks.node].astype(np.intp), arrays["words_of"][marks.node].astype(np.intp)
    blocks = int(count.max())
    table = np.full((blocks * 64 + 1, words), _ALL)
    place_in_block = np.arange(64)[:, None]
    for block in range(blocks):
        known = count > block
        bits = arrays["words"][np.where(known, start + block, 0)] >> place_in_block.astype(np.uint64)
        goes_left = known & ((bits & np.uint64(1)) != 0)
        rows = table[block * 64 : block * 64 + 64]
        np.bitwise_and.at(rows, (place_in_block, marks.word), marks.where(goes_left))
    np.bitwise_and.at(table[-1], marks.word, marks.if_right)  # missing, or seen by no node
    return _Column(place=place, edges=None, table=table)


def margins(arrays: Mapping[str, np.ndarray], matrix: np.ndarray) -> np.ndarray:
    """Return float64, rows × margins, of arrays that are used once; else keep an `Arrays`."""
    return Arrays(arrays).margins(np.asarray(matrix, np.float64))


def combine(weighted: Sequence[tuple[float, Mapping[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Put the members of a vote into one model: its margins are the weighted sum of theirs.

    Args:
        weighted: weight and arrays of each member.
    """
    found: dict[str, np.ndarray] = {"base": np.sum([weight * arrays["base"] for weight, arrays in weighted], axis=0)}
    trees = [(weight, arrays) for weight, arrays in weighted if "roots" in arrays]
    if trees:
        found |= _combined_trees(trees)
    linear = [(weight, arrays) for weight, arrays in weighted if "linear_feature" in arrays]
    if linear:
        for name in ("linear_feature", "linear_code", "linear_mean", "linear_scale"):
            found[name] = np.concatenate([arrays[name] for _, arrays in linear])
        found["linear_weight"] = np.concatenate([weight * arrays["linear_weight"] for weight, arrays in linear])
    return found


def _combined_trees(trees: Sequence[tuple[float, Mapping[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    nodes = np.cumsum([0, *(len(arrays["feature"]) for _, arrays in trees)])
    words = np.cumsum([0, *(len(arrays["words"]) for _, arrays in trees)])
    parts: dict[str, list[np.ndarray]] = {}
    for (weight, arrays), node, word in zip(trees, nodes.tolist(), words.tolist(), strict=False):
        mask = arrays["mask"].astype(np.int32)
        own = {name: arrays[name] for name in ("output", "feature", "split", "flags", "words_of", "words")}
        own |= {name: arrays[name].astype(np.int32) + np.int32(node) for name in ("roots", "left", "right")}
        own |= {"value": weight * arrays["value"], "mask": np.where(mask < 0, mask, mask + np.int32(word))}
        for name, array in own.items():
            parts.setdefault(name, []).append(array)
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


READERS: Final[dict[str, Callable[[Path, Mapping[str, Any]], Scorer]]] = {}
"""Who reads the model itself, by `card["model"]["kind"]`."""


TASKS: Final = ("binary", "multiclass", "regression")


def _read_arrays(directory: Path, card: Mapping[str, Any]) -> Scorer:
    # From memory, where a damaged file makes no errors of the system.
    with np.load(io.BytesIO((directory / "model.npz").read_bytes()), allow_pickle=False) as file:
        arrays = dict(file)
    width = sum(Encoder(column).width for column in card["columns"])
    outputs = len(card["label"]["classes"]) if card["label"]["task"] == "multiclass" else 1
    places = [arrays[name] for name in ("feature", "linear_feature") if name in arrays]
    if len(arrays["base"]) != outputs or not all(_within(one, width) for one in places):
        raise ValueError("the arrays are of another card")
    return Arrays(arrays)


READERS["arrays"] = _read_arrays


def _reader(kind: str) -> Callable[[Path, Mapping[str, Any]], Scorer]:
    if kind not in READERS:
        raise ValueError(f"a model of the kind {kind!r}, which nothing here reads")
    return READERS[kind]


class Model:
    """A card, and what gives margins.

    Args:
        card: as `card.json` has it.
        scorer: of the encoded rows.
    """

    def __init__(self, card: Mapping[str, Any], scorer: Scorer) -> None:
        self.card, self.scorer = card, scorer
        label = card["label"]
        self.task: str = label["task"]
        self.classes: tuple[Any, ...] = tuple(label["classes"])
        self.positive, self.threshold = 1, 0.5
        if self.task == "binary":
            self.positive, self.threshold = [0, 1].index(label["positive"]), float(card["threshold"]["value"])
        if self.task not in TASKS or (self.task == "binary") != (len(self.classes) == 2):
            raise ValueError(f"a label that is {self.task!r} and has {len(self.classes)} classes")
        self.encoders = tuple(Encoder(column, strict=True) for column in card["columns"])

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read `card.json` and the model.

        Raises:
            OSError: one of them cannot be read.
            ValueError: it is not what it should be.
        """
        try:
            card = json.loads((Path(directory) / "card.json").read_text(encoding="utf-8"))
            return cls(card, _reader(card["model"]["kind"])(Path(directory), card))
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - numpy and zipfile raise what they like about a foreign file
            words = (str(error).splitlines() or [""])[0]
            raise ValueError(f"{directory}: not a model: {type(error).__name__}: {words}") from None

    def encode(self, table: Mapping[str, Sequence[Any] | np.ndarray]) -> np.ndarray:
        """Return float64, rows × columns, of the values of every column, all of one length.

        Raises:
            KeyError: a column is not there.
            BadValueError: a value that its column cannot have.
        """
        encoded = [encoder(table[encoder.name]) for encoder in self.encoders]
        return np.concatenate(encoded, axis=1) if encoded else np.empty((0, 0))

    def probabilities(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × classes in the card's order; of a regression rows × 1, the numbers."""
        margins = self.scorer.margins(matrix)
        if self.task == "regression":
            return margins
        if self.task == "binary":
            positive = 1.0 / (1.0 + np.exp(-np.clip(margins[:, 0], -700.0, 700.0)))
            pair = (1.0 - positive, positive)
            return np.column_stack(pair if self.positive == 1 else pair[::-1])
        shifted = np.exp(margins - margins.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def answers(self, probabilities: np.ndarray) -> list[Any]:
        """Return the class of each row, at the card's threshold where there are two; of a regression the numbers."""
        if self.task == "regression":
            numbers: list[Any] = probabilities[:, 0].tolist()
            return numbers
        if self.task == "binary":
            at_least = probabilities[:, self.positive] >= self.threshold
            return [self.classes[place] for place in np.where(at_least, self.positive, 1 - self.positive).tolist()]
        return [self.classes[place] for place in probabilities.argmax(axis=1).tolist()]

    def predict(self, table: Mapping[str, Sequence[Any] | np.ndarray]) -> list[Any]:
        """Return the answer of each row, in the label's own words or numbers: see `encode` and `answers`."""
        return self.answers(self.probabilities(self.encode(table)))

    def predict_proba(self, table: Mapping[str, Sequence[Any] | np.ndarray]) -> np.ndarray:
        """Return float64, rows × classes: see `encode` and `probabilities`."""
        return self.probabilities(self.encode(table))
