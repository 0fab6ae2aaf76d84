"""The output of a job is counted again correctly, wherever quotes and blocks end."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.score.journal import Point
from epkit.files import written

LAYOUT = {"kind": "value", "names": ("prediction",), "keys": None}


def rows(path, data, length=None, **point):
    path.write_bytes(data)
    at = Point(out=len(data) if length is None else length, layout=LAYOUT, **point)
    return written.rows_of(path, path.with_suffix(".parts"), at)


@pytest.mark.parametrize(
    ("data", "length", "expected"),
    [
        (b"{}\n{}\n", None, 2), (b"{}\n{}", None, None), (b"{}\n{}\n", 3, 1), (b"{}\n{}\n", 2, None), (b"", None, 0),
        (b"{}\n", 100, None),
    ],
)  # fmt: skip
def test_lines_are_counted_up_to_where_a_point_says(tmp_path, data, length, expected):
    assert expected == rows(tmp_path / "x.jsonl", data, length)


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
@given(cells=st.lists(st.tuples(st.text('a"\n,', max_size=5), st.text('b"\n', max_size=3)), max_size=8))
def test_line_breaks_in_quotes_end_no_row(tmp_path_factory, block, cells):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("id", "prediction"), *cells])
    path = tmp_path_factory.getbasetemp() / f"x{block}.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "BLOCK", block)

        assert len(cells) == rows(path, text.getvalue().encode())
        assert None is rows(path, text.getvalue().encode()[:-1])


def test_the_columns_of_predictions_are_those_that_the_point_names(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b'"a, b",prediction\n1,2\n')
    point = Point(rows=1, out=21, layout=LAYOUT)

    assert written.has_layout(path, tmp_path, point)
    assert not written.has_layout(path, tmp_path, Point(rows=1, out=21, layout={**LAYOUT, "names": ("b",)}))
    path.write_bytes(b"\xff\xfe\n")
    assert not written.has_layout(path, tmp_path, point)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("000000000000.parquet", 0), ("000000050000.parquet", 50_000), ("x.parquet", None), ("²².parquet", None),
        ("1" * 30 + ".parquet", None), ("000000000000.csv", None),
    ],
)  # fmt: skip
def test_a_part_is_known_by_its_name(tmp_path, name, first):
    assert first == written.part_start(tmp_path / name)


def test_parts_have_to_follow_each_other(tmp_path):
    import polars as pl

    path, parts = tmp_path / "x.parquet", tmp_path / "x.parts"
    parts.mkdir()
    for first in (0, 3):
        pl.DataFrame({"a": [1, 2, 3], "prediction": [1, 2, 3]}).write_parquet(parts / f"{first:012}.parquet")

    assert 6 == written.rows_of(path, parts, Point(rows=6, layout=LAYOUT))
    assert 3 == written.rows_of(path, parts, Point(rows=3, layout=LAYOUT))
    assert written.has_layout(path, parts, Point(rows=6, layout=LAYOUT))
    (parts / "000000000003.parquet").rename(parts / "000000000004.parquet")
    assert None is written.rows_of(path, parts, Point(rows=6, layout=LAYOUT))
    (parts / "000000000000.parquet").write_bytes(b"PAR1")
    assert None is written.rows_of(path, parts, Point(rows=3, layout=LAYOUT))
