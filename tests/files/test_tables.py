"""The verdict on a table equals the verdicts on its rows, one by one."""

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.contract.contract import parse
from epkit.core.validate.frames import check_frame
from epkit.core.validate.records import check_rows
from epkit.core.validate.validation import Validator
from epkit.core.validate.violations import Findings, Verdict, verdict
from epkit.errors import UsageError
from epkit.files import csv_tables, tables
from epkit.files.tables import check_table


def contract_of(properties: dict[str, Any], **row: Any) -> dict[str, Any]:
    """Return a contract whose rows have the given columns."""
    items = {"type": "object", "properties": properties, "required": list(properties), **row}
    body = {"type": "object", "properties": {"data": {"type": "array", "items": items}}}
    return {"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [{"in": "body", "schema": body}]}}}}


def validator_of(properties: dict[str, Any], *, as_declared: bool = False, **row: Any) -> Validator:
    return Validator(parse(contract_of(properties, **row)), as_declared=as_declared)


PEOPLE = {"age": {"type": "integer"}, "name": {"type": "string"}, "size": {"type": "number"}, "in": {"type": "boolean"}}

SCHEMAS = st.sampled_from(
    [
        {"type": "integer"},
        {"type": "integer", "format": "int8"},
        {"type": "integer", "minimum": 0, "maximum": 5},
        {"type": "number"},
        {"type": "number", "exclusiveMinimum": True, "minimum": 0},
        {"type": "string"},
        {"type": "string", "enum": ["a", "b"]},
        {"type": "string", "maxLength": 2},
        {"type": "string", "format": "date-time"},
        {"type": "boolean"},
        {"type": "integer", "x-nullable": True},
    ]
)
CELLS = {
    pl.Int64: st.none() | st.integers(-3, 300) | st.integers(-(2**63), 2**63 - 1),
    pl.Float64: st.none() | st.sampled_from([0.0, 1.0, 2.5, 1e30, float("nan"), float("inf")]) | st.floats(-5, 5),
    pl.String: st.none()
    | st.sampled_from(["", "a", "b", "abc", "17", "1.5", "old", "2020-01-01", "2020-01-01T00:00:00Z"]),
    pl.Boolean: st.none() | st.booleans(),
}


@st.composite
def tables_and_schemas(draw: st.DrawFn) -> tuple[dict[str, Any], pl.DataFrame]:
    """Draw columns at random; some are missing, renamed, or of another type than declared."""
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1, max_size=4))
    properties = {name: draw(SCHEMAS) for name in names}
    height = draw(st.integers(1, 12))
    columns = {}
    for name in draw(st.lists(st.sampled_from([*names, "z"]), unique=True, min_size=1)):
        dtype = draw(st.sampled_from(list(CELLS)))
        columns[name] = pl.Series(name, draw(st.lists(CELLS[dtype], min_size=height, max_size=height)), dtype=dtype)
    return properties, pl.DataFrame(list(columns.values()))


def said(found: Verdict) -> list[tuple[Any, ...]]:
    return sorted(
        (v.severity, v.rule, v.pointer, v.message, v.hint or "", v.row, v.rows, v.first_rows) for v in found.violations
    )


@given(tables_and_schemas())
def test_column_by_column_finds_what_row_by_row_finds(drawn: tuple[dict[str, Any], pl.DataFrame]) -> None:
    properties, frame = drawn
    validator = validator_of(properties)
    assert validator.rows is not None
    by_column, by_row = Findings(), Findings()
    check_frame(frame, 0, validator.rows, by_column, validator.schemas, text=False)
    check_rows(frame.to_dicts(), validator.rows, validator.rows.path, by_row, validator.schemas)
    columns, rows = verdict(by_column, limit=1000), verdict(by_row, limit=1000)

    assert (rows.errors, rows.warnings) == (columns.errors, columns.warnings)
    assert said(rows) == said(columns)


@given(tables_and_schemas())
def test_a_table_as_declared_breaks_what_jsonschema_says_it_breaks(drawn: tuple[dict[str, Any], pl.DataFrame]) -> None:
    properties, frame = drawn
    validator = validator_of(properties, as_declared=True)
    # A schema says nothing about text that is not JSON.
    odd = (float("inf"), float("-inf"))
    rows = [{k: 0.5 if v in odd or v != v else v for k, v in row.items()} for row in frame.to_dicts()]
    schema = contract_of(properties)["paths"]["/score"]["post"]["parameters"][0]["schema"]
    schema = json.loads(
        json.dumps(schema).replace('"type": "integer", "x-nullable": true', '"type": ["integer", "null"]')
    )
    reference = list(jsonschema.Draft4Validator(schema).iter_errors({"data": rows}))
    found = validator.check(json.dumps({"data": rows}).encode(), limit=1000)

    # In draft 4, exclusiveMinimum is a flag of minimum, and is reported as either.
    places = {(error.validator.replace("exclusiveMin", "min"), error.absolute_path[1]) for error in reference}

    assert len(reference) == found.errors
    assert {(v.rule.replace("exclusiveMin", "min"), v.row) for v in found.violations} <= places


def test_a_table_that_is_right_is_valid_in_any_format(tmp_path: Path) -> None:
    frame = pl.DataFrame({"age": [1, 2], "name": ["007", "x"], "size": [1.5, 2.0], "in": [True, False]})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    verdicts = [
        check_table(tmp_path / f"a{suffix}", validator_of(PEOPLE, as_declared=declared))
        for suffix in tables.SUFFIXES
        for declared in (False, True)
    ]

    assert [Verdict()] * 6 == verdicts


CSV = b"\n".join(
    [
        b"age,name,size,in",
        b"1,007,1.5,true",
        b"old,x,1,0",
        b"17.0,,2.5,TRUE",
        b'17.9,"a, ""quoted""!",NaN,maybe',
        b",x,3.5,false",
    ]
)


def test_csv_cells_are_read_as_the_contract_says(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    found = check_table(tmp_path / "a.csv", validator_of(PEOPLE))
    said = [(v.severity, v.rule, v.pointer, v.row, v.rows, v.line, v.column) for v in found.violations]

    assert [
        ("error", "type", "/data/1/age", 1, 3, 3, 1),
        ("error", "type", "/data/3/size", 3, 1, 5, 23),
        ("error", "type", "/data/3/in", 3, 1, 5, 27),
        ("warning", "type", "/data/2/age", 2, 1, 4, 1),
        ("warning", "type", "/data/2/name", 2, 1, 4, 6),
        ("warning", "type", "/data/1/in", 1, 1, 3, 9),
    ] == said
    assert '"old" is not an integer' == found.violations[0].message


def test_a_table_is_checked_in_pieces_as_if_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f'{n},"a\nb {n}",0.5,true' if n % 3 else f"old,b{n},0.5,false" for n in range(50)]
    (tmp_path / "a.csv").write_text("age,name,size,in\n" + "\n".join(rows))
    whole = check_table(tmp_path / "a.csv", validator_of(PEOPLE))
    monkeypatch.setattr(csv_tables, "BLOCK_BYTES", 64)
    pieces = check_table(tmp_path / "a.csv", validator_of(PEOPLE))

    assert whole == pieces
    assert (17, 17) == (whole.errors, whole.violations[0].rows)


def test_parquet_is_checked_in_pieces_with_its_own_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"age": [1.0, 2.5, 3.0], "name": [1, 2, 3], "size": [1, 2, 3], "in": [True, None, True]})
    frame.write_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(tables, "PIECE_ROWS", 2)
    found = check_table(tmp_path / "a.parquet", validator_of(PEOPLE))
    said = [(v.severity, v.pointer, v.rows) for v in found.violations]

    assert [
        ("error", "/data/1/age", 1),
        ("error", "/data/1/in", 1),
        ("warning", "/data/0/age", 2),
        ("warning", "/data/0/name", 3),
        ("warning", "/data/0/size", 3),
    ] == said


def test_dates_and_decimals_are_what_would_be_sent_in_their_place(tmp_path: Path) -> None:
    frame = pl.DataFrame({"at": ["2020-01-01T10:00:00"], "price": ["1.5"], "kind": ["a"]}).with_columns(
        pl.col("at").str.to_datetime(), pl.col("price").cast(pl.Decimal(10, 2)), pl.col("kind").cast(pl.Categorical)
    )
    frame.write_parquet(tmp_path / "a.parquet")
    properties = {
        "at": {"type": "string", "format": "date-time"},
        "price": {"type": "number"},
        "kind": {"type": "string"},
    }

    assert Verdict() == check_table(tmp_path / "a.parquet", validator_of(properties))


def test_json_lines_keep_their_line_numbers(tmp_path: Path) -> None:
    good = b'{"age": 1, "name": "a", "size": 1.5, "in": true}'
    (tmp_path / "a.jsonl").write_bytes(
        b"\xef\xbb\xbf" + good + b"\n\n" + good.replace(b"1,", b'"x",', 1) + b"\n{oops\n" + good
    )
    found = check_table(tmp_path / "a.jsonl", validator_of(PEOPLE))
    said = [(v.rule, v.row, v.line) for v in found.violations]

    assert [("type", 1, 3), ("json", 2, 4)] == sorted(said, key=lambda one: one[1])


def test_a_line_that_is_a_whole_body_is_named_as_that(tmp_path: Path) -> None:
    row = '{"age": 1, "name": "a", "size": 1.5, "in": true}'
    (tmp_path / "a.jsonl").write_text(f'{row}\n{{"data": [{row}]}}\n')
    found = check_table(tmp_path / "a.jsonl", validator_of(PEOPLE))

    assert [("/data/1", "a whole body where the line should be one row of it", 2)] == [
        (v.pointer, v.message, v.line) for v in found.violations
    ]


def test_a_matrix_contract_takes_a_table_by_position(tmp_path: Path) -> None:
    body = {
        "type": "object",
        "properties": {
            "data": {
                "type": "array",
                "format": "numpy.ndarray",
                "items": {"type": "array", "items": {"type": "integer"}},
            }
        },
        "example": {"data": [[1, 2]]},
    }
    document = {"swagger": "2.0", "paths": {"/": {"post": {"parameters": [{"in": "body", "schema": body}]}}}}
    validator = Validator(parse(document))
    (tmp_path / "two.csv").write_text("a,b\n1,2\n3,x\n")
    (tmp_path / "three.csv").write_text("a,b,c\n1,2,3\n")
    two, three = (check_table(tmp_path / f"{name}.csv", validator) for name in ("two", "three"))

    assert ["/data/1/1"] == [v.pointer for v in two.violations]
    assert ["shape"] == [v.rule for v in three.violations]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_separators_are_seen_in_the_header(tmp_path: Path, mark: str) -> None:
    (tmp_path / "a.csv").write_text(f"age{mark}name{mark}size{mark}in\n1{mark}a{mark}0.5{mark}true\n")

    assert Verdict() == check_table(tmp_path / "a.csv", validator_of(PEOPLE))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\xff\xfe\n", "UTF-8"),
        ("a.csv", b"age,age\n1,2\n", "twice"),
        ("a.csv", b'age,name\n"1,2\n', ":2: the quote that opens here is not closed"),
        ("a.csv", b"age,name\n1,\xff\n", ":2:3: the byte 0xFF .* is not UTF-8: --encoding cp1252 reads such a file"),
        ("a.parquet", b"PAR1 no", "not a Parquet file"),
        ("gone.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_told_as_such(tmp_path: Path, name: str, data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)

    with pytest.raises(UsageError, match=words):
        check_table(tmp_path / name, validator_of(PEOPLE))


def test_a_table_without_rows_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age,name,size,in\n")
    found = check_table(tmp_path / "a.csv", validator_of(PEOPLE))

    assert ["minItems"] == [v.rule for v in found.violations]


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_judged_or_refused(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for suffix in tables.SUFFIXES:
            file = Path(folder) / f"a{suffix}"
            file.write_bytes(data if suffix != ".csv" else b"age,name,size,in\n" + data)
            for validator in (validator_of(PEOPLE), validator_of(PEOPLE, as_declared=True)):
                try:
                    found = check_table(file, validator)
                except UsageError:
                    continue

                assert isinstance(found, Verdict)


def test_a_csv_that_polars_wrote_is_read_as_its_rows() -> None:
    frame = pl.DataFrame({"age": [1, 2], "name": ["a,b", 'c"d\ne'], "size": [0.5, 1.5], "in": [True, False]})
    buffer = io.BytesIO()
    frame.write_csv(buffer)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.csv").write_bytes(buffer.getvalue())

        assert Verdict() == check_table(Path(folder) / "a.csv", validator_of(PEOPLE))


def test_odd_types_of_columns_are_read_as_what_would_be_sent() -> None:
    properties = {"list": {"type": "array", "items": {"type": "integer"}}, "bytes": {"type": "string"}}
    properties |= {"none": {"type": "string"}, "small": {"type": "number"}, "at": {"type": "string"}}
    validator = validator_of(properties, maxProperties=4)
    assert validator.rows is not None
    frame = pl.DataFrame(
        {"list": [[1], ["x"]], "bytes": [b"\x00", None], "none": [None, None], "small": [1.5, 2.5], "at": [1, 2]},
        schema={"list": pl.List(pl.String), "bytes": pl.Binary, "none": pl.Null, "small": pl.Float32, "at": pl.Date},
        strict=False,
    )
    findings = Findings()
    check_frame(frame, 0, validator.rows, findings, validator.schemas, text=False)
    found = verdict(findings, limit=100)

    assert [
        ("error", "type", "/data/0/list/0", 2),
        ("error", "maxProperties", "/data/0", 2),
        ("warning", "type", "/data/1/bytes", 1),
        ("warning", "type", "/data/0/none", 2),
    ] == [(v.severity, v.rule, v.pointer, v.rows) for v in found.violations]


@pytest.mark.parametrize("data", [b"x,y\n[1],1\nno,2\n"])
def test_cells_of_other_kinds_are_json_in_a_csv(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    validator = validator_of({"x": {"type": "array"}, "y": {"type": "integer", "format": "uint64"}})
    found = check_table(tmp_path / "a.csv", validator)

    assert [("type", "/data/1/x")] == [(v.rule, v.pointer) for v in found.violations]


def test_a_table_as_declared_is_read_by_the_contracts_types(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    found = check_table(tmp_path / "a.csv", validator_of(PEOPLE, as_declared=True))

    assert {"/data/1/age", "/data/1/in", "/data/2/name"} <= {v.pointer for v in found.violations}


def test_lines_as_declared_and_many_lines_are_checked_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"age": 1, "name": "a", "size": 1.5, "in": True}
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({**row, "age": n if n else "x"}) for n in range(10)))
    monkeypatch.setattr(tables, "LINES_AT_ONCE", 3)
    found = [check_table(tmp_path / "a.jsonl", validator_of(PEOPLE, as_declared=d)) for d in (False, True)]

    assert [("/data/0/age", 1)] * 2 == [(v.violations[0].pointer, v.errors) for v in found]


def test_a_contract_without_rows_has_none_for_a_table(tmp_path: Path) -> None:
    body = {"type": "object", "properties": {"question": {"type": "object"}}}
    document = {"swagger": "2.0", "paths": {"/": {"post": {"parameters": [{"in": "body", "schema": body}]}}}}

    with pytest.raises(UsageError, match="has no rows"):
        check_table(tmp_path / "a.csv", Validator(parse(document)))
