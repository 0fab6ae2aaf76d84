"""`epkit train` with unusable tables: one line, exit code 2, and nothing is left that looks like a model."""

import gzip
import json
import os
import signal
import time

import numpy as np
import polars as pl
import pytest

from epkit.files.training import TrainingJournal
from support.cli_harness import complaint
from support.small_disk import PAGE, fill, small_disk

pytest.importorskip("lightgbm", reason="needs the extra train")

QUICK = ("--runs", 1, "--workers", 1)
ROWS = 200
WORDS = ("no", "yes", "no")


def table(rows=ROWS, **columns):
    """Return the text of a table: a number, and a label with two values."""
    given = {"a": [row % 7 for row in range(rows)], "y": [WORDS[row % 3] for row in range(rows)]} | columns
    return pl.DataFrame(given).write_csv()


def one_in(rows, value, others):
    """Return a column in which only the value in row 78 differs."""
    return [value if row == 77 else others(row) for row in range(rows)]


TEXTS = one_in(ROWS, "inf", lambda row: str(row % 5))
THOUSAND = [f"k{row}" for row in range(1000)]
TABLES = {
    "no label": (table(), ("--label", "z"), '--label "z": t.csv has no such column: it has a, y'),
    "label mistyped": (
        table(price=range(ROWS)), ("--label", "prise"),
        '--label "prise": t.csv has no such column: did you mean "price"?',
    ),
    "one class": (table(y="yes"), (), 't.csv: the label "y" is "yes" in all rows: nothing can be learned from one value'),
    "label never there": (
        table(y=[None] * ROWS), (), 't.csv: the label "y" is missing in all rows: name another with --label'
    ),
    "empty": ("", (), "t.csv: the file is empty: a line of column names is expected"),
    "blank lines": ("\n\n\n", (), "t.csv: the file is empty: a line of column names is expected"),
    "no rows": ("a,y\n", (), "t.csv: there are no rows"),
    "infinite": (table(a=TEXTS), (), 't.csv: row 78, column "a": an infinite number: mend it, or leave it empty'),
    "infinite label": (
        table(y=TEXTS), (), 't.csv: the label "y" is infinite in labelled row 78: mend or leave out that row'
    ),
    "nothing but empty columns": (
        table(a=[None] * ROWS, b=5), (),
        "t.csv: no column is left to learn from: all are constant, empty or left out",
    ),
    "a column twice": ("a,a,y\n1,2,no\n", (), 't.csv:1: the column "a" occurs twice'),
    "9 rows": (table(9), (), "t.csv: 9 rows have a label, and 10 are the fewest: give more rows"),
    "10 rows": (
        table(10), (),
        't.csv: the label "y" is "yes" in 3 rows, too few where 5 are needed: use fewer --folds, or give more rows',
    ),
    "10 rows less the test": (
        table(10), ("--folds", 2),
        "t.csv: {} rows with a label are left to learn from, and 10 are the fewest",
    ),
    "a class a row": (
        table(1000, y=THOUSAND), (),
        ('t.csv: the label "y" has 1,000 different texts in 1,000 rows: is it the label? '
        "--task classification takes it all the same"),
    ),
    "a row of a class": (
        table(1000, y=THOUSAND), ("--task", "classification"),
        ('t.csv: the label "y" is "k0" in 1 row, too few where 5 are needed, and so of 999 more: '
        "leave them out, or give more rows"),
    ),
    "one group": (
        table(g="k"), ("--group", "g"),
        ('--group "g": t.csv has 1 group, and 0 rows are left to learn from where some are test rows: '
        "name a column with more values, or --test-size 0"),
    ),
    "one group next to the test rows": (
        table(g=["l", "k"] * (ROWS // 2)), ("--group", "g"),
        "--folds 5: there is one group only (test rows have theirs), and each fold needs one of its own",
    ),
    "texts as amounts": (
        table(), ("--task", "regression"),
        't.csv: the label "y" holds texts, and a regression predicts numbers: --task classification',
    ),
    "Latin-1": (
        table().replace("no", "n\xe4").encode("latin-1"), (),
        't.csv:2:4: the byte 0xE4 ("ä" in cp1252) is not UTF-8: --encoding cp1252 reads such a file, or save it as UTF-8',
    ),
}  # fmt: skip

LIMITS = "write METRIC OP LIMIT, as in AUC>=0.94, AUC>=base-0.002, cohort(job).accuracy>=0.85"
OPTIONS = {
    "metric of another task": (
        ("--metric", "rmse"),
        "--metric rmse: not a metric of this task, which is binary: one of",
    ),
    "metric mistyped": (("--metric", "auv"), '--metric auv: no metric: did you mean "AUC"?'),
    "gate's metric": (("--gate", "AUCC>=0.9"), "--gate 'AUCC>=0.9': 'AUCC' is no metric: did you mean \"AUC\"?"),
    "gate's limit": (("--gate", "AUC>0.9x"), f"--gate 'AUC>0.9x': '0.9x' is no limit: {LIMITS}"),
    "gate's column": (
        ("--gate", "cohort(b).accuracy>0.9"),
        "--gate 'cohort(b).accuracy>0.9': 'b' is no column of the model: it has a",
    ),
    "gate without base": (
        ("--gate", "AUC>=base-0.1"),
        "--gate AUC>=base-0.1: compares with the model that is in use: name its directory with --base",
    ),
    "threshold": (
        ("--threshold", "f2"),
        "--threshold 'f2': no rule: write 0.5 (or another number between 0 and 1), f1,",
    ),
    "percent": (
        ("--threshold", "recall>=80"),
        "--threshold 'recall>=80': recall is a fraction, above 0 and at most 1:",
    ),
    "half a cost": (("--threshold", "cost:fn=5"), "--threshold 'cost:fn=5': no rule: write 0.5"),
    "positive": (("--positive", "maybe"), 't.csv: the label "y" is never "maybe": --positive is one of "no", "yes"'),
    "label as group": (("--group", "y"), '--group "y" is also named by --label: name a column only once'),
    "no such group": (("--group", "b"), '--group "b": t.csv has no such column: it has a, y'),
    "group and time": (("--group", "a", "--time", "b"), "--group and --time contradict each other"),
    "one moment": (("--time", "same"), '--time "same": t.csv has no such column: it has a, y'),
    "all are ids": (("--id", "a"), "t.csv: no column is left to learn from: all are constant, empty or left out"),
    "time limit": (("--time-limit", "soon"), "--time-limit soon: write a time as 90s, 10m or 1h"),
    "holdout": (("--holdout", 2), "--holdout 2: must be a part of the rows: above 0, below 0.9"),
    "pairs": (("--pairs", "a"), "--pairs a: write two columns as A:B"),
    "custom without a name": (("--custom", "mine.py"), "--custom mine.py is not FILE.py:NAME"),
    "custom that is not there": (("--custom", "none.py:make"), "--custom none.py:make: "),
    "custom with a fault": (("--custom", "broken.py:make"), "--custom broken.py:make: "),
    "custom that ends Python": (("--custom", "leaving.py:make"), "--custom leaving.py:make: "),
    "base that is not there": (("--base", "none"), "--base none: "),
    "base that is no model": (
        ("--base", "other"),
        "--base other: there is no card.json in it: name the directory that epkit train wrote",
    ),
    "base that is a file": (("--base", "t.csv"), "--base t.csv is a file: name the directory that epkit train wrote"),
    "base with a damaged card": (("--base", "damaged"), "--base /"),
    "export": (("--export", "pmml"), "--export pmml"),
    "a page nowhere": (("--html", "nowhere/page.html"), "--html nowhere/page.html: "),
}


@pytest.fixture
def cli(cli):
    """The command line, with enough time to import LightGBM on a busy machine."""
    cli.patience_s = 150
    return cli


def nothing_written(cli):
    return not (cli.directory / "model").exists()


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_cannot_be_learned_from_is_refused_in_a_line(cli, case):
    text, options, message = TABLES[case]
    cli.write("t.csv", text)
    said = complaint(cli("train", "t.csv", *(() if "--label" in options else ("--label", "y")), *options, *QUICK), 2)

    before, _, after = message.partition("{}")
    assert said == message or (after and said.startswith(before) and said.endswith(after))
    assert nothing_written(cli)


@pytest.mark.parametrize("case", OPTIONS)
def test_an_option_that_does_not_fit_is_refused_in_a_line(cli, case):
    options, message = OPTIONS[case]
    cli.write("t.csv", table())
    cli.write("broken.py", "def make(:\n")
    cli.write("leaving.py", "import sys\nsys.exit('gone')\n")
    cli.write("other/readme.txt", "no model")
    cli.write("damaged/card.json", '{"label": ')
    said = complaint(cli("train", "t.csv", "--label", "y", *options, *QUICK), 2)

    assert said.startswith(message)
    assert nothing_written(cli)


def test_what_is_no_table_is_refused(cli):
    cli.write("body.json", '{"data": [{"a": 1}]}')
    cli.write("t.csv.gz", gzip.compress(table().encode())[:60])
    for given, message in {
        "body.json": "body.json is a request body: name a table, .csv, .parquet or .jsonl, or .gz of one",
        "none.csv": "none.csv: no such file",
        "t.csv.gz": "t.csv.gz",
    }.items():
        assert complaint(cli("train", given, "--label", "y", *QUICK), 2).startswith(message)
    assert nothing_written(cli)


def test_a_directory_with_other_things_in_it_is_left_alone(cli):
    cli.write("t.csv", table())
    cli.write("model/diary.txt", "dear diary")
    said = complaint(cli("train", "t.csv", "--label", "y", *QUICK), 2)

    assert 'model has other things in it ("diary.txt"): name another directory, or a new one' in said
    assert ["diary.txt"] == [path.name for path in (cli.directory / "model").iterdir()]
    said = complaint(cli("train", "t.csv", "--label", "y", "--overwrite", *QUICK), 2)
    assert "diary.txt" in said
    assert "dear diary" == cli.read("model/diary.txt")


def test_a_second_run_in_the_same_directory_waits_for_nobody(cli):
    cli.write("t.csv", table())
    with TrainingJournal(cli.directory / "model.run") as first:
        first.begin({})
        said = complaint(cli("train", "t.csv", "--label", "y", *QUICK), 2)

    assert said.endswith(f"model.run: another run is writing it (process {os.getpid()}): wait for that, or end it")
    assert nothing_written(cli)


@pytest.mark.parametrize("pages", [2, 8, 12, 16, 20])
def test_a_full_disk_is_one_line_and_never_half_a_model(cli, pages):
    """With few pages the search ends; with more, the model cannot be written; with still more, the reports cannot."""
    cli.write("t.csv", table())
    with small_disk(100 * PAGE) as folder:
        fill(folder, pages * PAGE)
        ran = cli("train", "t.csv", "--label", "y", "-o", folder / "model", *QUICK)
        said = complaint(ran, 2)
        written = {path.name for path in folder.glob("model/*")}

    assert "no space left on device" in said
    assert written in (set(), {"model.npz", "card.json", "score.py", "conda.yml"})


ODD = {
    'a "quoted" name': range(ROWS),
    "two words": range(1, ROWS + 1),
    "\U0001f600": [0.5 * (row % 9) for row in range(ROWS)],
    "a\nnew line": [row % 4 for row in range(ROWS)],
    "it's": [None if row % 10 else 1 for row in range(ROWS)],
    "empty": [None] * ROWS,
    "same": [5] * ROWS,
    "copy": [str("yn"[row % 3 != 1]) for row in range(ROWS)],
    "many": [f"c{row}" for row in range(ROWS)],
    "y": [None if row < 9 else WORDS[row % 3] for row in range(ROWS)],
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A directory of Parquet files with odd columns."""
    folder = tmp_path_factory.mktemp("odd") / "parts"
    folder.mkdir()
    frame = pl.DataFrame(ODD, strict=False)
    frame[:150].write_parquet(folder / "part-0.parquet")
    frame[150:].write_parquet(folder / "part-1.parquet")
    return folder


def test_odd_columns_are_learned_from_and_each_oddity_is_a_clear_line(cli, odd):
    ran = cli("train", odd, "--label", "y", "--runs", 3, "--workers", 1)

    assert (0, "") == (ran.code, ran.err)
    said = " ".join(ran.out.split())
    assert "9 rows without a label left out" in said
    warnings = json.loads(cli.read("model.run/train.json"))["warnings"]
    assert 'column "empty" is empty in all rows, and left out' in warnings
    assert 'column "same" is 5 in all rows, and left out' in warnings
    assert "copy: AUC alone 1.000: it repeats the label; --drop copy" in said
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("given", ["-", "file"])
def test_a_table_may_come_by_stdin_or_from_a_store(cli, given):
    cli.write("t.csv", table())
    name = "-" if given == "-" else f"file://{cli.directory / 't.csv'}"
    ran = cli("train", name, "--label", "y", *QUICK, stdin=table().encode())

    assert (0, "") == (ran.code, ran.err)


def test_a_worker_that_is_killed_in_the_middle_of_the_search_is_replaced(cli):
    draw = np.random.default_rng(0)
    cli.write("t.csv", table(3000, b=draw.normal(size=3000).tolist()))
    with cli.start("train", "t.csv", "--label", "y", "--runs", 6, "--workers", 1, "-q") as process:
        worker, until = None, time.monotonic() + 100
        while worker is None and time.monotonic() < until:
            worker = worker_below(cli.directory)
            time.sleep(0.02)
        os.kill(worker, signal.SIGKILL)
        ran = cli.finished(process)

    assert (0, "") == (ran.code, ran.err)
    assert "failed" not in ran.out


def worker_below(directory):
    """Return the process that tries runs for a search in a directory, None if there is none."""
    for process in os.listdir("/proc"):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                command = file.read().decode(errors="replace")
        except OSError:
            continue
        if "epkit.learners.worker" in command and str(directory) in command:
            return int(process)
    return None
