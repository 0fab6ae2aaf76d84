"""Numbers as they occur in files."""

import polars as pl
import pytest

from epkit.files.guessing import Guess
from epkit.files.number_columns import as_numbers

MISSING = ["", " ", "NA", "n/a", "N/A", "NaN", "nan", "-nan", "null", "NULL", "None", "?", "#N/A", "<NA>", " NA\t"]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64])
@pytest.mark.parametrize("decimal", [".", ","])
def test_words_for_what_is_missing_are_null_and_whole_numbers_stay_whole(dtype, decimal):
    found, odd = as_numbers(pl.Series("x", [*MISSING, "3", "+2", " -7 ", "007"]), dtype, decimal)

    assert dtype == found.dtype
    assert [None] * len(MISSING) + [3, 2, -7, 7] == found.to_list()
    assert odd is None


@pytest.mark.parametrize(
    ("decimal", "cells", "numbers"),
    [
        (".", [".5", "+.5", "5.", "1e3", "-2.50"], [0.5, 0.5, 5.0, 1000.0, -2.5]),
        (",", [",5", "+,5", "5,", "1e3", "-2,50"], [0.5, 0.5, 5.0, 1000.0, -2.5]),
    ],
)
def test_numbers_are_read_as_people_write_them(decimal, cells, numbers):
    found, odd = as_numbers(pl.Series("x", cells), pl.Float64, decimal)

    assert numbers == found.to_list()
    assert odd is None


@pytest.mark.parametrize(
    ("decimal", "cells", "texts", "odd"),
    [
        (".", ["1.5", "2,6", "NA"], ["1.5", "2,6", None], [None, "2,6", None]),
        (",", ["1,5", "1.234", "NA"], ["1.5", "1.234", None], [None, "1.234", None]),
        (",", ["1,5", "1.234,5"], ["1.5", "1.234,5"], [None, "1.234,5"]),
        (".", ["1.5", "x"], ["1.5", "x"], None),
        (".", ["1", "-"], ["1", "-"], None),
    ],
)
def test_the_other_separator_of_decimals_is_never_guessed_at(decimal, cells, texts, odd):
    found, other = as_numbers(pl.Series("x", cells), pl.Float64, decimal)

    assert texts == found.to_list()
    assert odd == (None if other is None else other.to_list())


def guessed(*blocks, decimal=None):
    guess = Guess(decimal)
    row = 0
    for block in blocks:
        guess.look(pl.Series("x", block, dtype=pl.String), row)
        row += len(block)
    return guess


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["1", "NA", "?", None], pl.Int64),
        (["1", "2.5", "nan"], pl.Float64),
        ([".5", "+2"], pl.Float64),
        (["+2", " 3"], pl.Int64),
        (["true", "NA", "False"], pl.Boolean),
        (["NA", "NA"], pl.String),
        ([None, None], pl.String),
        (["007", "1"], pl.String),
        (["1", "true"], pl.String),
        (["1", "x"], pl.String),
    ],
)
def test_a_column_has_the_type_of_its_cells_but_for_what_is_missing(cells, dtype):
    assert dtype == guessed(cells).dtype
    assert dtype == guessed(*([cell] for cell in cells)).dtype


def test_the_first_cell_that_is_no_number_is_known_with_its_row():
    for guess in (guessed(["1"] * 50 + ["x", "y"]), guessed(["1"] * 50, ["x"], ["y"])):
        assert (50, "x") == guess.first
        assert (50, 2) == (guess.numbers, guess.others)
        assert guess.is_mostly_numbers
        assert not guess.has_commas


def test_commas_are_noticed_where_they_are_all_that_is_wrong():
    assert guessed(["1,5", "2"], ["2,6"]).has_commas
    assert not guessed(["1,5", "x"]).has_commas
    assert not guessed(["a", "b"], ["1,5"]).has_commas
    assert pl.Float64 == guessed(["1,5", "2"], decimal=",").dtype
    assert pl.String == guessed(["1.5", "2"], decimal=",").dtype
