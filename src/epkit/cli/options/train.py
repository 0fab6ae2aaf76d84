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
JUDGED = "How it is judged"
SHOWN = "What is explained"
OUT = "Output"
AZURE = "At Azure"

Label = Annotated[str | None, option(DATA, "--label", metavar="COLUMN", help="The column to predict. [required]")]
Task = Annotated[
    str | None,
    option(DATA, "--task", metavar="classification|regression", help="Default: as the label's values say."),
]
Drop = Annotated[
    list[str] | None, option(DATA, "--drop", metavar="COLUMN", help="A column that the model must not see; repeatable.")
]
Id = Annotated[
    list[str] | None,
    option(DATA, "--id", metavar="COLUMN", help="A column that names the row: carried along, not used; repeatable."),
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
        help="What chooses: AUC, log_loss, average_precision, accuracy, f1, ...; rmse, mae, r2, ... Azure's names too. "
        "[default: AUC, or rmse]",
    ),
]
Runs = Annotated[int, number(SEARCH, "--runs", kind=read_count, metavar="N", help="Models that are tried, at most.")]
TimeLimit = Annotated[
    str | None, option(SEARCH, "--time-limit", metavar="TIME", help="Begin no run after so long: 90s, 10m, 1h.")
]
Workers = Annotated[
    int | None,
    number(SEARCH, "--workers", kind=int, metavar="W", help="Runs tried side by side. [default: the cores, at most 8]"),
]
Seed = Annotated[int, number(SEARCH, "--seed", kind=int, metavar="N", help="Seed of everything that is drawn.")]
Custom = Annotated[
    list[str] | None,
    option(
        SEARCH,
        "--custom",
        metavar="FILE.py:MAKE",
        help="A function that returns a scikit-learn estimator: tried among the others; repeatable.",
    ),
]
Balanced = Annotated[bool, option(SEARCH, "--balanced", help="Have every class weigh the same.")]
Folds = Annotated[int, number(JUDGED, "--folds", kind=int, metavar="K", help="Folds of the cross-validation.")]
Holdout = Annotated[
    float | None,
    number(
        JUDGED, "--holdout", kind=float, metavar="PART", help="One part of the rows in place of folds (Azure: 0.1)."
    ),
]
TestSize = Annotated[
    float,
    number(JUDGED, "--test-size", kind=float, metavar="PART", help="Part of the rows that no choice sees; 0: none."),
]
Group = Annotated[
    str | None,
    option(JUDGED, "--group", metavar="COLUMN", help="Rows of one value stay on one side of every split."),
]
Time = Annotated[
    str | None, option(JUDGED, "--time", metavar="COLUMN", help="Judge on rows that are later than those learned from.")
]
Threshold = Annotated[
    str,
    option(
        JUDGED,
        "--threshold",
        metavar="RULE",
        help="From where on the answer is the positive class: 0.5, f1, balanced, recall>=0.8, cost:fn=5,fp=1.",
    ),
]
Cohorts = Annotated[
    list[str] | None,
    option(SHOWN, "--cohorts", metavar="COLUMN", help="Look at the groups of this column; repeatable. [default: all]"),
]
Pairs = Annotated[
    list[str] | None, option(SHOWN, "--pairs", metavar="A:B", help="Look at groups of two columns at once; repeatable.")
]
Gates = Annotated[
    list[str] | None,
    option(
        VERDICT,
        "--gate",
        metavar="EXPR",
        help="What the model must reach: 'AUC>=0.94', 'AUC>=base-0.002', 'cohort(job).accuracy>=0.85', "
        "'cohort.min(accuracy)>=0.8'; missed, exit 5. Repeatable.",
    ),
]
Base = Annotated[
    str | None,
    option(VERDICT, "--base", metavar="DIR", help="The model in use: compared on rows that neither was trained on."),
]
Directory = Annotated[
    str,
    option(OUT, "-o", "--output", metavar="DIR", help="The directory of the model; reports go to DIR.run."),
]
Export = Annotated[
    list[str] | None, option(OUT, "--export", metavar="lightgbm|onnx", help="Write the model in this form too.")
]
Overwrite = Annotated[bool, option(OUT, "--overwrite", help="Replace a model that is in DIR.")]
Restart = Annotated[bool, option(OUT, "--restart", help="Begin again, whatever runs the journal holds.")]
DryRun = Annotated[bool, option(OUT, "--dry-run", help="Show the columns and the runs; train nothing.")]
Backend = Annotated[
    str,
    option(AZURE, "--backend", metavar="local|azureml", help="Who trains: this machine, or Azure AutoML (SDK v2)."),
]
Compute = Annotated[str | None, option(AZURE, "--compute", metavar="NAME", help="The compute that trains.")]
CreateCompute = Annotated[
    str | None,
    option(
        AZURE,
        "--create-compute",
        metavar="SKU",
        help="Make the compute of nodes of this size, unless it is there: STANDARD_DS12_V2.",
    ),
]
Block = Annotated[
    list[str] | None,
    option(AZURE, "--block", metavar="NAME", help="An algorithm that is not tried, as KNN; repeatable."),
]
NoWait = Annotated[bool, option(AZURE, "--no-wait", help="Begin the job, and say how it is followed.")]
Job = Annotated[
    str | None, option(AZURE, "--job", metavar="NAME", help="Follow a job that was begun, and fetch its model.")
]
Cancel = Annotated[bool, option(AZURE, "--cancel", help="With --job: cancel it.")]


def check_place(backend: str, table: str | None, label: str | None, azure: "AzureOptions") -> bool:
    """Find out who trains, and refuse what is for somebody else.

    Returns:
        Whether Azure does: `--job` says so by itself.

    Raises:
        UsageError: it says which flag is missing, or which is too much.
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
            raise UsageError(f"{flag}: is for --backend azureml")
    if azure.cancel:
        raise UsageError("--cancel: of which job? --job NAME")
    for what, value in (("argument 'TABLE'", table), ("option '--label'", label)):
        if value is None:
            raise UsageError(f"missing {what} (see epkit train --help)")
    return backend == "azureml"
