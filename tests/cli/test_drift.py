"""`epkit drift` from the command line: its inputs, messages, files and exit codes."""

import json

import jsonschema
import polars as pl
import pytest

from epkit.core.drift.document import schema
from epkit.core.train.card import card_bytes
from epkit.core.train.sample import sample_table
from support.cli_harness import complaint
from support.trained import card_of, learned_from


@pytest.fixture
def bank(cli):
    """A model's card, and tables of its regime and of the next one."""
    table = pl.read_csv(sample_table(rows=5000, seed=3).encode())
    late = pl.col("nr.employed") < 5191
    early = table.filter(~late)
    (cli.directory / "model").mkdir()
    (cli.directory / "model" / "card.json").write_bytes(card_bytes(card_of(learned_from(early[:2000]))))
    early[:2000].write_csv(cli.directory / "old.csv")
    early[2000:2500].write_parquet(cli.directory / "same.parquet")
    table.filter(late)[:300].write_ndjson(cli.directory / "late.jsonl")
    return cli


def test_a_model_against_rows_of_its_regime_is_no_drift(bank):
    ran = bank("drift", "model", "same.parquet")

    assert (0, "") == (ran.code, ran.err)
    assert ran.out.endswith("no drift in 20 columns\n")
    assert "model (card of a model), 2,000 rows" in ran.out


def test_a_model_against_rows_of_the_next_regime_is_drift(bank):
    ran = bank("drift", "model/card.json", "late.jsonl", "--html", "d.html", "--junit", "d.xml")

    assert "late.jsonl: drift was found" == complaint(ran, 5)
    assert "drift in 6 of 20 columns" in ran.out
    assert "<h2>nr.employed</h2>" in bank.read("d.html")
    assert 'name="column nr.employed"' in bank.read("d.xml")


def test_the_summary_of_a_job_gets_the_table(bank):
    bank.environ["GITHUB_STEP_SUMMARY"] = str(bank.directory / "summary.md")
    ran = bank("drift", "model", "same.parquet", "--summary", "--format", "json")

    assert (0, "") == (ran.code, ran.err)
    assert bank("drift", "model", "same.parquet", "--format", "markdown").out == bank.read("summary.md")


def test_two_tables_are_compared_as_a_whole_too(bank):
    pytest.importorskip("lightgbm", reason="needs the extra train")
    ran = bank("drift", "old.csv", "late.jsonl", "--label", "y", "--format", "json")
    document = json.loads(ran.out)

    jsonschema.validate(document, schema())
    assert 5 == ran.code
    assert ("y", True, 22) == (document["label"]["column"], document["classifier"]["found"], document["tests"])


def test_columns_that_are_dropped_are_not_compared(bank):
    drop = ["emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed", "month"]
    ran = bank(
        "drift", "model", "late.jsonl", "--format", "json", *(word for name in drop for word in ("--drop", name))
    )

    assert 14 == len(json.loads(ran.out)["columns"])


def test_a_changed_schema_ends_with_5_without_drift(bank):
    pl.read_csv(bank.directory / "old.csv").drop("job").write_csv(bank.directory / "less.csv")
    ran = bank("drift", "model", "less.csv", "--format", "markdown")

    assert "less.csv: the schema has changed" == complaint(ran, 5)
    assert 'schema: column "job" is not in less.csv' in ran.out


def test_tables_with_decimal_commas_are_compared(bank):
    german = pl.read_csv(bank.directory / "old.csv").write_csv(separator=";", decimal_comma=True)
    bank.write("german.csv", german.encode("utf-8-sig"))

    assert "--decimal , reads a decimal comma" in complaint(bank("drift", "model", "german.csv"), 2)
    assert 0 == bank("drift", "model", "german.csv", "--decimal", ",").code


def test_a_table_from_stdin_is_compared(bank):
    ran = bank("drift", "model", "-", stdin=bank.read("old.csv").encode())

    assert 0 == ran.code


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("none", "old.csv"), "none: no such file"),
        (("model", "none.csv"), "none.csv: no such file"),
        (("-", "-"), "OLD and NEW cannot both be stdin"),
        (("model", "old.csv", "--label", "job"), '--label "job": the model of model predicts "y"'),
        (("old.csv", "old.csv", "--label", "job_"), 'has no such column: did you mean "job"?'),
        (("model", "old.csv", "--drop", "jobs"), '--drop "jobs"'),
        (("model", "old.csv", "--format", "xml"), "--format xml"),
        (("model", "old.csv", "--seed", "-1"), "--seed -1: a seed is 0 or more"),
        (("model", "old.csv", "--html", "none/d.html"), "--html none/d.html"),
        (("broken", "old.csv"), "broken: card.json is not the card of a model"),
        (("model", "model"), "model"),
    ],
)
def test_what_cannot_be_done_is_one_line(bank, arguments, why):
    (bank.directory / "broken").mkdir()
    bank.write("broken/card.json", '{"format": "epkit.card/1"')
    ran = bank("drift", *arguments)

    assert "" == ran.out
    assert why in complaint(ran, 2)
