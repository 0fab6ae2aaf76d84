"""`epkit pipeline` from the command line: runs, reused steps, gates, and refusals."""

import json
import time
import xml.etree.ElementTree as ET

import jsonschema
import numpy as np
import polars as pl
import pytest

from epkit.core.pipeline import comparison
from epkit.core.pipeline.document import schema
from support.cli_harness import complaint
from support.trained import bank_like

STORE = ".epkit/pipelines/bank"


def document(cli, *arguments):
    """Return the report of a run as JSON, checked against the schema."""
    ran = cli("pipeline", *arguments, "--format", "json")
    found = json.loads(ran.out)
    jsonschema.Draft202012Validator(schema()).validate(found)
    return found


def states(found):
    return {step["step"]: step["state"] for step in found["steps"]}


def test_a_first_run_says_a_line_a_step(ran_once):
    _, ran = ran_once
    data, train, gate = ran.out.splitlines()

    assert "" == ran.err
    assert data.startswith("data     ok ")
    assert data.endswith("s  1,500 rows, 21 columns")
    assert train.startswith("train    ok ")
    assert "best of 2: " in train
    assert gate.startswith("gate     ok ")
    assert " >= 0.8; worst cohort " in gate


def test_the_same_command_reuses_everything_in_milliseconds(cli):
    began = time.monotonic()
    found = document(cli, "run", "bank")

    assert {"data": "reused", "train": "reused", "gate": "reused"} == states(found)
    assert ("ok", 0, 2, 1, False) == tuple(found[k] for k in ("state", "exit_code", "run", "champion", "switched"))
    assert time.monotonic() - began < 20  # it took 0.1 s when it was written; a training takes longer than this


def test_what_is_reused_imports_no_library_that_learns(cli):
    ran = cli.spawn("pipeline", "run", "bank", prefix=("-X", "importtime"))

    assert 0 == ran.code
    imported = {line.rpartition("|")[2].strip() for line in ran.lines if line.startswith("import time:")}
    assert "epkit.flows.pipeline.pipeline" in imported
    assert set() == imported & {"lightgbm", "sklearn", "polars", "scipy"}


def test_a_gate_that_says_no_ends_the_run_and_says_no_again(cli):
    for number, state in ((2, "stopped"), (3, "stopped")):
        ran = cli("pipeline", "run", "bank", "--set", "gate=['AUC>=0.9999']")
        said = complaint(ran, 5)

        assert said.startswith(f"bank run {number}: stopped: gate: AUC>=0.9999: AUC is 0.9")
        assert said.endswith("; the model of run 1 stays")
        assert ran.out.splitlines()[2].startswith(f"gate     {state}")
    assert 1 == json.loads(cli.read(f"{STORE}/champion.json"))["run"]


def test_another_plan_trains_again_and_the_gate_compares_with_the_champion(cli):
    found = document(cli, "run", "bank", "--set", "train.runs=1", "--set", "gate=['AUC>=base-0.6']")

    assert {"data": "reused", "train": "ok", "gate": "ok"} == states(found)
    gate = found["steps"][2]["result"]
    assert (1, gate["rows"]) == (gate["champion"]["run"], gate["champion"]["rows"])
    assert -0.6 < gate["champion"]["differences"]["AUC"]["value"] < -0.3  # the constant model has an AUC of 0.5
    assert 2 == json.loads(cli.read(f"{STORE}/champion.json"))["run"]


def test_fewer_shared_rows_than_200_cannot_be_judged(cli):
    change = ("--set", "train.seed=2", "--set", "train.runs=1", "--set", "gate=['AUC>=base-0.6']")
    said = complaint(cli("pipeline", "run", "bank", *change), 5)

    assert "AUC>=base-0.6: cannot be judged: " in said
    assert "rows that neither model was trained on, and 200 are needed" in said


def test_a_champion_that_predicts_something_else_cannot_be_compared(cli):
    table = bank_like(1500)
    table.with_columns(y=table["y"].replace({"yes": "da", "no": "net"})).write_csv(cli.directory / "bank.csv")
    found = document(cli, "run", "bank", "--set", "train.runs=1", "--set", "gate=['AUC>=base-0.6']")

    assert (5, "stopped") == (found["exit_code"], states(found)["gate"])
    assert "cannot be judged: the champion: predicts " in found["reason"]


def test_with_if_needed_the_same_table_needs_nothing(cli):
    ran = cli("pipeline", "run", "bank", "--if-needed", "--junit", "run.xml")

    assert (0, "bank: nothing to do: the table is the same as in run 1\n", "") == (ran.code, ran.out, ran.err)
    assert "nothing to do" in cli.read("run.xml")
    assert not (cli.directory / STORE / "runs" / "2").exists()


def test_with_if_needed_more_rows_of_the_same_kind_need_nothing(cli):
    bank_like(1700, seed=0).write_csv(cli.directory / "bank.csv")
    found = document(cli, "run", "bank", "--if-needed")

    assert ("not needed", 0, {"data": "ok"}) == (found["state"], found["exit_code"], states(found))
    assert not found["need"]["retrain"]
    assert found["need"]["reasons"][1].startswith("the champion passes on ")


def test_with_if_needed_a_champion_that_is_bad_on_new_rows_is_replaced(cli):
    other = bank_like(1500, seed=3)
    noise = pl.Series("y", np.random.default_rng(0).permutation(other["y"].to_numpy()))
    other.with_columns(noise).write_csv(cli.directory / "bank.csv")
    found = document(cli, "run", "bank", "--if-needed", "--to", "data")

    assert found["need"]["retrain"]
    assert any(
        reason.startswith("the champion misses AUC>=0.8 on 1,500 new rows: 0.") for reason in found["need"]["reasons"]
    )


def test_with_if_needed_another_label_needs_a_new_model(cli):
    table = bank_like(1500)
    table.with_columns(y=table["y"].replace({"yes": "da", "no": "net"})).write_csv(cli.directory / "bank.csv")
    found = document(cli, "run", "bank", "--if-needed", "--to", "data")

    assert found["need"]["retrain"]
    assert any('predicts "y" with other answers' in reason for reason in found["need"]["reasons"])


def test_a_table_with_decimal_commas_is_read_as_the_configuration_says(cli):
    (cli.directory / "bank.csv").write_text(bank_like(1500).write_csv(separator=";", decimal_comma=True))
    refused = cli("pipeline", "run", "bank", "--to", "gate", "--force")
    found = document(cli, "run", "bank", "--to", "gate", "--set", "train.decimal=,")

    assert "--decimal , reads a decimal comma" in refused.err
    assert {"data": "ok", "train": "ok", "gate": "ok"} == {
        name: states(found)[name] for name in ("data", "train", "gate")
    }


def test_with_if_needed_another_schema_needs_a_new_model(cli):
    bank_like(1500).drop("age").write_csv(cli.directory / "bank.csv")
    found = document(cli, "run", "bank", "--if-needed", "--to", "data")

    assert found["need"]["retrain"]
    assert 'the schema has changed: column "age" is ' in found["need"]["reasons"][0]


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(cli):
    before = sorted(cli.directory.rglob("*"))
    ran = cli("pipeline", "run", "bank", "--dry-run", "--set", "train.runs=3")

    assert ["data     reused", "train    run", "gate     run"] == [line[:15].strip() for line in ran.out.splitlines()]
    assert before == sorted(cli.directory.rglob("*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "trian.runs=2"), '--set trian: unknown key; did you mean "train"?'),
        (("--set", "train.run=2"), '--set train.run: unknown key; did you mean "runs"?'),
        (("--set", "train"), "--set train: must be KEY=VALUE, such as train.runs=4"),
        (("--set", "label.x=1"), "--set label.x=1: label is no table"),
        (
            ("--set", "gate=['AUCC>=0.9']"),
            "pipelines.bank: --gate 'AUCC>=0.9': 'AUCC' is no metric: did you mean \"AUC\"?",
        ),
        (("--set", "train.metric=AUCC"), 'pipelines.bank.train: --metric AUCC: no metric: did you mean "AUC"?'),
        (("--set", "custom=['nowhere.py:make']"), "nowhere.py"),
        (("--set", "custom=['nowhere']"), "is neither FILE.py:make, nor module:function, nor the directory of a model"),
        (("--set", "data=none.csv"), "pipelines.bank.data: there is no "),
        (("--from", "gat"), '--from gat: not one of data, train, gate; did you mean "gate"?'),
        (("--only", "bench"), "--only bench: this pipeline has no such step, it has data, train, gate"),
        (("--from", "gate", "--to", "data"), "data comes before gate"),
        (("--only", "data", "--to", "gate"), "--only is --from and --to of one step: leave them out"),
        (("--format", "pdf"), "--format pdf: not one of text, json, markdown"),
        (("--html", "nowhere/x.html"), "--html nowhere/x.html: there is no directory nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(cli, arguments, words):
    assert words in complaint(cli("pipeline", "run", "bank", *arguments), 2)


def test_a_step_whose_required_step_was_left_out_is_refused(cli):
    ran = cli("pipeline", "run", "bank", "--from", "gate", "--set", "train.runs=3")

    assert "--from gate needs train, which was not done with this table and configuration: --from train" in complaint(
        ran, 2
    )


def test_a_step_is_run_alone_with_what_is_kept_of_the_others(cli):
    found = document(cli, "run", "bank", "--only", "gate", "--force")

    assert {"data": "reused", "train": "reused", "gate": "ok"} == states(found)


def test_a_champion_that_is_gone_is_said(cli):
    trained = json.loads(cli.read(f"{STORE}/champion.json"))["model"]
    (cli.directory / STORE / trained / "model.npz").unlink()
    said = complaint(cli("pipeline", "run", "bank"), 2)

    assert "the champion of run 1 was changed: restore it, or remove " in said
    (cli.directory / STORE / "champion.json").unlink()
    assert 0 == cli("pipeline", "run", "bank", "--to", "data").code


def test_runs_are_listed_shown_and_compared(cli):
    cli("pipeline", "run", "bank", "--why", "a second look", "--set", "gate=['AUC>=0.9999']")
    listed = cli("pipeline", "list", "bank", "--html", "history.html").out.splitlines()
    shown = cli("pipeline", "show", "bank", "2", "--junit", "run.xml", "--html", "run.html").out
    compared = cli("pipeline", "compare", "bank", "1", "2").out

    assert listed[1].startswith("2    20")
    assert listed[1].endswith("a second look")
    assert listed[2].endswith("champion")
    assert "ada, cli" in shown
    assert "a second look" in shown
    assert "gate     stopped" in shown
    assert "gate" in compared
    as_json = json.loads(cli("pipeline", "compare", "bank", "1", "2", "--format", "json").out)
    jsonschema.Draft202012Validator(comparison.schema()).validate(as_json)
    assert ["gate"] == [each["name"] for each in as_json["parameters"]]
    suite = ET.fromstring(cli.read("run.xml"))
    assert {"failures": "2", "tests": "4"}.items() <= suite.attrib.items()
    assert "model.run/train.html" in cli.read("run.html")
    assert "AUC over runs" in cli.read("history.html")
    assert 2 == document(cli, "show", "bank")["run"]
    assert "there is no run 9: there are 1, 2" in complaint(cli("pipeline", "show", "bank", "9"), 2)


def test_the_summary_of_a_job_gets_the_run(cli):
    cli.environ["GITHUB_STEP_SUMMARY"] = str(cli.directory / "summary.md")
    shown = cli("pipeline", "show", "bank", "--summary")

    assert (0, "") == (shown.code, shown.err)
    assert cli("pipeline", "show", "bank", "--format", "markdown").out == cli.read("summary.md")


def test_a_run_leaves_its_page_its_journal_and_the_log_of_each_step(cli):
    run = f"{STORE}/runs/1"

    assert "<svg" in cli.read(f"{run}/report.html")
    log = cli.read(f"{run}/logs/train.txt")
    assert "2 of 2 runs, best AUC" in log
    assert 1 == log.count("judging the model")
    records = [json.loads(line) for line in cli.read(f"{run}/run.jsonl").splitlines()]
    assert ["data", "train", "gate"] == [record["begun"] for record in records if "begun" in record]
    assert {"over": 0} == records[-1]
    assert 0o700 == (cli.directory / STORE).stat().st_mode & 0o777


def test_old_runs_go_and_the_champion_stays(cli):
    for _ in range(3):
        cli("pipeline", "run", "bank", "--set", "keep=1", "--set", "gate=['AUC>=0.9999']")

    assert ["1", "4"] == sorted(path.name for path in (cli.directory / STORE / "runs").iterdir())
    assert {"data": "reused", "train": "reused", "gate": "reused"} == states(document(cli, "run", "bank"))


def test_a_pipeline_is_written_into_a_file_that_keeps_its_comments(fresh):
    fresh.write("epkit.toml", '# mine\ndefault = "a"  # first\n[endpoints.a]\nuri = "https://a.example/score"\n')
    ran = fresh("pipeline", "init", "bank", "bank.csv", "--label", 'the "label"')

    assert (0, "") == (ran.code, ran.err)
    text = fresh.read("epkit.toml")
    assert text.startswith('# mine\ndefault = "a"  # first\n[endpoints.a]\n')
    assert 'label = "the \\"label\\""' in text
    assert "there is one already" in complaint(fresh("pipeline", "init", "bank", "bank.csv", "--label", "y"), 2)
    assert "there is no such table" in complaint(fresh("pipeline", "init", "b", "none.csv", "--label", "y"), 2)
    assert "must be 1 to 63 letters" in complaint(fresh("pipeline", "init", "a/b", "bank.csv", "--label", "y"), 2)


def test_without_a_file_it_is_said_how_to_write_one(tmp_path, fresh):
    (tmp_path / "epkit.toml").unlink()

    said = complaint(fresh("pipeline", "run", "bank"), 2)
    assert "there is no epkit.toml: epkit pipeline init bank TABLE --label COLUMN writes one" == said
    assert 0 == fresh("pipeline", "init", "bank", "bank.csv", "--label", "y").code
    steps = ("data", "train", "gate", "deploy", "prove", "bench", "switch", "watch")
    assert [f"{step:<8} run" for step in steps] == fresh("pipeline", "run", "bank", "--dry-run").out.splitlines()


def test_a_pipeline_of_a_file_outside_the_project_is_refused(fresh):
    below = fresh.directory / "project" / "deep"
    below.mkdir(parents=True)
    (fresh.directory / "project" / ".git").mkdir()
    fresh.directory = below

    assert "refused, because the file is outside this project" in complaint(fresh("pipeline", "run", "bank"), 2)
