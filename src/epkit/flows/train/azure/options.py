"""The options of a training at Azure. Options that Azure has no counterpart for are refused before anything is sent."""

import math
import re
from dataclasses import dataclass, replace
from typing import Final

from epkit.core.shortening import cut
from epkit.core.train import gates
from epkit.core.train.azure import AzureTask, check_algorithms, check_metric
from epkit.core.train.gates import GateExpression
from epkit.core.train.plan import TrainPlan
from epkit.errors import UsageError
from epkit.flows.train.options import TrainOptions, order_of

JOB: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
"""Pattern for names of jobs, computes and sizes. Source: Azure's rules for names of jobs, the most permissive ones."""

ELSEWHERE: Final = "leave it out, or train on this machine (--backend local)"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureOptions:
    """Options of a training at Azure, in addition to `TrainOptions`.

    Args:
        compute: name of the compute that trains.
        create_compute: size of the nodes; *compute* is created with it if it does not exist.
        blocked: algorithms that are not tried.
        job: name of an existing job to follow.
        wait: whether to follow the job after its start.
        cancel: whether to cancel *job*.
    """

    compute: str | None = None
    create_compute: str | None = None
    blocked: tuple[str, ...] = ()
    job: str | None = None
    wait: bool = True
    cancel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureTrainOrder:
    """The parsed options.

    Args:
        plan: its metric is None, or epkit's name of one by which Azure can choose.
        timeout_minutes: None: Azure's own limit.
    """

    plan: TrainPlan
    gates: tuple[GateExpression, ...]
    timeout_minutes: int | None


def check_names(azure: AzureOptions) -> None:
    """Refuse names that are not valid at Azure, and flags that contradict each other.

    Raises:
        UsageError: one line that names the flag.
    """
    for flag, name in (
        ("--compute", azure.compute),
        ("--create-compute", azure.create_compute),
        ("--job", azure.job),
    ):
        if name is not None and not JOB.fullmatch(name):
            raise UsageError(f"{flag} {cut(name, 60)}: no name of Azure's: letters, digits, - and _")
    if azure.job is None:
        if azure.cancel:
            raise UsageError("--cancel: name the job with --job NAME")
        if azure.compute is None:
            raise UsageError(
                "--compute NAME: which compute trains? az ml compute list has them; --create-compute SKU makes one"
            )
        return
    begins = (("--compute", azure.compute), ("--create-compute", azure.create_compute), ("--block", azure.blocked))
    for flag, value in begins:
        if value:
            raise UsageError(f"{flag} is for a job that is begun, and --job {azure.job} was begun already")
    if azure.cancel and not azure.wait:
        raise UsageError("--cancel and --no-wait: one of them")


def gates_of(texts: tuple[str, ...]) -> tuple[GateExpression, ...]:
    """Parse the gates. They must be judged by Azure's own metrics.

    Raises:
        UsageError: a gate cannot be parsed, or Azure does not compute its metric.
    """
    found = tuple(gates.parse(text) for text in texts)
    for gate in found:
        if gate.of != "all" or gate.base or gate.metric in ("ece", "accuracy_at_threshold"):
            raise UsageError(
                f"--gate {gate.expression}: Azure returns figures of all rows, and no predictions: {ELSEWHERE}"
            )
    return found


def order_at_azure(options: TrainOptions, azure: AzureOptions) -> AzureTrainOrder:
    """Parse the options of a new training.

    Raises:
        UsageError: an option is wrong, or has no counterpart at Azure; one line that names the flag.
    """
    check_names(azure)
    _refuse(options)
    metric = None if options.metric is None else check_metric(options.metric, options_task(options))
    check_algorithms(azure.blocked, options_task(options))
    plan = order_of(replace(options, metric=None, gates=())).plan
    minutes = None if plan.time_limit_s is None else math.ceil(plan.time_limit_s / 60)
    return AzureTrainOrder(
        plan=replace(plan, metric=metric, gates=options.gates),
        gates=gates_of(options.gates),
        timeout_minutes=minutes,
    )


def options_task(options: TrainOptions) -> AzureTask | None:
    """Return the task that the user named; None if the label's values decide."""
    if options.task == "classification":
        return "classification"
    return "regression" if options.task == "regression" else None


def _refuse(options: TrainOptions) -> None:
    no_predictions = "Azure returns no predictions of the rows"
    for flag, is_given, why in (
        ("--custom", options.custom, "Azure AutoML tries algorithms of its own"),
        ("--base", options.base is not None, "Azure returns a pickle, which epkit does not open to compare it"),
        ("--group", options.group is not None, "Azure AutoML divides the rows by chance"),
        ("--time", options.time is not None, "Azure AutoML divides the rows by chance"),
        ("--threshold", options.threshold != "0.5", "the model of Azure AutoML answers the likelier class"),
        ("--balanced", options.balanced, "Azure AutoML decides itself what classes weigh"),
        ("--cohorts", options.cohorts is not None, no_predictions),
        ("--pairs", options.pairs, no_predictions),
        ("--export", options.exports, "Azure returns a pickle"),
    ):
        if is_given:
            raise UsageError(f"{flag}: {why}: {ELSEWHERE}")
