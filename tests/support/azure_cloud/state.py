"""The state of the emulated cloud: one workspace and its contents."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

SUBSCRIPTION: Final = "11111111-1111-1111-1111-111111111111"
GROUP: Final = "aml-rg"
NAME: Final = "ep-ws"
TENANT: Final = "33333333-3333-3333-3333-333333333333"
REGION: Final = "westeurope"
WORKSPACE: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{NAME}"
CLIENT_SECRET: Final = "client-secret-of-the-tests-2b9c"
"""The secret with which the service principal logs in."""


TRIALS: Final = (
    ("LightGBM", "MaxAbsScaler", 0.9421),
    ("XGBoostClassifier", "MaxAbsScaler", 0.9405),
    ("KNN", "StandardScalerWrapper", float("nan")),
    ("VotingEnsemble", None, 0.9476),
)
"""Trials of an AutoML job."""


@dataclass(slots=True)
class Operation:
    """A long-running operation.

    Args:
        polls: number of polls at which it is still running.
        outcome: `Succeeded`, `Failed`, `Canceled` (v1: `Cancelled`).
    """

    id: str
    polls: int
    outcome: str = "Succeeded"
    error: dict[str, Any] | None = None


@dataclass(slots=True)
class State:
    """The workspace.

    Args:
        tokens: the end of each issued token, in seconds since 1970.
        token_s: lifetime of a token in seconds.
        keys: primary and secondary key, by endpoint or service.
        scripts: scripts of deployments that do not have the usual one: a function from a body to status and reply.
        contract: contract of all deployments, None for the usual one.
        looks: number of looks at each job.
        stages: the states of a job, one after each look; the last one stays.
        trials: algorithm, preprocessor and score (NaN for one that fails) of each trial; the best is the last.
        job_error: reason of failed jobs.
        artifacts: files of runs that do not have the usual ones, by run.
        batch, batch_deployments, schedules: those of published pipelines.
        children: runs that jobs have started, by job; those of AutoML jobs are `trials`.
        job_path: `PATH` of the environment in which a job of a batch endpoint runs its command; None: the command is
            not run.
        polls: number of polls of future operations; `outcome` and `failure` are their ends.
    """

    tokens: dict[str, float] = field(default_factory=dict)
    token_s: int = 3600
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    deployments: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    logs: list[str] = field(default_factory=lambda: [f"line {number}" for number in range(1, 9)])
    operations: dict[str, Operation] = field(default_factory=dict)
    scripts: dict[str, Callable[[bytes], tuple[int, object]]] = field(default_factory=dict)
    contract: bytes | None = None
    computes: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    stages: list[str] = field(default_factory=lambda: ["Preparing", "Running", "Completed"])
    trials: list[tuple[str, str | None, float]] = field(default_factory=lambda: list(TRIALS))
    job_error: dict[str, Any] | None = None
    artifacts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    batch: dict[str, dict[str, Any]] = field(default_factory=dict)
    batch_deployments: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    job_path: str | None = None
    polls: int = 1
    outcome: str = "Succeeded"
    failure: dict[str, Any] | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def number(self) -> int:
        return next(self._numbers)

    def begin(self) -> Operation:
        """Start an operation that ends as the state specifies."""
        operation = Operation(f"operation-{self.number()}", self.polls, self.outcome, self.failure)
        self.operations[operation.id] = operation
        return operation

    def new_keys(self, name: str) -> dict[str, str]:
        """Make the keys of an endpoint; they contain the canary, so that tests find them in outputs."""
        self.keys[name] = {which: f"canary-{which}-key-{self.number()}-of-{name}" for which in ("primary", "secondary")}
        return self.keys[name]

    def knows(self, authorization: str) -> bool:
        """Tell whether a token was issued, and is still valid."""
        return self.tokens.get(authorization.removeprefix("Bearer "), 0) > time.time()
