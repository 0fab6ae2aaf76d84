"""The facts of a training on its page: each has a description."""

import re
from dataclasses import fields

from epkit.core.train.plan import TrainPlan
from epkit.reporters.train.facts import DATA, WORDS, everything
from support import train_reports

ELSEWHERE = {"gates"}
"""Fields of a plan that have a separate table."""


def test_every_field_of_the_plan_and_of_the_table_has_words():
    named = {re.sub(r"(\.\*)+$", "", path) for path in WORDS}

    assert {f"plan.{each.name}" for each in fields(TrainPlan) if each.name not in ELSEWHERE} | {
        f"data.{field}" for field in DATA
    } == named


def test_what_was_asked_for_is_said_in_words():
    said = dict(everything(train_reports.bank()))

    assert ("85", "AUC", "20 %") == (
        said["runs at most"],
        said["metric that chooses"],
        said["rows for the test, of all"],
    )
    assert [] == [words for words in said if words.startswith(("plan", "data"))]
