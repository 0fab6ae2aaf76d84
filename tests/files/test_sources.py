"""Rows from files and frames, in pieces that can be cut at any row."""

import csv
import io
import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epkit.core.score.pieces import Piece, regroup
from epkit.errors import UsageError
from epkit.files import sources
from epkit.files.csv_tables import CsvTable
from epkit.files.sources import CsvSource, FrameSource, LinesSource, ParquetSource, ValuesSource


def whole(source, skip=0, lists=False):
    """Return all rows in their encoded form, as objects, and as lines of CSV if there are any."""
    pieces = list(source.pieces(skip, lists=lists))
    rows = [json.loads(row) for piece in pieces for row in piece.rows]
    objects = [json.loads(row) for piece in pieces for row in piece.as_objects(0, len(piece))]
    return rows, objects, [line for piece in pieces for line in piece.lines or []]


@pytest.fixture(params=["csv", "parquet", "jsonl", "values", "frame"])
def source(request, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "BLOCK_BYTES", 100)
    monkeypatch.setattr(sources, "FRAME_ROWS", 7)
    monkeypatch.setattr(sources, "GROUP_ROWS", 20)
    monkeypatch.setattr(sources, "LINES_AT_ONCE", 9)
    frame = pl.DataFrame({"id": range(50), "text": [f'a,"{n}"\n' for n in range(50)]})
    path = tmp_path / f"rows.{request.param}"
    match request.param:
        case "csv":
            frame.write_csv(path)
            return CsvSource(path, "rows", None)
        case "parquet":
            frame.write_parquet(path)
            return ParquetSource(path, "rows", None)
        case "jsonl":
            frame.write_ndjson(path)
            return LinesSource(path, "rows")
        case "values":
            return ValuesSource(frame.to_dicts(), "rows")
    return FrameSource(frame, "rows", None)


EXPECTED = [{"id": n, "text": f'a,"{n}"\n'} for n in range(50)]


@pytest.mark.parametrize("skip", [0, 1, 6, 7, 8, 20, 21, 49, 50])
def test_rows_are_read_from_any_place_on(source, skip):
    rows, objects, lines = whole(source, skip)

    assert EXPECTED[skip:] == rows == objects
    if lines:
        assert [[str(row["id"]), row["text"]] for row in rows] == [
            next(csv.reader(io.StringIO(line.decode(), newline=""))) for line in lines
        ]


def test_rows_are_lists_where_a_body_wants_them_so_and_objects_where_they_are_written(source):
    rows, objects, _ = whole(source, lists=True)

    assert [list(row.values()) for row in EXPECTED] == rows
    assert EXPECTED == objects


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 30), st.data())
def test_regrouped_and_cut_anywhere_the_rows_are_the_same(source, batch_rows, data):
    pieces = list(regroup(source.pieces(0, lists=False), batch_rows))
    found = []
    for piece in pieces:
        at = data.draw(st.integers(0, len(piece)))
        for part in (piece.cut(0, at), piece.cut(at, len(piece))):
            assert len(part) == sum(frame.height for frame in part.frames) or not part.frames
            found += [json.loads(row) for row in part.as_objects(0, len(part))]

    assert EXPECTED == found
    assert all(not len(piece) % batch_rows for piece in pieces[:-1])


def test_chunks_hold_whole_batches_and_neither_too_many_rows_nor_bytes():
    def pieces(count, size):
        for _ in range(count):
            yield Piece([b"x" * size] * 1000)

    many = [len(piece) for piece in regroup(pieces(20, 10), 300)]
    long = [len(piece) for piece in regroup(pieces(2, 100_000), 7)]
    longest = [len(piece) for piece in regroup(iter([Piece([b"x" * 3_000_000] * 5)]), 100)]

    assert [3900] * 5 + [500] == many
    assert [35] * 56 + [40] == long
    assert [1] * 5 == longest


def test_lines_of_a_csv_are_given_to_the_letter(tmp_path):
    text = b'\xef\xbb\xbfid,zip,note\r\n1,00123,"a ""b"" c"\r\n2,4e3,\r\n3,,"x, y"\r\n4,5,\r\n'
    (tmp_path / "rows.csv").write_bytes(text)
    _, _, lines = whole(CsvSource(tmp_path / "rows.csv", "rows", None))

    assert [b'1,00123,"a ""b"" c"', b"2,4e3,", b'3,,"x, y"', b"4,5,"] == lines


def test_another_separator_becomes_a_comma(tmp_path):
    (tmp_path / "rows.csv").write_text("a;b\n1;x,y\n2;z\n")
    source = CsvSource(tmp_path / "rows.csv", "rows", None)
    rows, _, lines = whole(source)

    assert [{"a": 1, "b": "x,y"}, {"a": 2, "b": "z"}] == rows
    assert [b'1,"x,y"', b"2,z"] == lines


def test_without_a_contract_a_column_is_of_the_type_that_gives_every_cell_back(tmp_path):
    columns = {
        "whole": ["1", "-20", "0"],
        "real": ["1", "2.50", "-3e4"],
        "zip": ["00123", "1", "2"],
        "long": ["12345678901234567890", "1", "2"],
        "truth": ["true", "False", "TRUE"],
        "mixed": ["1", "x", "2"],
        "empty": ["", "", ""],
        "gaps": ["", "7", ""],
        "nan": ["nan", "1", "2"],
    }
    lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    types = CsvTable(tmp_path / "rows.csv").inferred()
    rows, _, _ = whole(CsvSource(tmp_path / "rows.csv", "rows", None))

    assert [pl.Int64, pl.Float64, pl.String, pl.String, pl.Boolean, pl.String, pl.String, pl.Int64, pl.Int64] == list(
        types.values()
    )
    assert {
        "whole": 1, "real": 1.0, "zip": "00123", "long": "12345678901234567890", "truth": True, "mixed": "1",
        "empty": None, "gaps": None, "nan": None,
    } == rows[0]  # fmt: skip


def test_lines_of_json_are_sent_as_they_stand_there(tmp_path):
    text = b'{"a": 1.10, "b": 18446744073709551617}\r\n\n  {"b": "\\ud800", "a": NaN}\n'
    (tmp_path / "rows.jsonl").write_bytes(text)
    source = LinesSource(tmp_path / "rows.jsonl", "rows")
    (piece,) = source.pieces(0, lists=False)

    assert ([b'{"a": 1.10, "b": 18446744073709551617}', b'{"b": "\\ud800", "a": NaN}'], 2) == (piece.rows, source.total)
    assert ("a", "b") == source.names


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"a": 1}\n{"a": }\n', "rows:2:7: not JSON"), ('{"a": 1}\n\n3\n', "rows:3:1: a row is an object or an array")],
)
def test_a_line_that_is_no_row_is_named(tmp_path, text, words):
    (tmp_path / "rows.jsonl").write_text(text)

    with pytest.raises(UsageError, match=words):
        LinesSource(tmp_path / "rows.jsonl", "rows")


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 nothing")

    with pytest.raises(UsageError, match="rows: not a Parquet file"):
        ParquetSource(tmp_path / "rows.parquet", "rows", None)


def test_frames_hold_the_same_values_whatever_the_form(source):
    frames = list(source.frames())

    assert EXPECTED == [row for frame in frames for row in frame.to_dicts()]


def test_rows_that_are_arrays_have_no_names_for_a_frame(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("[1, 2]\n")

    with pytest.raises(
        UsageError, match=r"^rows\.jsonl:1:1: a row is an array: its values need names, so give objects$"
    ):
        list(LinesSource(path, "rows.jsonl").frames())
