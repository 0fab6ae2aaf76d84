"""CSV files with any contents: rows are separated correctly, or the file is refused in one line."""

import csv
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.errors import UsageError
from epkit.files import csv_tables
from epkit.files.csv_tables import CsvTable
from epkit.files.lines import bounded_lines

CELLS = st.text('ab",\n;\0', max_size=8)


@pytest.fixture
def table(tmp_path):
    """Write a file and open it as a table."""

    def make(data: bytes) -> CsvTable:
        path = tmp_path / "t.csv"
        path.write_bytes(data)
        return CsvTable(path, name="t.csv")

    return make


def refusal(table, data: bytes) -> str:
    with pytest.raises(UsageError) as refused:
        table(data).inferred()
    return str(refused.value)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=12), st.integers(1, 40))
def test_blocks_of_any_size_end_where_rows_do(tmp_path_factory, rows, block_bytes):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("x", "y"), *rows])
    path = tmp_path_factory.mktemp("blocks") / "t.csv"
    path.write_text(text.getvalue(), newline="")

    blocks = list(CsvTable(path)._texts(block_bytes))
    assert text.getvalue().encode() == b"".join(blocks)
    read = [row for block in blocks for row in csv.reader(io.StringIO(block.decode(), newline=""))]
    assert [["x", "y"], *map(list, rows)] == read


CLOSED = b"".join(b'%d,"text, %d"\n' % (i, i) for i in range(1000))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'1,"x\n' + CLOSED, 2),
        (CLOSED + b'1,"x\n' + CLOSED, 1002),
        (CLOSED + b'1,"x', 1002),
        (b'1,"a\nb"\n2,"x""\n' + CLOSED, 4),
        (b'1,5" pipe\n2,3\n', 2),
        (b'1,"' + b'""' * 1000, 2),
    ],
)
@pytest.mark.parametrize("longest", [1 << 10, csv_tables.LONGEST_ROW])
def test_a_quote_that_is_not_closed_is_named_by_its_line(table, monkeypatch, data, line, longest):
    monkeypatch.setattr(csv_tables, "LONGEST_ROW", longest)
    monkeypatch.setattr(csv_tables, "BLOCK_BYTES", 256)

    assert refusal(table, b"a,b\n" + data) == (
        f"t.csv:{line}: the quote that opens here is not closed: close it, or write a quote inside of quotes twice"
    )


def test_no_more_is_held_than_the_longest_row(table, monkeypatch):
    """After a quote that is never closed, the file is not read to its end."""
    monkeypatch.setattr(csv_tables, "LONGEST_ROW", 1 << 12)
    opened = table(b'a,b\n1,"x\n' + CLOSED * 200)
    read = []

    class Counting(io.FileIO):
        def read(self, size=-1):
            read.append(size)
            return super().read(size)

    class Path(type(opened.path)):
        def open(self, *_):
            return Counting(str(self))

    opened.path = Path(opened.path)
    with pytest.raises(UsageError, match=r"t\.csv:2: the quote"):
        list(opened._texts(1 << 10))
    assert sum(size for size in read if size == 1 << 10) <= 6 << 10


def test_a_row_that_is_too_long_is_named_by_its_line(table, monkeypatch):
    monkeypatch.setattr(csv_tables, "LONGEST_ROW", 1 << 20)

    assert "t.csv:3: a row of more than 1 MB" == refusal(table, b"a,b\n1,2\n3," + b"x" * (6 << 20))


def test_a_file_without_line_breaks_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n")
    os.truncate(path, 1 << 40)  # a hole: it takes no space, and reading it would take an hour
    with pytest.raises(UsageError, match=r"t\.csv:2: a row of more than 16 MB"):
        CsvTable(path, name="t.csv").inferred()


def test_a_cell_of_ten_megabytes_is_one(table):
    opened = table(b'a,b\n1,"' + b"x," * 5_000_000 + b'"\n2,y\n')
    frames = [block.frame for block in opened.blocks(opened.inferred())]

    assert [1, 2] == [value for frame in frames for value in frame["a"].to_list()]
    assert [10_000_000, 1] == [len(value) for frame in frames for value in frame["b"].to_list()]


def test_nul_bytes_are_text(table):
    opened = table(b"a,b\n1,\0x\n2,y\0\n")

    assert ["\0x", "y\0"] == next(opened.blocks(opened.inferred())).frame["b"].to_list()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'a,"b\n1,2\n', "t.csv:1: a quote is not closed in the line of column names"),
        (b",".join(b"c%d" % i for i in range(100_001)) + b"\n", "t.csv:1: 100,001 columns, and 100,000 are the most"),
        (b"a," * 90_000 + b"b\n1\n", 't.csv:1: the column "a" occurs twice'),
        (b"x" * (17 << 20), "t.csv:1: a line of more than 16 MB: is this a CSV file?"),
    ],
)
def test_a_header_that_cannot_be_is_refused_at_once(table, data, why):
    assert why == refusal(table, data)


def test_a_line_that_does_not_end_is_refused():
    file = io.BytesIO(b"1\n" + b"x" * (17 << 20))
    with pytest.raises(UsageError) as refused:
        list(bounded_lines(file, "rows.jsonl"))

    assert "rows.jsonl:2: a line of more than 16 MB: a row a line is expected" == str(refused.value)
    assert [(1, b"1\n"), (2, b"2")] == list(bounded_lines(io.BytesIO(b"1\n2"), "rows.jsonl"))
