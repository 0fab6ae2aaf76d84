"""Tables of any bytes, and almost valid tables: they are read, or refused in one line with the place."""

import csv
import gzip
import io
import json
from itertools import cycle

import pytest
from hypothesis import strategies as st

from support.cli_harness import Cli
from support.fuzzing import damaged, fuzz
from support.places import ROOT
from support.predict_server import PredictServer

SCHEMA = str(ROOT / "swagger" / "bank.swagger2.json")
BANK = (ROOT / "payloads" / "bank-rows.csv").read_bytes()
NAMES = next(csv.reader(io.StringIO(BANK.decode())))

CELLS = st.one_of(
    st.sampled_from(["", " ", "NA", "?", "nan", "1", "+2", ".5", "2,6", "1.234,5", "007", "inf", "1e400", "-", "true"]),
    st.sampled_from(["x", '"', 'a"b', "a\nb", "\r", "\0", "é", "\x1b[31m", "\ud800", "9" * 400, "9" * 25]),
    st.text(max_size=6),
)
FLAGS = st.sampled_from(
    [
        (), (), (), ("--skip-invalid",), ("--decimal", ","), ("--decimal", "."), ("--no-header",), ("--carry", "age"),
        ("--drop", "job,age"), ("--encoding", "cp1252"), ("--encoding", "utf-16"), ("--encoding", "shift_jis"),
    ]
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Draw a table with a header, perhaps the contract's, rows of several widths, blank lines, and some encoding."""
    wide = draw(st.integers(1, 5))
    header = draw(st.one_of(st.just(NAMES), st.lists(CELLS, min_size=wide, max_size=wide)))
    row = st.lists(CELLS, min_size=max(1, len(header) - 1), max_size=len(header) + 1)
    rows = draw(st.lists(row, max_size=6))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    text = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(
        text, delimiter=separator, quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r"]))
    )
    text.write(draw(st.sampled_from(["", "", f"sep={separator}\n", "\n \n"])))
    writer.writerow(header)
    for cells in rows:
        text.write(draw(st.sampled_from(["", "", "", "\n", "  \n", "\r\n"])))
        writer.writerow(cells)
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]))
    data = text.getvalue().encode(encoding, "replace" if encoding == "cp1252" else "surrogatepass")
    return gzip.compress(data) if draw(st.integers(0, 9)) == 0 else data


ANY = st.one_of(
    st.binary(max_size=80),
    st.lists(st.sampled_from([b",", b"\n", b'"', b";", b"\r", b"\0", b"1", b"a", b"\xff", b"\xfe", b"\xe9"])).map(
        b"".join
    ),
    damaged(BANK[:600]),
    damaged(BANK[:600].decode().encode("utf-16-le")),
    damaged(gzip.compress(BANK[:600])),
)


@pytest.mark.parametrize("kind", ["made-up", "any"])
@pytest.mark.parametrize("way", ["validate", "score"])
def test_a_table_is_read_or_refused_in_one_line(tmp_path, kind, way):
    cli = Cli(directory=tmp_path)
    names = cycle(["x.csv", "x.csv", "x.txt", "x.tsv"])
    outs = cycle(["o.csv", "o.jsonl", "o.parquet"])

    with PredictServer() as server:

        def check(made: tuple[bytes, tuple[str, ...]]) -> None:
            data, flags = made
            name, out = next(names), next(outs)
            (tmp_path / name).write_bytes(data)
            if way == "validate":
                command = ["validate", name, "--schema", SCHEMA, *(f for f in flags if f != "--skip-invalid")]
            else:
                command = ["score", name, "--target", server.url, "-o", out, "--overwrite", "--restart", "-q", *flags]
                command += ["--no-validate"] if len(data) % 2 else ["--schema", SCHEMA]
            ran = cli(*command)

            assert ran.code in (0, 2, 3, 4), (command, ran.err)
            assert "Traceback" not in ran.err, ran.err
            assert all(line.startswith("epkit: ") for line in ran.lines), ran.err
            assert "\x1b" not in ran.out + ran.err
            if way == "score" and ran.code in (0, 4):
                assert_whole(tmp_path / out, tmp_path / f"{out}.failed.jsonl", ran.code)

        fuzz(f"tables_{kind}_{way}", st.tuples(tables() if kind == "made-up" else ANY, FLAGS), check)


def assert_whole(out, failed, code):
    """Check that all rows of the output are as wide as the header, and that those without a prediction are listed."""
    missing = 0
    if out.suffix == ".csv":
        with out.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert {len(header)} >= set(map(len, rows))
        missing = sum(not row[-1] for row in rows)
    elif out.suffix == ".jsonl":
        missing = sum(json.loads(line).get("prediction") is None for line in out.read_bytes().splitlines())
    else:
        return
    listed = len(failed.read_bytes().splitlines()) if failed.exists() else 0
    assert (missing, code) == (listed, 4 if listed else 0)
