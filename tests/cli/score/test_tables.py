"""Realistic tables, scored from the command line."""

import csv
import gzip
import io
import json

import polars as pl
import pytest

import epkit
from support.cli_harness import complaint
from support.places import ROOT
from support.predict_server import PredictServer, rows_of

BANK = ROOT / "payloads" / "bank-rows.csv"
HEADER, *ROWS = csv.reader(io.StringIO(BANK.read_text()))
NO = "--no-validate"


@pytest.fixture
def server():
    with PredictServer() as running:
        yield running


def text_of(rows, separator=",", end="\n"):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(rows)
    return text.getvalue()


def sent(server):
    return [row for body in server.bodies for row in rows_of(body)]


def table(cli, name):
    return list(csv.reader(io.StringIO((cli.directory / name).read_text())))


def test_the_courses_table_with_an_id_and_its_answer_gets_the_right_predictions(cli):
    """The genuine embedded endpoint scores it; its contract has neither column."""
    cli.write("rows.csv", text_of([HEADER, *ROWS]))
    cli.write("course.csv", text_of([["id", *HEADER, "y"], *([f"A{n:03}", *row, "no"] for n, row in enumerate(ROWS))]))
    assert 0 == cli("score", "rows.csv", "-o", "plain.csv").code
    refused = cli("score", "course.csv", "-o", "carried.csv")
    assert 0 == cli("score", "course.csv", "-o", "carried.csv", "--carry", "id,y").code

    assert 3 == refused.code
    assert (
        'unknown column "id": --carry id keeps it in the output and does not send it, --drop id leaves it out'
    ) in refused.err
    plain, carried = table(cli, "plain.csv"), table(cli, "carried.csv")
    assert [row[-1] for row in plain] == [row[-1] for row in carried]
    assert {"yes", "no"} == {row[-1] for row in plain[1:]}
    assert ["id", *HEADER, "y", "prediction"] == carried[0]
    assert [f"A{n:03}" for n in range(len(ROWS))] == [row[0] for row in carried[1:]]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.json"])
@pytest.mark.parametrize("out", [".csv", ".jsonl", ".parquet"])
def test_columns_are_carried_and_dropped_in_every_form(cli, server, name, out):
    frame = pl.DataFrame({"a": [7, 8], "id": ["x", "y"], "y": [True, False]})
    write = {".csv": frame.write_csv, ".jsonl": frame.write_ndjson, ".parquet": frame.write_parquet}
    write.get(name[1:], frame.write_json)(cli.directory / name)
    ran = cli("score", name, "--target", server.url, NO, "--carry", "id", "--drop", "y", "-o", f"o{out}")

    assert 0 == ran.code, ran.err
    assert [{"a": 7}, {"a": 8}] == sent(server)
    read = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".parquet": pl.read_parquet}[out]
    expected = [{"a": 7, "id": "x", "prediction": "p7"}, {"a": 8, "id": "y", "prediction": "p8"}]
    assert expected == read(cli.directory / f"o{out}").to_dicts()


@pytest.mark.parametrize("rows", [[{"a": 7, "id": "x"}], pl.DataFrame({"a": [7], "id": ["x"]})])
def test_columns_are_left_out_of_rows_from_python(server, rows):
    found = epkit.run_score(server.url, rows, validate=False, carry="id")

    assert ["p7"] == list(found)
    assert [{"a": 7}] == sent(server)


def test_a_changed_choice_does_not_go_on_with_another_job(cli, server):
    cli.write("t.csv", "a,id\n1,x\n")
    command = ("score", "t.csv", "--target", server.url, NO, "-o", "o.csv")

    assert 0 == cli(*command, "--carry", "id").code
    assert "already complete" in cli(*command, "--carry", "id").err
    for other in ((), ("--drop", "id"), ("--carry", "id", "--decimal", "."), ("--carry", "id", "--encoding", "cp1252")):
        assert "-o o.csv was begun with another reading of the table: --restart starts over" == complaint(
            cli(*command, *other), 2
        )


@pytest.mark.parametrize(
    ("separator", "name"),
    [(",", "t.csv"), (";", "t.csv"), ("\t", "t.tsv"), ("\t", "t.txt"), ("\t", "t.tab"), ("|", "t.csv")],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_tables_of_every_kind_are_the_same_table(cli, server, separator, name, encoding, end, packed):
    data = text_of([["a", "b, c"], ["1", "é"], ["2", "x;y"]], separator, end).encode(encoding)
    (cli.directory / name).write_bytes(data)
    if packed:
        name += ".gz"
        (cli.directory / name).write_bytes(gzip.compress(data))
    ran = cli("score", name, "--target", server.url, NO, "-o", "o.csv")

    assert 0 == ran.code, ran.err
    assert [{"a": 1, "b, c": "é"}, {"a": 2, "b, c": "x;y"}] == sent(server)
    assert [["a", "b, c", "prediction"], ["1", "é", "p1"], ["2", "x;y", "p2"]] == table(cli, "o.csv")


@pytest.mark.parametrize(
    ("data", "flags", "expected"),
    [
        (b"sep=;\na;b\n1;x\n", (), {"a": 1, "b": "x"}),
        (b"\n  \na,b\n\n1,x\n\n", (), {"a": 1, "b": "x"}),
        ("a,b\n1,é\n".encode("cp1252"), ("--encoding", "cp1252"), {"a": 1, "b": "é"}),
        (b"a;b\n1,5;x\n", ("--decimal", ","), {"a": 1.5, "b": "x"}),
        (b'a,b\n"1,5",x\n', ("--decimal", ","), {"a": 1.5, "b": "x"}),
        (b"a;b\n1,5;x\n", ("--decimal", "."), {"a": "1,5", "b": "x"}),
        (b"a,b,,\n1,x,,\n", (), {"a": 1, "b": "x"}),
        (b"a,b,,\n1,x\n", (), {"a": 1, "b": "x"}),
        (b",a,b\n0,1,x\n", (), {"a": 1, "b": "x"}),
        (b"a,b\n1,x,\n", (), {"a": 1, "b": "x"}),
        (b"a,b\n+2,x\n", (), {"a": 2, "b": "x"}),
        (b"a,b\n.5,x\n", (), {"a": 0.5, "b": "x"}),
    ],
)
def test_rows_are_read_as_people_write_them(cli, server, data, flags, expected):
    (cli.directory / "t.csv").write_bytes(data)
    ran = cli("score", "t.csv", "--target", server.url, NO, *flags)

    assert 0 == ran.code, ran.err
    assert [expected] == sent(server)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            b"1.5,2,x\n2.5,3,y\n",
            "t.csv:1: the first line is data, not a header (1.5, 2, x): write a line of column names",
        ),
        (b"a,b\n1,2\n3\n", "t.csv:3: 1 cell where the header has 2 (--skip-invalid sends all other rows)"),
        (b'a,b\n"x\ny",2\n\n3,4,5\n6\n', "t.csv:5: 3 cells where the header has 2; 2 such rows in all"),
        (b"a;b\n1,5;x\n", 't.csv:2: "1,5" in the column "a": --decimal , reads a decimal comma'),
        (
            b"a,b\n1,\xe9\n",
            't.csv:2:3: the byte 0xE9 ("\xe9" in cp1252) is not UTF-8: --encoding cp1252 reads such a file',
        ),
        (b"a\xe9,b\n1,2\n", 't.csv:1:2: the byte 0xE9 ("\xe9" in cp1252) is not UTF-8'),
        (b",,\n1,2,3\n", "t.csv:1: no column has a name"),
        (b'a;b\nx;1\ny\rz;"2"\n', "t.csv:2: from this line on a cell holds a quote or a carriage return"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line_before_anything_is_sent(cli, server, data, why):
    (cli.directory / "t.csv").write_bytes(data)
    ran = cli("score", "t.csv", "--target", server.url, NO, "-o", "o.csv")

    assert 2 == ran.code, ran.err
    assert f"epkit: {why}" in ran.err
    assert not server.bodies


def test_rows_of_another_width_fail_alone_with_their_lines(cli, server):
    cli.write("t.csv", "a,b\n1,x\n2\n\n3,y,z\n4,w\n")
    ran = cli("score", "t.csv", "--target", server.url, NO, "--skip-invalid", "-o", "o.csv")
    failed = [json.loads(line) for line in (cli.directory / "o.csv.failed.jsonl").read_text().splitlines()]

    assert 4 == ran.code
    assert [["a", "b", "prediction"], ["1", "x", "p1"], ["2", "", ""], ["3", "y", ""], ["4", "w", "p4"]] == table(
        cli, "o.csv"
    )
    assert [
        (1, "contract", "line 3: 1 cell where the header has 2"),
        (2, "contract", "line 5: 3 cells where the header has 2"),
    ] == [(each["row"], each["reason"], each["detail"]) for each in failed]


def test_missing_numbers_are_null_and_whole_numbers_stay_whole(cli, server):
    words = ["", "NaN", "NA", "N/A", "null", "None", "?", " "]
    cli.write("t.csv", text_of([["id", "n", "x"], *([n, word, word] for n, word in enumerate(words)), [8, 3, "0.5"]]))
    ran = cli("score", "t.csv", "--target", server.url, NO, "-o", "o.jsonl")

    assert 0 == ran.code, ran.err
    assert [{"id": n, "n": None, "x": None} for n in range(8)] + [{"id": 8, "n": 3, "x": 0.5}] == sent(server)
    assert all(type(row["n"]) is not float for row in sent(server))


def test_a_number_that_is_none_does_not_make_text_of_all_without_a_word(cli, server):
    cli.write("t.csv", "a\n" + "1\n" * 20 + "x\n")
    ran = cli("score", "t.csv", "--target", server.url, NO)

    assert 't.csv:22: the column "a" is read as text: 1 of 21 cells are no numbers, the first is "x"' in ran.err
    assert ["1"] * 20 + ["x"] == [row["a"] for row in sent(server)]


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("a,b,,\n1,x,,\n", "t.csv:1: columns 3, 4 have no names: they are left out"),
        (",a\n0,1\n", "t.csv:1: column 1 has no name: it is left out"),
    ],
)
def test_columns_without_names_are_left_out_with_a_note(cli, server, data, note):
    cli.write("t.csv", data)

    assert note in cli("score", "t.csv", "--target", server.url, NO, "-o", "o.csv").err
    assert "" not in table(cli, "o.csv")[0]


SCHEMA = str(ROOT / "swagger" / "bank.swagger2.json")


@pytest.mark.parametrize(
    ("rows", "flags", "code", "words"),
    [
        (ROWS, (), 2, "--no-header takes the contract's 20 names in their order"),
        (ROWS, ("--no-header",), 0, ": valid"),
        ([row[:-1] for row in ROWS], ("--no-header",), 2, "19 cells, and the contract has 20 columns (age, job, "),
        ([["id", *HEADER], *(["x", *row] for row in ROWS)], ("--carry", "id"), 0, ": valid"),
        ([["id", *HEADER], *(["x", *row] for row in ROWS)], ("--drop", "idd"), 2, 'did you mean "id"?'),
        ([HEADER, ROWS[0][:3], *ROWS], (), 3, "t.tsv:2:1  /data/0  cells  3 cells where the header has 20 (row 0)"),
        ([HEADER, ["2,6", *ROWS[0][1:]]], (), 3, '"2,6" in the column "age" is no number: --decimal , reads'),
        ([HEADER, ["?", *ROWS[0][1:]]], (), 3, "null is not an integer"),
    ],
)
def test_validate_reads_tables_as_score_does(cli, rows, flags, code, words):
    cli.write("t.tsv", text_of(rows, "\t"))
    ran = cli("validate", "t.tsv", "--schema", SCHEMA, *flags)

    assert code == ran.code
    assert words in ran.out + ran.err


@pytest.mark.parametrize("name", ["t.tsv", "t.csv.gz", "t.txt"])
def test_bench_makes_bodies_of_tables_of_every_kind(cli, server, name):
    data = text_of([["id", "a"], ["x", 1], ["y", 2]], "\t").encode("utf-16")
    data = text_of([["id", "a"], ["x", 1], ["y", 2]], "\t").encode() if name == "t.txt" else data
    (cli.directory / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    ran = cli("bench", "-n", "1", "-p", name, NO, "--drop", "id", server.url)

    assert 0 == ran.code, ran.err
    assert [{"a": 1}, {"a": 2}] == sent(server)
