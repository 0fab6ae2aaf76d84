"""Rows whose width differs from the header's, and lines that are not rows."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.files.rough_rows import lines_of_rows, looks_tidy, tidy

CELLS = st.text('a",\n \r', max_size=5)
ROWS = st.lists(st.one_of(st.lists(CELLS, min_size=1, max_size=5), st.sampled_from(["", "  ", "\r"])), max_size=10)


def text_of(rows) -> bytes:
    text = io.StringIO()
    for row in rows:
        if isinstance(row, str):
            text.write(row + "\n")
        else:
            csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row)
    return text.getvalue().encode()


@given(ROWS, st.booleans())
def test_all_rows_are_as_wide_as_the_header_and_none_is_lost(rows, ended):
    wide, given_ = 3, [row for row in rows if not isinstance(row, str)]
    data = text_of(rows)
    data = data if ended else data.removesuffix(b"\n")
    if not data:
        return
    found = tidy(data, ",", wide=wide, least=wide)
    read = list(csv.reader(io.StringIO(found.text.decode(), newline="")))
    expected = {place: len(row) for place, row in enumerate(given_) if len(row) < 3 or any(map(str.strip, row[3:]))}

    assert [[*row, "", "", ""][:3] for row in given_] == read
    assert len(given_) == found.rows
    assert expected == found.ragged


@given(ROWS)
def test_the_lines_before_each_row_are_counted(rows):
    data = text_of(rows)
    if not data:
        return
    expected, line = [], 0
    for row in rows:
        if not isinstance(row, str):
            expected.append(line)
        line += text_of([row]).count(b"\n")

    assert expected == lines_of_rows(data).tolist()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"1,2\n3,\n", True),
        (b"1,2\n,", True),
        (b"1,\r\n3,4\r\n", True),
        (b"1,2\n\n3,4\n", False),
        (b"1,2\n3\n", False),
        (b'1,"2"\n3,\n', False),
    ],
)
def test_rows_that_are_as_wide_as_the_header_are_known_at_a_glance(data, expected):
    frame = pl.read_csv(io.BytesIO(data), has_header=False)

    assert expected == looks_tidy(data, ",", frame)


def test_cells_behind_the_last_name_may_be_missing_or_empty():
    found = tidy(b"1,2\n1,2,\n1,2,3\n1,2,3,,\n1\n", ",", wide=3, least=2)

    assert {4: 1} == found.ragged
    assert b"1,2,\n1,2,\n1,2,3\n1,2,3\n1,,\n" == found.text
