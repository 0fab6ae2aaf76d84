"""The format of a table: its separator, its header, and the user's options for its columns."""

import json

import pytest

from epkit.core.contract.contract import parse
from epkit.core.validate.validation import Validator
from epkit.errors import UsageError
from epkit.files.dialects import (
    DEFAULT,
    TableOptions,
    data_as_header,
    is_tabular,
    marked,
    names_in,
    names_of,
    separator_of,
)
from support.places import ROOT

BANK = Validator(parse(json.loads((ROOT / "swagger" / "bank.swagger2.json").read_text()))).rows


@pytest.mark.parametrize(
    ("head", "separator"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"Income, EUR";Age;City\n1000;5;x\n', ";"),
        ("Income, EUR;Age\n1000;5\n", ";"),
        ('a,"b;c;d;e"\n1,2\n', ","),
        ("a;b,c,d\n1;2\n", ";"),
        ("alone\n1\n", ","),
        ("alone\n1;5\n", ","),
        ('a,b\n1,"x;y\nz"\n', ","),
        ("a;b", ";"),
        ("a,b\n1\n2\n", ","),
        ("", ","),
    ],
)
def test_the_separator_is_what_cuts_rows_and_header_alike(head, separator):
    assert separator == separator_of(head)


@pytest.mark.parametrize(
    ("line", "separator"),
    [("sep=;\r\n", ";"), ("SEP=\t\n", "\t"), ("sep=|", "|"), ("sep=;;\n", None), ("sep\n", None), ("a;b\n", None)],
)
def test_excels_first_line_names_the_separator(line, separator):
    assert separator == marked(line)


@pytest.mark.parametrize(
    ("cells", "contract", "expected"),
    [
        (["29", "admin.", "no", "0.5"], False, False),  # half of them might be names
        (["29", "no", "no", "0.5"], False, True),
        (["29", "1.5", "no"], False, True),
        (["country", "2018", "2019", "2020"], False, False),
        (["", "0", "1", "2"], False, False),
        (["2020", "2018", "2019", "x"], False, True),
        (["age", "job"], False, False),
        (["-1,5", "+2", ".5"], False, True),
        (["age", "17", "18", "19"], True, False),
        (["29", "17.5", "admin."], True, True),
        (["agee", "jobb"], True, False),
        (["29", "a", "b", "c", "d", "e"], True, False),
    ],
)
def test_a_header_that_is_data_is_known_by_its_numbers(cells, contract, expected):
    assert expected == data_as_header(cells, BANK if contract else None)


def test_a_row_in_the_contracts_types_is_no_header():
    assert BANK is not None
    row = ["x" if column.kind == "string" else "1" for column in BANK.columns.values()]

    assert data_as_header(row, BANK)
    assert not data_as_header(list(BANK.columns), BANK)


def test_names_stand_with_commas_between_them_and_in_quotes_where_they_have_some():
    assert ("id", "Churn", "a,b", "y") == names_in(["id, Churn", '"a,b",id', "y"])
    assert ("id",) == names_of("id")
    assert ("id", "y") == names_of(["id", "y"])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"decimal": ";"}, "--decimal ; must be . or ,"),
        ({"carry": ("id", "y"), "drop": ("y",)}, "--drop y is also carried: drop it or carry it"),
    ],
)
def test_options_that_cannot_be_are_refused(options, why):
    with pytest.raises(UsageError) as refused:
        TableOptions(**options)

    assert why == str(refused.value)


def test_a_column_that_is_not_there_is_refused_with_the_one_that_was_meant():
    with pytest.raises(UsageError) as refused:
        TableOptions(carry=("idd",)).check(["id", "y"], "t.csv")

    assert '--carry idd: t.csv has no such column: did you mean "id"?' == str(refused.value)


def test_a_journal_knows_every_option():
    given = [DEFAULT, TableOptions(carry=("a",)), TableOptions(drop=("a",)), TableOptions(encoding="cp1252")]
    given += [TableOptions(decimal=","), TableOptions(decimal="."), TableOptions(header=False)]

    assert "" == DEFAULT.identity
    assert len(given) == len({options.identity for options in given})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\tb\n1\t2\n", True), ("a=1&b=2", False), ("some words, and more\n", False), ("one\ntwo\n", False), ("", False)],
)
def test_a_text_is_a_table_where_all_rows_have_as_many_cells(tmp_path, text, expected):
    (tmp_path / "t.txt").write_text(text)

    assert expected == is_tabular(tmp_path / "t.txt")
