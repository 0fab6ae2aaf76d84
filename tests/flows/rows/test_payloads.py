"""Payloads for a load, made from the rows of a table."""

import json

import polars as pl
import pytest

from epkit.errors import ContractError, UsageError
from epkit.files import contracts
from epkit.flows.rows import payloads as module
from epkit.flows.rows.payloads import table_payloads
from support.places import ROOT

ROWS = ROOT / "payloads" / "bank-rows.csv"


def bodies(file, contract=None, batch_rows=8, target="/score", notes=None):
    note = (lambda line: None) if notes is None else notes.append
    return list(table_payloads(str(file), contract, batch_rows=batch_rows, target=target, note=note))


@pytest.fixture
def bank():
    return contracts.load(ROOT / "swagger" / "bank.swagger2.json")


def test_every_row_is_in_one_body_in_its_order(bank):
    made = bodies(ROWS, bank)
    rows = [row for payload in made for row in json.loads(payload.body)["data"]]

    assert [f"{ROWS} rows 0-7", f"{ROWS} rows 8-15", f"{ROWS} rows 16-19"] == [payload.name for payload in made]
    assert pl.read_csv(ROWS).to_dicts() == rows
    assert all(payload.checked for payload in made)


def test_the_body_is_that_of_the_contracts_example_around_the_rows(bank):
    (payload,) = bodies(ROWS, bank, batch_rows=100)

    assert {**bank.example, "data": None} == {**json.loads(payload.body), "data": None}


def test_without_a_contract_rows_are_wrapped_as_the_path_tells(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    notes = []

    assert {"data": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]} == json.loads(
        bodies(tmp_path / "t.csv", notes=notes)[0].body
    )
    assert {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]}} == json.loads(
        bodies(tmp_path / "t.csv", target="/invocations")[0].body
    )
    assert 1 == len(notes)
    assert "--wrap" not in notes[0]


def test_a_row_that_breaks_the_contract_is_refused_with_its_place(tmp_path, bank):
    header, first, *_ = ROWS.read_text().splitlines()
    (tmp_path / "t.csv").write_text(f"{header}\n{first}\nold{first[first.index(',') :]}\n")

    with pytest.raises(ContractError, match=r"t\.csv:3:1: .*\(--no-validate sends it anyway\)$"):
        bodies(tmp_path / "t.csv", bank)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.csv", None, "no such file"),
        ("t.csv", "a,b\n", "there are no rows"),
        ("t.parquet", "a,b\n1,2\n", "not a Parquet file"),
    ],
)
def test_a_table_that_cannot_be_sent(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)

    with pytest.raises(UsageError, match=message):
        bodies(tmp_path / name)


def test_no_more_is_made_than_memory_should_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    (tmp_path / "t.csv").write_text("a\n" + "1\n" * 100)

    with pytest.raises(UsageError, match="use a part of it"):
        bodies(tmp_path / "t.csv")
