"""`epkit train` from the command line: its files, its messages, and its exit codes."""

import json
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from epkit.core.train.document import schema
from epkit.core.train.sample import sample_table
from epkit.served.model import Model
from support.cli_harness import Cli, Ran, complaint

pytest.importorskip("lightgbm", reason="needs the extra train")

QUICK = ("--runs", 4, "--workers", 1)


GATES = ("--gate", "AUC>=0.5", "--gate", "accuracy>=0.999")


@pytest.fixture
def cli(cli):
    """The command line, with enough time for a training on a busy machine."""
    cli.patience_s = 150
    return cli


@pytest.fixture
def bank(cli):
    """A table of the course's kind, `bank.csv`, with something to learn."""
    cli.write("bank.csv", sample_table(rows=1500))
    return cli


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two commands and their results, for all tests that only read: a quick one, and `whole`, with 12 runs.

    The quick one has gates, one of which is missed; it prints its report as JSON, and has `customer` as an id.
    """
    cli = Cli(directory=tmp_path_factory.mktemp("trained"), patience_s=150)
    frame = pl.read_csv(sample_table(rows=1500).encode()).with_row_index("customer")
    frame.drop("customer").write_csv(cli.directory / "bank.csv")
    frame.write_csv(cli.directory / "named.csv")
    quick = cli("train", "named.csv", "--label", "y", "--id", "customer", *GATES, "--format", "json", *QUICK)
    whole = cli("train", "bank.csv", "--label", "y", "-o", "whole", "--runs", 12, "--workers", 2)
    return Trained(cli=cli, quick=quick, whole=whole)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A directory with trainings, and the results of their commands."""

    cli: Cli
    quick: Ran
    whole: Ran


def documents(cli, out="model"):
    """Return the card and the report of a training."""
    return json.loads(cli.read(f"{out}/card.json")), json.loads(cli.read(f"{out}.run/train.json"))


def bytes_of(cli, out):
    """Return the files of a model by name."""
    return {path.name: path.read_bytes() for path in (cli.directory / out).iterdir() if path.is_file()}


def wait_for(journal, runs):
    """Wait until that number of runs is done."""
    until = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b'"run": ') < runs:
        assert time.monotonic() < until, "the runs take too long"
        time.sleep(0.02)


def test_a_model_is_written_with_what_is_known_of_it(trained):
    cli, ran = trained.cli, trained.whole

    assert (0, "") == (ran.code, ran.err), ran.err
    assert {"model.npz", "card.json", "score.py", "conda.yml"} == set(bytes_of(cli, "whole"))
    assert {"runs.jsonl", "oof", "train.json", "train.html", "predictions.parquet"} == {
        path.name for path in (cli.directory / "whole.run").iterdir()
    }
    card, report = documents(cli, "whole")
    assert ("yes", 1500) == (report["data"]["positive"], report["data"]["rows"])
    assert {"naive", "linear", "gbdt"} <= {run["family"] for run in report["runs"]}
    assert card["metrics"]["test"]["AUC"]["value"] == report["test"]["metrics"]["AUC"]["value"] > 0.85
    assert "Next:         epkit deploy create NAME --model whole --entry score.py" in ran.out
    assert ["duration"] == [leak["column"] for leak in report["leaks"]]


def test_the_report_keeps_its_schema(trained):
    jsonschema = pytest.importorskip("jsonschema")

    document = json.loads(trained.quick.out)
    jsonschema.validate(document, schema())
    assert document == json.loads(trained.cli.read("model.run/train.json"))


@pytest.mark.long
def test_the_same_command_gives_the_same_bytes_by_one_process_or_two(trained):
    ran = trained.cli("train", "bank.csv", "--label", "y", "-o", "one", "--runs", 12, "--workers", 1)

    assert 0 == ran.code
    assert bytes_of(trained.cli, "whole") == bytes_of(trained.cli, "one")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_the_form_of_the_table_does_not_matter_nor_an_id(trained, kind):
    cli = trained.cli
    frame = pl.read_csv(cli.directory / "bank.csv")
    {"parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[kind](cli.directory / f"bank.{kind}")

    assert 0 == cli("train", f"bank.{kind}", "--label", "y", "-o", kind, *QUICK).code
    assert bytes_of(cli, "model")["model.npz"] == bytes_of(cli, kind)["model.npz"]


def test_a_table_with_decimal_commas_in_another_encoding_gives_the_same_model(trained):
    cli = trained.cli
    text = pl.read_csv(cli.directory / "bank.csv").write_csv(separator=";", decimal_comma=True)
    cli.write("german.csv", text.replace("admin.", "ädmin.").encode("cp1252"))
    cli.write("english.csv", cli.read("bank.csv").replace("admin.", "ädmin."))
    german = ("german.csv", "--encoding", "cp1252")

    assert "--decimal , reads a decimal comma" in complaint(cli("train", *german, "--label", "y", "-o", "g", *QUICK), 2)
    assert 0 == cli("train", *german, "--decimal", ",", "--label", "y", "-o", "german", *QUICK).code
    assert 0 == cli("train", "english.csv", "--label", "y", "-o", "english", *QUICK).code
    assert bytes_of(cli, "english")["model.npz"] == bytes_of(cli, "german")["model.npz"]


def test_predictions_are_of_models_that_did_not_see_the_row(trained):
    found = pl.read_parquet(trained.cli.directory / "model.run" / "predictions.parquet")

    assert list(range(1, 1501)) == found["row"].to_list()
    assert {"test", *(f"fold {n}" for n in range(1, 6))} == set(found["judged"])
    assert np.allclose(1, found["probability of no"] + found["probability of yes"])
    test = found.filter(pl.col("judged") == "test")
    _, report = documents(trained.cli)
    assert report["test"]["metrics"]["accuracy"]["value"] == pytest.approx((test["y"] == test["prediction"]).mean())


def test_ids_go_along(trained):
    found = pl.read_parquet(trained.cli.directory / "model.run" / "predictions.parquet")

    assert list(range(1500)) == found["customer"].to_list()
    assert "customer" not in [column["name"] for column in documents(trained.cli)[0]["columns"]]


def test_a_gate_that_is_missed_ends_with_5_and_everything_is_written(trained):
    assert "named.csv: 1 of 2 gates not passed: accuracy>=0.999" == complaint(trained.quick, 5)
    _, report = documents(trained.cli)
    assert ["passed", "missed"] == [gate["state"] for gate in report["gates"]]
    assert "model.npz" in bytes_of(trained.cli, "model")


@pytest.mark.long
def test_a_challenger_is_held_against_the_model_in_use_on_rows_that_neither_saw(cli):
    cli.write("old.csv", sample_table(rows=1500))
    lines = sample_table(rows=2000, seed=5).splitlines(keepends=True)
    cli.write("new.csv", "".join([cli.read("old.csv"), *lines[1:]]))
    cli("train", "old.csv", "--label", "y", "-o", "old", *QUICK)
    gate = ("--base", "old", "--gate", "AUC>=base-0.02")
    ran = cli("train", "new.csv", "--label", "y", "-o", "new", *gate, *QUICK)

    assert 0 == ran.code, ran.err
    _, report = documents(cli, "new")
    assert report["base"]["rows"] == report["test"]["rows"]
    assert "passed" == report["gates"][0]["state"]
    # With another seed, a fifth of the test rows are new to both models, which is too few of 1,500 rows.
    other = cli("train", "old.csv", "--label", "y", "-o", "other", "--seed", 1, *gate, *QUICK)
    complaint(other, 5)
    _, report = documents(cli, "other")
    assert ("not judged", True) == (report["gates"][0]["state"], report["base"]["rows"] < 200)


@pytest.mark.long
def test_the_label_may_have_many_classes_or_be_a_number(cli):
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(400, 3))
    table = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2]})
    kind = np.array(["low", "mid", "high"])[(x[:, 0] > -0.5).astype(int) + (x[:, 0] > 0.5)]
    table.with_columns(kind=pl.Series(kind)).write_csv(cli.directory / "many.csv")
    table.with_columns(size=2 * x[:, 0] + 0.1 * x[:, 1]).write_csv(cli.directory / "number.csv")

    assert 0 == cli("train", "many.csv", "--label", "kind", "-o", "many", *QUICK).code
    cli.environ["GITHUB_STEP_SUMMARY"] = "summary.md"
    assert 0 == cli("train", "number.csv", "--label", "size", "-o", "number", "--summary", *QUICK).code
    assert cli.read("summary.md").startswith("### epkit train: ")
    many, number = documents(cli, "many")[1], documents(cli, "number")[1]
    assert ("multiclass", "regression") == (many["data"]["task"], number["data"]["task"])
    assert many["test"]["metrics"]["accuracy"]["value"] > 0.8
    assert number["test"]["metrics"]["r2"]["value"] > 0.9


CUSTOM = """
from sklearn.tree import DecisionTreeClassifier

def make():
    return DecisionTreeClassifier(max_depth=2)

class Known:
    def fit(self, matrix, y):
        self.classes_ = [0, 1]
        return self
    def predict_proba(self, matrix):
        import numpy as np
        yes = 1 / (1 + np.exp(-8 * matrix[:, 0]))
        return np.column_stack([1 - yes, yes])

def known():
    return Known()
"""


def test_an_estimator_of_the_user_s_is_tried_among_the_others_and_wins_by_a_difference(cli):
    cli.write("mine.py", CUSTOM)
    x = np.random.default_rng(0).normal(size=(600, 2))
    y = np.random.default_rng(1).random(600) < 1 / (1 + np.exp(-8 * x[:, 0]))
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).write_csv(cli.directory / "t.csv")
    ran = cli("train", "t.csv", "--label", "y", "--custom", "mine.py:make", "-o", "tree", "--runs", 3, "--workers", 1)

    assert 0 == ran.code, ran.err
    _, report = documents(cli, "tree")
    assert ["custom"] == [run["family"] for run in report["runs"] if run["run"] == 7]
    assert "custom" != report["best"]["kind"]


def test_a_custom_model_is_a_pickle_that_is_opened_only_as_it_was_written(cli):
    cli.write("mine2.py", CUSTOM)
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(800, 2))
    y = drawn.random(800) < 1 / (1 + np.exp(-8 * x[:, 0]))
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).write_csv(cli.directory / "t.csv")
    ran = cli(
        "train",
        "t.csv",
        "--label",
        "y",
        "--positive",
        "true",
        "--custom",
        "mine2.py:known",
        "--runs",
        1,
        "--workers",
        1,
    )

    assert 0 == ran.code, ran.err
    card, report = documents(cli)
    assert "custom" == report["best"]["kind"]
    assert {"model.pkl", "mine2.py", "card.json", "score.py", "conda.yml"} == set(bytes_of(cli, "model"))
    assert set(card["model"]["sha256"]) == {"model.pkl", "mine2.py"}
    assert "scikit-learn==" in cli.read("model/conda.yml")
    planned = cli("deploy", "create", "mine", "--model", "model", "--entry", "score.py", "--dry-run")
    assert "--model model: a pickle, made by mine2.py: serving it runs that code" in planned.err
    (cli.directory / "model" / "model.pkl").write_bytes(pickle.dumps("other"))
    base = cli("train", "t.csv", "--label", "y", "-o", "new", "--base", "model", "--runs", 1, "--workers", 1)
    assert "was changed, and is not opened" in complaint(base, 2)


def test_a_dry_run_trains_nothing(bank):
    ran = bank("train", "bank.csv", "--label", "y", "--dry-run")

    assert 0 == ran.code
    assert "85 runs:" in ran.out
    assert "No model was trained." in ran.out
    assert ["bank.csv"] == [path.name for path in bank.directory.iterdir()]


def test_after_kill_9_the_same_command_goes_on_to_the_same_bytes(trained):
    cli = trained.cli
    arguments = ("train", "bank.csv", "--label", "y", "--runs", 12, "--workers", 2, "-o", "killed")
    journal = cli.directory / "killed.run" / "runs.jsonl"
    for runs in (2, 7):
        with cli.start(*arguments) as process:
            wait_for(journal, runs)
            process.kill()
        assert not (cli.directory / "killed").exists()
    assert 0 == cli(*arguments).code

    assert bytes_of(cli, "whole") == bytes_of(cli, "killed")


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_with_the_best_so_far(bank, number, code):
    with bank.start("train", "bank.csv", "--label", "y", "--runs", 500, "--workers", 1) as process:
        wait_for(bank.directory / "model.run" / "runs.jsonl", 4)
        process.send_signal(number)
        ran = bank.finished(process)

    assert code == ran.code, ran.err
    _, report = documents(bank)
    assert report["partial"]
    done = sum(run["family"] != "vote" for run in report["runs"])
    assert f"interrupted after {done} of 500 runs; the model is the best of these" in ran.err
    assert f"PARTIAL: interrupted after {done} runs; the model is the best of them" in ran.out
    assert "model.npz" in bytes_of(bank, "model")


def test_model_files_load_without_what_trained_them(trained):
    bank = trained.cli
    code = (
        "import sys\n"
        "from epkit.served.model import Model\n"
        "m = Model.load('model')\n"
        "assert not {'lightgbm', 'sklearn', 'scipy', 'polars'} & set(sys.modules), sorted(sys.modules)\n"
        "print(m.probabilities(m.encode({c['name']: [m.card['example'][c['name']]] for c in m.card['columns']})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=bank.directory, capture_output=True, check=False)

    assert 0 == done.returncode, done.stderr
    with zipfile.ZipFile(bank.directory / "model" / "model.npz") as archive:
        assert all(name.endswith(".npy") for name in archive.namelist())


@pytest.mark.long
@pytest.mark.parametrize("label", ["y", "duration"])
def test_the_model_is_written_for_lightgbm_too(bank, label):
    ran = bank("train", "bank.csv", "--label", label, "--runs", 6, "--workers", 1, "--export", "lightgbm")

    assert 0 == ran.code, ran.err
    import lightgbm

    own = Model.load(bank.directory / "model")
    texts = {path.stem: path for path in (bank.directory / "model").glob("*.txt")}
    members = own.card["model"]["members"]
    assert len(texts) == len(members)
    names = ["model"] if len(members) == 1 else [f"model-{member['run']}" for member in members]
    frame = pl.read_csv(bank.directory / "bank.csv")
    matrix = own.encode({column: frame[column].to_list() for column in frame.columns})
    margins = sum(
        member["weight"] * lightgbm.Booster(model_file=texts[name]).predict(matrix, raw_score=True)
        for member, name in zip(members, names, strict=True)
    )
    assert np.allclose(margins, own.scorer.margins(matrix)[:, 0], rtol=1e-9, atol=1e-9)


def test_what_is_no_trees_is_not_exported(bank):
    ran = bank("train", "bank.csv", "--label", "y", "--runs", 1, "--export", "lightgbm")

    said = complaint(ran, 2)
    assert said.startswith(
        "--export lightgbm: run 1 of the model is naive, which is not trees: leave out --export lightgbm"
    )
    assert not (bank.directory / "model").exists()


def test_a_form_whose_packages_are_missing_is_refused_before_the_runs(bank, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxmltools", None)
    ran = bank("train", "bank.csv", "--label", "y", "--export", "onnx")

    assert '--export onnx needs onnxmltools: pip install "epkit[onnx]"' == complaint(ran, 2)
    assert not (bank.directory / "model.run").exists()


def test_the_model_is_written_as_onnx_too(bank):
    pytest.importorskip("onnxmltools", reason="needs the extra onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    drawn = np.random.default_rng(0).normal(size=(400, 2))
    pl.DataFrame({"a": drawn[:, 0], "b": drawn[:, 1], "y": drawn[:, 0] ** 2}).write_csv(bank.directory / "t.csv")
    ran = bank("train", "t.csv", "--label", "y", "--runs", 4, "--workers", 1, "--export", "onnx")

    assert 0 == ran.code, ran.err
    own = Model.load(bank.directory / "model")
    files = sorted((bank.directory / "model").glob("*.onnx"))
    assert len(files) == len(own.card["model"]["members"])
    if len(files) == 1:
        session = runtime.InferenceSession(files[0], providers=["CPUExecutionProvider"])
        answers = session.run(None, {"rows": drawn.astype(np.float32)})[-1]
        assert np.allclose(answers[:, 0], own.scorer.margins(drawn)[:, 0], rtol=1e-4, atol=1e-4)


def test_an_interrupt_before_the_first_run_writes_nothing(bank):
    with bank.start("train", "bank.csv", "--label", "y", "--workers", 1) as process:
        scratch = bank.directory / "model.run"
        until = time.monotonic() + 60
        while not scratch.exists():
            assert time.monotonic() < until, "the table takes too long"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        ran = bank.finished(process)

    assert (130, ["epkit: interrupted"]) == (ran.code, ran.lines)
    assert not (bank.directory / "model").exists()
