"""Trains the bank-marketing model and writes it with its card: `python -m epkit.bank.train CSV`.

The data set is split once: four fifths to learn from, one fifth held out and looked at only for the metrics
of the card. One row in nine says `yes`, so a probability of 0.5 is a poor place to cut; the threshold is the
one with the highest F1 on predictions for the four fifths that were made by cross-validation, each by a model
that had not seen the row. The model that is stored has seen the four fifths, never the held-out one: the
metrics are its own.
"""

import argparse
import csv
import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from epkit.bank.model import CLASSES, COLUMNS, HERE, BankModel, encode

DATA_SHA256: Final = "8486deac8524001363f4257f3ece9cb6126beac8070b6b4b8c6e63713217a502"
SOURCE: Final = {
    "data": "Bank Marketing, UCI Machine Learning Repository 222",
    "authors": "S. Moro, P. Rita, P. Cortez",
    "doi": "10.24432/C5K306",
    "licence": "CC BY 4.0",
}
SEED: Final = 222
FOLDS: Final = 5
LEARNER: Final[Mapping[str, Any]] = {
    "learning_rate": 0.08,
    "max_iter": 150,
    "max_depth": 4,
    "min_samples_leaf": 40,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": SEED,
}
"""Deeper trees, more leaves and native categories change the AUC of cross-validation by less than 0.002."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the metrics of the held-out fifth, store the model.

    Args:
        arguments: those of the command line, None for the process's own.
    """
    parser = argparse.ArgumentParser(prog="python -m epkit.bank.train", description=__doc__)
    parser.add_argument("csv", type=Path, help="bankmarketing_train.csv, or the same with .gz")
    parser.add_argument("--output", type=Path, default=HERE, help="directory for model.npz and model.json")
    options = parser.parse_args(arguments)
    try:
        import sklearn  # noqa: F401
    except ImportError:
        sys.exit("epkit.bank.train: training needs scikit-learn: pip install scikit-learn")
    try:
        table, answers, digest = read(options.csv)
    except (OSError, EOFError, zlib.error, KeyError, ValueError) as error:
        sys.exit(f"epkit.bank.train: {options.csv}: not the data set: {error!r}")
    if digest != DATA_SHA256:
        say(f"note: sha256 of the data is {digest}, not the {DATA_SHA256} of the numbers in docs/start.md")
    card, arrays = train(table, answers)
    card["source"] = SOURCE | {"sha256": digest}
    options.output.mkdir(parents=True, exist_ok=True)
    np.savez(options.output / "model.npz", **arrays)
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    (options.output / "model.json").write_text(text, encoding="utf-8")
    for place, metrics in card["held_out"]["metrics"].items():
        say(f"{place:12} " + "  ".join(f"{name} {value:.4f}" for name, value in metrics.items()))


def say(line: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(line + "\n")


def read(path: Path) -> tuple[dict[str, list[Any]], np.ndarray, str]:
    """Read the data set.

    Returns:
        The columns; whether each row says `yes`; the SHA-256 of the unpacked file.

    Raises:
        OSError, EOFError, zlib.error: it cannot be read or unpacked.
        KeyError: it has not the columns of the data set.
        ValueError: it has no rows, or a number is none.
    """
    raw = path.read_bytes()
    content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    rows = list(csv.DictReader(content.decode("utf-8").splitlines(), restval=""))
    if not rows:
        raise ValueError("no rows")
    table = {name: [kind(row[name]) for row in rows] for name, kind in COLUMNS.items()}
    answers = np.array([CLASSES.index(row["y"]) for row in rows], dtype=np.int64)
    return table, answers, hashlib.sha256(content).hexdigest()


def train(table: Mapping[str, Sequence[Any]], answers: np.ndarray) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the model, pick the threshold, and measure both on the held-out fifth.

    Args:
        table: the columns of `COLUMNS`.
        answers: 1 for `yes`, a row each.

    Returns:
        The card and the arrays of the model.

    Raises:
        RuntimeError: the exported trees do not give the learner's probabilities.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    categories = {name: sorted(set(table[name])) for name, kind in COLUMNS.items() if kind is str}
    matrix = encode(table, categories)
    learn, held_out = split(answers)
    learner = HistGradientBoostingClassifier(**LEARNER)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    with threadpool_limits(1):  # threads that wait for each other cost more than they bring here
        unseen = cross_val_predict(learner, matrix[learn], answers[learn], cv=folds, method="predict_proba")[:, 1]
        learner.fit(matrix[learn], answers[learn])
    threshold = best_threshold(answers[learn], unseen)
    arrays = export(learner)

    # What is measured is what will be served: the exported trees, in numpy.
    model = BankModel(categories=categories, threshold=threshold, **arrays)
    probability = model.probability(table)
    if not np.allclose(learner.predict_proba(matrix)[:, 1], probability, rtol=0, atol=1e-12):
        raise RuntimeError("the exported trees and scikit-learn disagree: has its tree format changed?")
    truth, said = answers[held_out], probability[held_out]
    card = {
        "model": f"gradient-boosted trees: {LEARNER['max_iter']}, at most {LEARNER['max_depth']} levels each",
        "threshold": threshold,
        "threshold_chosen_by": f"highest F1 in {FOLDS}-fold cross-validation on the other four fifths",
        "held_out": {
            "rows": len(truth),
            "yes": int(truth.sum()),
            "metrics": {"at threshold": metrics(truth, said, threshold), "at 0.5": metrics(truth, said, 0.5)},
        },
        "categories": categories,
    }
    return card, arrays


def split(answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a fifth of each answer, by the seed.

    Args:
        answers: 1 for `yes`, a row each.

    Returns:
        The indices of the rows to learn from, and of those held out, both ascending.
    """
    generator = np.random.default_rng(SEED)
    shuffled = [generator.permutation(np.flatnonzero(answers == answer)) for answer in (0, 1)]
    held_out = np.sort(np.concatenate([rows[: len(rows) // 5] for rows in shuffled]))
    return np.setdiff1d(np.arange(len(answers)), held_out), held_out


def best_threshold(truth: np.ndarray, probability: np.ndarray) -> float:
    """Return the hundredth at which F1 is highest, the lowest of equals."""
    places = [hundredth / 100 for hundredth in range(1, 100)]
    return max(places, key=lambda place: f1(truth, probability >= place))


def f1(truth: np.ndarray, said: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall of `yes`; 0 where there is nothing to measure."""
    hits = np.count_nonzero(said & (truth == 1))
    wrong = np.count_nonzero(said != (truth == 1))
    return 2 * hits / (2 * hits + wrong) if hits else 0.0


def auc(truth: np.ndarray, probability: np.ndarray) -> float:
    """Return the chance that a `yes` is given a higher probability than a `no`; equal ones count half.

    Args:
        truth: 1 for `yes`, a row each; both answers occur.
        probability: of `yes`.

    Source: Mann & Whitney (1947); Hanley & McNeil (1982) show that it is the area under the ROC curve.
    """
    _, group, sizes = np.unique(probability, return_inverse=True, return_counts=True)
    rank = (np.cumsum(sizes) - (sizes - 1) / 2)[group]  # equal values share their mean rank
    yes = int(truth.sum())
    wins = float(rank[truth == 1].sum()) - yes * (yes + 1) / 2
    return wins / (yes * (len(truth) - yes))


def metrics(truth: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, float]:
    """Return accuracy, AUC and F1 of `yes`, to four places.

    Args:
        truth: 1 for `yes`, a row each.
        probability: of `yes`.
        threshold: probability from which a row is said to be `yes`.
    """
    said = probability >= threshold
    values = {
        "accuracy": np.mean(said == (truth == 1)),
        "AUC": auc(truth, probability),
        "F1": f1(truth, said),
    }
    return {name: round(float(value), 4) for name, value in values.items()}


def export(learner: Any) -> dict[str, Any]:
    """Return the arrays of `BankModel` from a fitted HistGradientBoostingClassifier.

    Source: scikit-learn's TreePredictor.nodes, which is not its public face: `train` checks the outcome.
    """
    trees = [tree.nodes for (tree,) in learner._predictors]  # noqa: SLF001
    nodes = np.concatenate(trees)
    sizes = np.array([len(tree) for tree in trees])
    roots = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    base = np.repeat(roots, sizes)
    leaf = nodes["is_leaf"].astype(bool)
    itself = np.arange(len(nodes))
    return {
        "baseline": float(learner._baseline_prediction.item()),  # noqa: SLF001
        "depth": int(nodes["depth"].max()),
        "roots": roots.astype(np.int32),
        "feature": np.where(leaf, 0, nodes["feature_idx"]).astype(np.uint8),
        "split": np.where(leaf, 0.0, nodes["num_threshold"]),
        "missing_left": ~leaf & nodes["missing_go_to_left"].astype(bool),
        "left": np.where(leaf, itself, base + nodes["left"]).astype(np.int32),
        "right": np.where(leaf, itself, base + nodes["right"]).astype(np.int32),
        "value": np.where(leaf, nodes["value"], 0.0),
    }


if __name__ == "__main__":
    main()
