"""Groups of rows: their division, measurement and order."""

import time
from dataclasses import replace

import numpy as np
import pytest

from epkit.core.train import metrics
from epkit.core.train.cohorts import MOST_COHORTS, Cut, cohorts, cuts, worst_first
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Examples, Feature, Label
from epkit.core.train.report import Figure
from epkit.errors import UsageError
from support.examples import drawn_examples, examples
from support.margins import BINARY, MANY, NUMBER


def by_where(found: tuple[Cut, ...]) -> dict[str, int]:
    return {cut.where: len(cut.rows) for cut in found}


def test_categories_are_cut_by_value_missing_and_unknown_ones_among_them() -> None:
    job = np.repeat([0.0, 1.0, 2.0, np.nan, 3.0], [20, 30, 40, 10, 12])
    n = len(job)
    table = examples(BINARY, np.zeros(n, np.int64), age=np.ones(n), job=job, month=np.ones(n), code=np.ones(n))

    assert {
        "job = admin.": 20,
        "job = retired": 30,
        "job = student": 40,
        "job is missing": 10,
        "job is another value": 12,
    } == by_where(cuts(table, ["job"]))


def test_a_category_called_missing_is_not_a_missing_one() -> None:
    table = drawn_examples(BINARY)
    card = {"name": "job", "kind": "category", "categories": ["missing", "retired", "student"]}
    table = replace(table, card_columns=(table.card_columns[0], card, *table.card_columns[2:]))

    assert "job = missing" in by_where(cuts(table, ["job"]))
    assert "job is missing" not in by_where(cuts(table, ["job"]))


def test_numbers_are_cut_into_quarters_or_by_value_and_dates_by_part() -> None:
    table = drawn_examples(BINARY)
    found = by_where(cuts(table))
    ages = {where: rows for where, rows in found.items() if where.startswith("age")}

    assert 4 == len(ages)
    assert len(table) == sum(ages.values())
    assert all(450 < rows < 550 for rows in ages.values())
    assert "age in [17, " in next(iter(ages))
    assert list(ages)[-1].endswith(", 98]")
    assert {"code = 0", "code = 1", "code = 2"} <= set(found)
    assert any(where.startswith("day.month in [") for where in found)


def test_every_row_is_in_one_cut_of_each_column_with_missing_numbers_too() -> None:
    table = drawn_examples(BINARY)
    table.matrix[::3, 0] = np.nan
    found = cuts(table, ["age"])

    assert list(range(len(table))) == sorted(row for cut in found for row in cut.rows.tolist())
    assert "age is missing" in by_where(found)
    for cut in found:
        if cut.value.startswith("["):
            low, high = (float(edge) for edge in cut.value.strip("[)]").split(", "))
            ages = table.matrix[cut.rows, 0]
            assert low <= ages.min()
            assert ages.max() <= high


def test_a_number_that_is_mostly_its_greatest_value_is_cut_there() -> None:
    table = drawn_examples(BINARY)
    table.matrix[200:, 0] = 999.0  # never called before, like in the course's pdays

    assert {"age in [17, 999)": 200, "age = 999": 1800} == by_where(cuts(table, ["age"]))


def test_a_number_that_is_mostly_its_least_value_is_cut_behind_it() -> None:
    table = drawn_examples(BINARY)
    table.matrix[:1800, 0] = 0.0

    assert {"age = 0": 1800, "age in [17, 98]": 200} == by_where(cuts(table, ["age"]))


def test_a_value_of_many_rows_is_a_range_of_its_own() -> None:
    table = drawn_examples(BINARY)
    table.matrix[:, 0] = np.concatenate((np.arange(20).repeat(25), np.full(1000, 50.0), np.arange(60, 80).repeat(25)))

    assert {"age in [0, 19)": 475, "age = 19": 25, "age = 50": 1000, "age in [60, 79]": 500} == by_where(
        cuts(table, ["age"])
    )


def test_ranges_that_six_digits_do_not_tell_apart_are_written_out() -> None:
    table = drawn_examples(BINARY)
    table.matrix[:, 0] = 1_000_000 + table.matrix[:, 0] / 100
    found = list(by_where(cuts(table, ["age"])))

    assert 4 == len(set(found))
    assert "age in [1000000.17, " in found[0]


def test_pairs_are_cut_by_both() -> None:
    table = drawn_examples(BINARY)
    found = by_where(cuts(table, [], [("job", "code")]))

    assert 9 == len(found)
    assert len(table) == sum(found.values())
    assert ((table.matrix[:, 1] == 0) & (table.matrix[:, 3] == 2)).sum() == found["job = admin. and code = 2"]


@pytest.mark.parametrize(("columns", "pairs"), [(["jbo"], []), (None, [("age", "jbo")])])
def test_an_unknown_column_is_refused_with_a_suggestion(
    columns: list[str] | None, pairs: list[tuple[str, str]]
) -> None:
    with pytest.raises(
        UsageError, match=r"^--(cohorts|pairs) 'jbo': the model has no such column: did you mean \"job\"\?$"
    ):
        cuts(drawn_examples(BINARY), columns, pairs)


def test_the_group_that_is_surely_bad_is_first_and_not_the_smallest_one() -> None:
    n = 1000
    job = np.repeat([0.0, 1.0, 2.0], [10, 190, 800])
    y = np.ones(n, np.int64)
    right = np.ones(n, bool)
    right[:10] = [False] * 5 + [True] * 5  # half of ten rows: 0.5, but it may well be 0.7
    right[10:200] = np.arange(190) % 5 < 3  # 0.6 of 190 rows, certainly below 0.7
    table = examples(BINARY, y, age=np.ones(n), job=job, month=np.ones(n), code=np.ones(n))
    found = cohorts(Metrics(y, np.where(right, 1.0, -1.0)[:, None], BINARY), cuts(table, ["job"]))

    assert ["retired", "admin.", "student"] == [cohort.value for cohort in found]
    assert 0.6 == pytest.approx(found[0].metrics["accuracy"].value)
    assert 1.0 == found[0].positive


def test_a_group_without_a_figure_is_last() -> None:
    assert float("inf") == worst_first("accuracy", None)
    assert worst_first("accuracy", Figure(value=0.5)) < worst_first("accuracy", Figure(value=0.4, ci95=(0.1, 0.7)))


def test_metrics_of_a_cohort_are_those_of_its_rows_at_the_threshold() -> None:
    table = drawn_examples(BINARY)
    margins = np.random.default_rng(1).normal(size=(len(table), 1))
    rows = Metrics(table.y, margins, BINARY, threshold=np.full(len(table), 0.3))
    (cohort,) = (each for each in cohorts(rows, cuts(table)) if each.where == "job = admin.")
    own = table.matrix[:, 1] == 0

    assert {"accuracy_at_threshold", "accuracy", "AUC", "recall"} == set(cohort.metrics)
    for name, figure in cohort.metrics.items():
        assert figure.ci95 is not None
        assert metrics.value(name, table.y[own], margins[own], BINARY, threshold=0.3) == figure.value
    assert (("job",), "admin.", int(own.sum())) == (cohort.columns, cohort.value, cohort.rows)


def test_of_very_many_values_the_worst_are_shown_and_all_are_cut() -> None:
    n, values = 8000, 400
    code = np.arange(n) % values
    card = {"name": "place", "kind": "category", "categories": [f"p{k}" for k in range(values)]}
    table = Examples(
        label=BINARY,
        card_columns=(card,),
        features=(Feature(name="place", column="place", categories=values),),
        matrix=code[:, np.newaxis].astype(np.float64),
        y=np.ones(n, np.int64),
        hashes=np.zeros(n, np.uint64),
        texts={},
    )
    found = cuts(table)
    shown = cohorts(Metrics(table.y, np.where(code == 399, -1.0, 1.0)[:, np.newaxis], BINARY), found)

    assert (values, MOST_COHORTS) == (len(found), len(shown))
    assert "place = p399" == shown[0].where


@pytest.mark.parametrize(("label", "names"), [(MANY, {"accuracy", "AUC", "recall"}), (NUMBER, {"rmse", "mae"})])
def test_other_tasks_have_cohorts_too(label: Label, names: set[str]) -> None:
    table = drawn_examples(label)
    margins = np.random.default_rng(1).normal(size=(len(table), label.outputs))
    found = cohorts(Metrics(table.y, margins, label), cuts(table))

    assert names == set(found[0].metrics)
    assert all(cohort.positive is None for cohort in found)


def test_the_worst_of_a_regression_is_where_the_error_is_greatest() -> None:
    table = drawn_examples(NUMBER)
    margins = (table.y + np.where(table.matrix[:, 1] == 2, 5.0, 0.1))[:, None]

    assert "job = student" == cohorts(Metrics(table.y, margins, NUMBER), cuts(table, ["job"]))[0].where


def test_twenty_columns_of_33_000_rows_take_half_a_second() -> None:
    g = np.random.default_rng(0)
    n = 33_000
    label = BINARY
    table = Examples(
        label=label,
        card_columns=(),
        features=tuple(Feature(name=f"x{k}", column=f"x{k}") for k in range(20)),
        matrix=g.normal(size=(n, 20)),
        y=(g.random(n) < 0.1).astype(np.int64),
        hashes=np.zeros(n, np.uint64),
        texts={},
    )
    rows = Metrics(table.y, g.normal(size=(n, 1)), label)
    begun = time.process_time()
    found = cohorts(rows, cuts(table))
    taken = time.process_time() - begun

    assert 80 == len(found)
    assert taken < 1.5, taken  # 0.35 s without other load; the rest is for a busy machine
