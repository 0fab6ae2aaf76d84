"""Options of `epkit train`."""

from typing import TYPE_CHECKING, Annotated

from epkit.cli import terminal
from epkit.cli.options.common import VERDICT, number, option
from epkit.core.quantities import read_count
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.flows.train.azure.options import AzureOptions

BACKENDS = ("local", "azureml")

DATA = "Table"
SEARCH = "Search"
JUDGED = "How the model is judged"
SHOWN = "What is explained"
OUT = "Output"
AZURE = "At Azure"

Label = Annotated[str | None, option(DATA, "--label", metavar="COLUMN", help="The column to predict. [required]")]
Task = Annotated[
    str | None,
    option(DATA, "--task", metavar="classification|regression", help="Default: chosen from the label's values."),
]
Drop = Annotated[
    list[str] | None, option(DATA, "--drop", metavar="COLUMN", help="A column that the model must not see; repeatable.")
]
Id = Annotated[
    list[str] | None,
    option(
        DATA, "--id", metavar="COLUMN", help="A column that identifies the row; the model does not see it. Repeatable."
    ),
]
Positive = Annotated[
    str | None,
    option(DATA, "--positive", metavar="VALUE", help="The positive class of two. Default: the rarer one."),
]
Metric = Annotated[
    str | None,
    option(
        SEARCH,
        "--metric",
        metavar="NAME",
        help="Metric that chooses the model: AUC, log_loss, average_precision, accuracy, f1, ...; rmse, mae, r2, ... "
        "Azure's names work too. [default: AUC, or rmse]",
    ),
]
Runs = Annotated[int, number(SEARCH, "--runs", kind=read_count, metavar="N", help="Number of models to try.")]
TimeLimit = Annotated[
    str | None, option(SEARCH, "--time-limit", metavar="TIME", help="Start no run after this time: 90s, 10m, 1h.")
]
Workers = Annotated[
    int | None,
    number(SEARCH, "--workers", kind=int, metavar="W", help="Runs in parallel. [default: the cores, at most 8]"),
]
Seed = Annotated[int, number(SEARCH, "--seed", kind=int, metavar="N", help="Seed of all random choices.")]
Custom = Annotated[
    list[str] | None,
    option(
        SEARCH,
        "--custom",
        metavar="FILE.py:MAKE",
        help="A function that returns a scikit-learn estimator; it is tried like the other models. Repeatable.",
    ),
]
Balanced = Annotated[bool, option(SEARCH, "--balanced", help="Give every class the same weight.")]
Folds = Annotated[int, number(JUDGED, "--folds", kind=int, metavar="K", help="Folds of the cross-validation.")]
Holdout = Annotated[
    float | None,
    number(
        JUDGED,
        "--holdout",
        kind=float,
        metavar="PART",
        help="Judge on this fraction of the rows in place of folds (Azure: 0.1).",
    ),
]
TestSize = Annotated[
    float,
    number(
        JUDGED,
        "--test-size",
        kind=float,
        metavar="PART",
        help="Fraction of the rows kept for the final test; no choice uses them. 0: none.",
    ),
]
Group = Annotated[
    str | None,
    option(
        JUDGED,
        "--group",
        metavar="COLUMN",
        help="Never split rows with the same value in this column.",
    ),
]
Time = Annotated[
    str | None,
    option(JUDGED, "--time", metavar="COLUMN", help="A column with times: train on earlier rows, judge on later ones."),
]
Threshold = Annotated[
    str,
    option(
        JUDGED,
        "--threshold",
        metavar="RULE",
        help="How to choose the probability that makes an answer positive: 0.5, f1, balanced, recall>=0.8, "
        "cost:fn=5,fp=1.",
    ),
]
Cohorts = Annotated[
    list[str] | None,
    option(SHOWN, "--cohorts", metavar="COLUMN", help="Report the groups of this column. Repeatable. [default: all]"),
]
Pairs = Annotated[
    list[str] | None, option(SHOWN, "--pairs", metavar="A:B", help="Report the groups of two columns. Repeatable.")
]
Gates = Annotated[
    list[str] | None,
    option(
        VERDICT,
        "--gate",
        metavar="EXPR",
        help="What the model must reach: 'AUC>=0.94', 'AUC>=base-0.002', 'cohort(job).accuracy>=0.85', "
        "'cohort.min(accuracy)>=0.8'. A missed one gives exit code 5. Repeatable.",
    ),
]
Base = Annotated[
    str | None,
    option(
        VERDICT,
        "--base",
        metavar="DIR",
        help="The model in use. Both are compared on rows that neither was trained on.",
    ),
]
Directory = Annotated[
    str,
    option(OUT, "-o", "--output", metavar="DIR", help="Directory to write the model to; reports go to DIR.run."),
]
Export = Annotated[
    list[str] | None, option(OUT, "--export", metavar="lightgbm|onnx", help="Also write the model in this format.")
]
Overwrite = Annotated[bool, option(OUT, "--overwrite", help="Replace the model in DIR.")]
Restart = Annotated[bool, option(OUT, "--restart", help="Start again, and ignore the runs in the journal.")]
DryRun = Annotated[bool, option(OUT, "--dry-run", help="Show the columns and the runs; train nothing.")]
Backend = Annotated[
    str,
    option(
        AZURE,
        "--backend",
        metavar="local|azureml",
        help="Where to train: on this machine, or with Azure AutoML (SDK v2).",
    ),
]
Compute = Annotated[str | None, option(AZURE, "--compute", metavar="NAME", help="Compute to train on.")]
CreateCompute = Annotated[
    str | None,
    option(
        AZURE,
        "--create-compute",
        metavar="SKU",
        help="Create the compute with nodes of this size if it does not exist: STANDARD_DS12_V2.",
    ),
]
Block = Annotated[
    list[str] | None,
    option(AZURE, "--block", metavar="NAME", help="Do not try this algorithm, such as KNN. Repeatable."),
]
NoWait = Annotated[bool, option(AZURE, "--no-wait", help="Start the job, and print the command that follows it.")]
Job = Annotated[
    str | None, option(AZURE, "--job", metavar="NAME", help="Follow a job that is already started; fetch its model.")
]
Cancel = Annotated[bool, option(AZURE, "--cancel", help="With --job: cancel it.")]


def check_place(backend: str, table: str | None, label: str | None, azure: "AzureOptions") -> bool:
    """Decide where to train, and refuse flags of the other backend.

    Returns:
        Whether Azure trains: yes with `--job`, whatever *backend* is.

    Raises:
        UsageError: a flag is missing, or does not fit; the message names it.
    """
    terminal.check_choice("--backend", backend, BACKENDS)
    if azure.job is not None:
        if table is not None or label is not None:
            raise UsageError(f"--job {azure.job}: its table was sent already: name no table and no --label")
        return True
    for flag, given in (
        ("--compute", azure.compute),
        ("--create-compute", azure.create_compute),
        ("--block", azure.blocked),
        ("--no-wait", not azure.wait),
    ):
        if given and backend == "local":
            raise UsageError(f"{flag} is for --backend azureml")
    if azure.cancel:
        raise UsageError("--cancel: name the job with --job NAME")
    for what, value in (("argument 'TABLE'", table), ("option '--label'", label)):
        if value is None:
            raise UsageError(f"missing {what} (see epkit train --help)")
    return backend == "azureml"
