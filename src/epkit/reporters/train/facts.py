"""The names of a training's facts on its page."""

from collections.abc import Iterable, Mapping
from typing import Final

from epkit.core.train.report import TrainReport
from epkit.reporters.parts.facts import Fact, facts, named
from epkit.reporters.train.words import name

DATA: Final = ("sha256", "rows", "unlabelled", "test_rows", "duplicates", "classes")
"""The facts about the table that no other part of the page shows."""

WORDS: Final[Mapping[str, Fact]] = named(
    plain={
        "data.sha256": "SHA-256 of the table",
        "data.rows": "rows with a label",
        "data.unlabelled": "rows without a label, left out",
        "data.test_rows": "rows for the test",
        "data.duplicates": "rows that are there more than once",
        "data.classes.*": "rows of the class {}",
        "plan.label": "column to predict",
        "plan.task": "task",
        "plan.drop.*": "column that the model must not see, {}",
        "plan.ids.*": "column that is carried along, {}",
        "plan.positive": "positive class",
        "plan.metric": "metric that chooses",
        "plan.runs": "runs at most",
        "plan.folds": "folds",
        "plan.group": "column whose values stay on one side of a split",
        "plan.time": "column that orders the rows",
        "plan.threshold": "rule of the threshold",
        "plan.balanced": "classes weigh alike",
        "plan.workers": "processes",
        "plan.custom.*": "estimator of your own, {}",
        "plan.cohorts.*": "column whose groups are looked at, {}",
        "plan.pairs.*.*": "columns whose groups are looked at together, pair {}, column {}",
    },
    number={"plan.seed": "seed"},
    share={"plan.test_size": "rows for the test, of all", "plan.holdout": "rows in place of folds, of all"},
    s={"plan.time_limit_s": "time limit of the search"},
)
"""Descriptions by the path in the report; a test checks that no field of the plan is missing."""


def everything(report: TrainReport) -> Iterable[tuple[str, str]]:
    """Yield the values that no other part of the page shows, as text."""
    data = {field: getattr(report.data, field) for field in DATA}
    for path, document in (("data", data), ("plan", dict(report.plan))):
        yield from ((name(words, 200), name(value, 300)) for words, value in facts(WORDS, path, document))
