"""The runs of a search. The learner and parameters of a run depend only on its number, the seed and the table's shape.

The first runs are the same in every search: the floor, a linear model, and four boosted models that are good on most
tables. The user's own estimators follow, then random candidates. On tables of this kind a random search ends as good as
a guided one. And a run that depends on no other run can be tried on any worker and in any order.

Random candidates are small on purpose: at most `MOST_LEAVES` leaves and `MOST_TREES` trees. So one model takes seconds,
and the deployed model is small and fast.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from epkit.core.train.plan import Candidate, Family

MOST_LEAVES: Final = 31
MOST_TREES: Final = 600
"""Greatest number of trees of a model with one output."""

MOST_TREES_IN_ALL: Final = 6000
"""Greatest number of trees of a model with one output for each class: each round grows one tree for each class."""

FIXED: Final = 6
"""Runs that are the same in every search, except for the seed."""

_FAMILIES: Final[tuple[tuple[Family, float], ...]] = (
    ("gbdt", 0.64),
    ("extra", 0.14),
    ("linear", 0.10),
    ("forest", 0.07),
    ("dart", 0.05),
)
_ROWS_A_LEAF: Final = 20
"""Least number of rows of the table for each row that a leaf must have."""

_LONGEST_STEP: Final = 0.3
"""With many classes, the learning rate is not raised above this."""

Parameters = Mapping[str, float | int | str | bool]


def schedule(runs: int, seed: int, *, rows: int, outputs: int, custom: tuple[str, ...] = ()) -> tuple[Candidate, ...]:
    """List the candidates of a search in the order in which they start.

    Args:
        runs: greatest number of candidates, without the user's own estimators.
        rows: number of rows of the search.
        outputs: margins of a row.
        custom: the user's own estimators. Their numbers follow those of the fixed runs, whatever *runs* is.

    Returns:
        Candidates, by ascending number.
    """
    own = range(FIXED + 1, FIXED + 1 + len(custom))
    numbers = [number for number in range(1, runs + len(own) + 1) if number not in own][:runs]
    return tuple(
        Candidate(run=number, family="custom", parameters={"make": custom[number - own.start]})
        if number in own
        else candidate(number, seed, rows=rows, outputs=outputs)
        for number in sorted((*numbers, *own))
    )


def candidate(run: int, seed: int, *, rows: int, outputs: int) -> Candidate:
    """Return one candidate. The same arguments give the same candidate, whatever else is tried.

    Args:
        run: its number, from 1.
        rows: number of rows of the search; limits the least rows of a leaf.
        outputs: margins of a row; limits the number of rounds.
    """
    draw = np.random.default_rng((seed, run))
    fixed: tuple[tuple[Family, Mapping[str, Any]], ...] = (
        ("naive", {}),
        ("linear", {"C": 1.0}),
        ("gbdt", _boosted(rounds=200, learning_rate=0.1, leaves=31, leaf_rows=20)),
        (
            "gbdt",
            _boosted(rounds=400, learning_rate=0.03, leaves=15, leaf_rows=40, columns=0.7, part=0.8, l2=1.0),
        ),
        ("gbdt", _boosted(rounds=400, learning_rate=0.05, leaves=7, leaf_rows=20, columns=0.5, part=0.8, l2=1.0)),
        ("extra", _boosted(rounds=400, learning_rate=0.08, leaves=31, leaf_rows=10, columns=0.6)),
    )
    if run <= FIXED:
        family, parameters = fixed[run - 1]
    else:
        family = _family(draw, outputs)
        parameters = _drawn(family, draw)
    return Candidate(run=run, family=family, parameters=_bounded(parameters, rows, outputs))


def _family(draw: np.random.Generator, outputs: int) -> Family:
    names, parts = zip(*_FAMILIES, strict=True)
    family: Family = names[int(draw.choice(len(names), p=parts))]
    # For each tree that dart drops it evaluates all its trees again, once for each class.
    return "gbdt" if family == "dart" and outputs > 1 else family


def _drawn(family: Family, draw: np.random.Generator) -> Mapping[str, Any]:
    match family:
        case "linear":
            return {"C": _rounded(10.0 ** draw.uniform(-3.0, 2.0))}
        case "forest":
            return _boosted(
                rounds=int(draw.choice([100, 150, 200])),
                learning_rate=1.0,
                leaves=MOST_LEAVES,
                leaf_rows=int(draw.choice([5, 10, 20])),
                columns=_rounded(draw.uniform(0.3, 0.8)),
                part=0.632,
            )
        case "dart":
            rate = _rounded(np.exp(draw.uniform(np.log(0.08), np.log(0.25))))
            return _boosted(
                rounds=int(draw.choice([80, 120, 160])),
                learning_rate=rate,
                leaves=int(draw.choice([7, 15, 31])),
                leaf_rows=int(draw.choice([10, 20, 40])),
                columns=_rounded(draw.uniform(0.4, 1.0)),
                part=_rounded(draw.uniform(0.6, 1.0)),
            ) | {"drop_rate": _rounded(draw.uniform(0.05, 0.2))}
        case _:
            rate = _rounded(np.exp(draw.uniform(np.log(0.02), np.log(0.2))))
            return _boosted(
                rounds=int(min(MOST_TREES, max(100, 12 / rate))),
                learning_rate=rate,
                leaves=int(draw.choice([4, 7, 15, 23, 31])),
                leaf_rows=int(draw.choice([5, 10, 20, 40, 80, 160])),
                columns=_rounded(draw.uniform(0.3, 1.0)),
                part=_rounded(draw.uniform(0.6, 1.0)),
                l2=_rounded(np.exp(draw.uniform(-3.0, 3.0))),
                smooth=float(draw.choice([1.0, 10.0, 30.0])),
            )


def _boosted(
    *,
    rounds: int,
    learning_rate: float,
    leaves: int,
    leaf_rows: int,
    columns: float = 1.0,
    part: float = 1.0,
    l2: float = 0.0,
    smooth: float = 10.0,
) -> dict[str, Any]:
    """Return parameters under LightGBM's names.

    Args:
        leaf_rows: least number of rows in a leaf.
        columns, part: fraction of the columns, and of the rows, that each tree uses.
        smooth: how strongly rare categories are pulled to the mean.
    """
    found: dict[str, Any] = {
        "rounds": rounds,
        "learning_rate": learning_rate,
        "num_leaves": leaves,
        "min_data_in_leaf": leaf_rows,
    }
    others = {"feature_fraction": (columns, 1.0), "lambda_l2": (l2, 0.0), "cat_smooth": (smooth, 10.0)}
    found |= {name: value for name, (value, default) in others.items() if value != default}
    return found | ({"bagging_fraction": part, "bagging_freq": 1} if part != 1.0 else {})


def _bounded(parameters: Mapping[str, Any], rows: int, outputs: int) -> Parameters:
    """Limit parameters for a small table, and for one with many classes."""
    if "rounds" not in parameters:
        return parameters
    wanted = int(parameters["rounds"])
    rounds = max(1, min(wanted, MOST_TREES_IN_ALL // outputs))
    rate = float(parameters["learning_rate"])
    if rounds < wanted:  # fewer rounds with a higher learning rate, within limits
        rate = max(rate, min(_LONGEST_STEP, _rounded(rate * wanted / rounds)))
    return {
        **parameters,
        "rounds": rounds,
        "learning_rate": rate,
        "min_data_in_leaf": max(1, min(parameters["min_data_in_leaf"], rows // _ROWS_A_LEAF)),
    }


def _rounded(value: float) -> float:
    """Round to four digits, so that the parameter that is shown is exactly the one that was used."""
    return float(f"{value:.4g}")
