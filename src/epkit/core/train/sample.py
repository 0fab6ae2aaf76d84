"""Generates a table like the course's: telephone calls of a bank, and whether a deposit was sold.

All values are drawn at random; no row is a real customer. The names of the columns, their words and the economic
figures are those of the Bank Marketing set (Moro, Cortez and Rita, 2014). So a model that is trained on this table
accepts the course's payloads.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

ROWS: Final = 8_000
SEED: Final = 2014

_ECONOMY: Final = (
    # emp.var.rate, cons.price.idx, cons.conf.idx, euribor3m, nr.employed; month; weight, log-odds of a sale
    (1.1, 93.994, -36.4, 4.857, 5191.0, "may", 19.0, -1.2),
    (1.4, 94.465, -41.8, 4.961, 5228.1, "jun", 12.0, -1.0),
    (1.4, 93.918, -42.7, 4.962, 5228.1, "jul", 17.0, -1.2),
    (1.4, 93.444, -36.1, 4.964, 5228.1, "aug", 13.0, -1.2),
    (-0.1, 93.2, -42.0, 4.120, 5195.8, "nov", 9.0, -0.8),
    (-1.8, 92.893, -46.2, 1.299, 5099.1, "may", 14.0, -0.1),
    (-1.8, 93.075, -47.1, 1.405, 5099.1, "apr", 6.0, 0.3),
    (-2.9, 92.201, -31.4, 0.879, 5076.2, "aug", 2.5, 1.6),
    (-3.4, 92.431, -26.9, 0.740, 5017.5, "oct", 2.5, 1.9),
    (-1.1, 94.767, -50.8, 1.039, 4963.6, "nov", 2.0, 1.8),
    (-1.8, 92.843, -50.0, 1.811, 5099.1, "mar", 1.6, 2.0),
    (-3.0, 92.713, -33.0, 0.718, 5023.5, "dec", 1.4, 1.7),
)

_WORDS: Final[Mapping[str, Sequence[tuple[str, float, float]]]] = {
    # word, weight, log-odds of a sale
    "job": (
        ("admin.", 25, 0.1), ("blue-collar", 22, -0.2), ("technician", 16, 0.0), ("services", 10, -0.1),
        ("management", 7, 0.0), ("retired", 4, 0.4), ("entrepreneur", 4, -0.1), ("self-employed", 3, 0.0),
        ("housemaid", 3, -0.1), ("unemployed", 2, 0.1), ("student", 2, 0.5), ("unknown", 1, 0.0),
    ),
    "marital": (("married", 60, 0.0), ("single", 28, 0.1), ("divorced", 11, 0.0), ("unknown", 1, 0.0)),
    "education": (
        ("university.degree", 30, 0.1), ("high.school", 23, 0.0), ("basic.9y", 15, -0.1),
        ("professional.course", 13, 0.0), ("basic.4y", 10, -0.1), ("basic.6y", 5, -0.1), ("unknown", 4, 0.1),
        ("illiterate", 0.1, 0.2),
    ),
    "default": (("no", 79, 0.1), ("unknown", 20.9, -0.3), ("yes", 0.1, -0.5)),
    "housing": (("yes", 52, 0.0), ("no", 45, 0.0), ("unknown", 3, 0.0)),
    "loan": (("no", 82, 0.0), ("yes", 15, 0.0), ("unknown", 3, 0.0)),
    "contact": (("cellular", 63, 0.3), ("telephone", 37, -0.3)),
    "day_of_week": (("thu", 21, 0.0), ("mon", 21, -0.1), ("wed", 20, 0.1), ("tue", 19, 0.1), ("fri", 19, 0.0)),
    "poutcome": (("nonexistent", 86, 0.0), ("failure", 10.5, -0.3), ("success", 3.5, 1.8)),
}  # fmt: skip

_NAMES: Final = (
    "age", "job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week", "duration",
    "campaign", "pdays", "previous", "poutcome", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m",
    "nr.employed", "y",
)  # fmt: skip


def sample_table(rows: int = ROWS, seed: int = SEED) -> str:
    """Return the table as CSV: the course's 20 columns, and its label `y`, which is `yes` in about 11 % of the rows.

    The same arguments give the same text.
    """
    # Uses only uniform numbers: numpy guarantees that their stream stays the same.
    drawn = np.random.Generator(np.random.PCG64(seed)).random((rows, len(_WORDS) + 10))
    columns: dict[str, np.ndarray] = {}
    log_odds = np.full(rows, -3.1)
    for place, (name, words) in enumerate(_WORDS.items()):
        chosen = _choose(drawn[:, place], [weight for _, weight, _ in words])
        columns[name] = np.array([word for word, _, _ in words])[chosen]
        log_odds += np.array([effect for _, _, effect in words])[chosen]
    u = drawn[:, len(_WORDS) :].T
    period = _choose(u[0], [weight for *_, weight, _ in _ECONOMY])
    for place, name in enumerate(("emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed")):
        columns[name] = np.array([entry[place] for entry in _ECONOMY])[period]
    columns["euribor3m"] = np.round(columns["euribor3m"] + 0.02 * (u[1] - 0.5), 3)
    columns["month"] = np.array([entry[5] for entry in _ECONOMY])[period]
    log_odds += np.array([entry[7] for entry in _ECONOMY])[period]

    columns["age"] = np.floor(22 + 24 * u[2] + 50 * u[2] ** 4 * u[9]).astype(int)
    log_odds += 0.00025 * (columns["age"] - 42.0) ** 2
    duration = np.floor(60 - 230 * np.log1p(-u[3] * 0.9995) * (0.5 + u[4])).astype(int)
    columns["duration"] = duration
    log_odds += 2.3 * np.log(duration / 190)
    columns["campaign"] = 1 + np.floor(-1.6 * np.log1p(-u[5] * 0.99999)).astype(int)
    log_odds -= 0.06 * columns["campaign"]
    before = columns["poutcome"] != "nonexistent"
    columns["previous"] = np.where(before, 1 + (u[6] > 0.8) + (u[6] > 0.96), 0)
    success = columns["poutcome"] == "success"
    columns["pdays"] = np.where(success, 3 + np.floor(8 * u[7]), 999).astype(int)
    columns["y"] = np.where(u[8] < 1 / (1 + np.exp(-1.55 * log_odds - 0.35)), "yes", "no")
    lines = zip(*(columns[name].tolist() for name in _NAMES), strict=True)
    return "".join([",".join(_NAMES) + "\n", *(",".join(map(str, line)) + "\n" for line in lines)])


def _choose(uniform: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """Return for each row the place of a choice, drawn in proportion to the weights."""
    upper = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(upper, uniform, side="right"), len(weights) - 1)
