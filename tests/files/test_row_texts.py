"""The rows of tables as they stand in a body."""

import datetime
import json
from pathlib import Path

import polars as pl
import pytest

from epkit.core.rows import Column, Rows
from epkit.errors import UsageError
from epkit.files.row_texts import names_of, row_texts


def column(kind: str | None, format_: str | None = None) -> Column:
    return Column(kind=kind, format=format_, nullable=False, schema={})


def spec(shape: str = "records", **columns: Column) -> Rows:
    cell = column("number") if shape == "matrix" else None
    return Rows(
        path=("data",), shape=shape, columns=columns, required=(), closed=False, cell=cell, width=None,
        enforced=False, pandas=False, schema={},
    )  # fmt: skip


def read(path: Path, rows: Rows | None, *, lists: bool = False) -> list[object]:
    return [json.loads(text) for text in row_texts(path, rows, lists=lists)]


def csv(path: Path, text: str) -> Path:
    (path / "t.csv").write_text(text, encoding="utf-8")
    return path / "t.csv"


def test_cells_of_a_csv_have_the_types_of_the_contract(tmp_path):
    known = spec(age=column("integer"), size=column("number"), zip=column("string"), on=column("boolean"))
    path = csv(tmp_path, 'age,size,zip,on\n17,1,0123,true\n87,2.5,"a\n""b""",False\n')

    assert [
        {"age": 17, "size": 1.0, "zip": "0123", "on": True},
        {"age": 87, "size": 2.5, "zip": 'a\n"b"', "on": False},
    ] == read(path, known)


def test_what_the_type_cannot_read_stays_the_text_it_is(tmp_path):
    path = csv(tmp_path, "age\n17\nold\n")

    assert [{"age": 17}, {"age": "old"}] == read(path, spec(age=column("integer")))


def test_without_a_contract_a_column_has_the_type_of_every_cell(tmp_path):
    path = csv(tmp_path, "a,b,c\n1,1,x\n2,1.5,é\n")

    assert [{"a": 1, "b": 1.0, "c": "x"}, {"a": 2, "b": 1.5, "c": "é"}] == read(path, None)


def test_a_missing_cell_is_null(tmp_path):
    path = csv(tmp_path, "age,name\n,x\n5,\n")

    assert [{"age": None, "name": "x"}, {"age": 5, "name": None}] == read(
        path, spec(age=column("integer"), name=column("string"))
    )


def test_rows_of_a_matrix_are_lists(tmp_path):
    path = csv(tmp_path, "x,y\n1,2\n3,4.5\n")

    assert [[1.0, 2.0], [3.0, 4.5]] == read(path, spec("matrix"), lists=True)
    assert ("x", "y") == names_of(path)


def test_a_parquet_file_brings_its_types_and_what_json_lacks_becomes_text(tmp_path):
    path = tmp_path / "t.parquet"
    pl.DataFrame({"n": [1], "day": [datetime.date(2026, 1, 2)], "big": [2**63 - 1]}).write_parquet(path)

    assert [{"n": 1, "day": "2026-01-02", "big": 2**63 - 1}] == read(path, None)
    assert ("n", "day", "big") == names_of(path)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_a_file_that_is_not_what_its_name_says(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xfe\x00\x01" * 10)

    with pytest.raises(UsageError, match=name):
        read(tmp_path / name, None)
