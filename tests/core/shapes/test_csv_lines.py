"""Cells and lines of CSV files, which the standard library reads back."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from epkit.core.json.writing import dumps
from epkit.core.shapes.csv_lines import csv_cell, csv_line, csv_lines


@given(st.lists(st.one_of(st.text(st.characters(codec="utf-8")), st.integers(), st.none(), st.booleans()), min_size=1))
def test_a_line_of_csv_is_read_back_as_it_was_written(cells):
    line = csv_line(["first", *cells])
    (read,) = csv.reader(io.StringIO(line, newline=""))
    texts = ["" if cell is None else cell if isinstance(cell, str) else dumps(cell).decode() for cell in cells]

    assert ["first", *texts] == read


def test_a_cell_that_is_empty_is_told_from_one_that_is_not_there():
    assert ["", '""'] == [csv_cell(None), csv_cell("")]
    assert ['""\n', "a,,\n"] == [csv_line([""]), csv_line(["a", "", None])]


def test_many_lines_are_those_of_each():
    plain = [["a", 1, None], ['b "c"', 1.5, ""]]
    mixed = [[True, [1]], [None, "x"]]

    assert 'a,1,\n"b ""c""",1.5,\n' == csv_lines(plain)
    assert "true,[1]\n,x\n" == csv_lines(mixed)
