"""What the emulated cloud remembers: one workspace and what lives in it."""

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
"""What the service principal logs in with."""


TRIALS: Final = (
    ("LightGBM", "MaxAbsScaler", 0.9421),
    ("XGBoostClassifier", "MaxAbsScaler", 0.9405),
    ("KNN", "StandardScalerWrapper", float("nan")),
    ("VotingEnsemble", None, 0.9476),
)
"""Of an AutoML job."""


@dataclass(slots=True)
class Operation:
    """A long-running operation.

    Args:
        polls: how often it says that it is still running.
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
        tokens: when each token that was given out ends, seconds since 1970.
        token_s: how long a token lasts.
        keys: primary and secondary, by endpoint or service.
        scripts: of deployments that are other than the usual one: from a body to status and reply.
        contract: of all deployments, None for the usual one.
        looks: how often each job was looked at.
        stages: the states of a job, one after each look; the last one stays.
        trials: algorithm, preprocessor and score (NaN for one that fails) of each trial; the best is the last.
        job_error: why jobs fail.
        artifacts: files of runs that are others than the usual ones, by run.
        batch, batch_deployments, schedules: of published pipelines.
        children: runs that jobs have begun, by job; those of AutoML jobs are `trials`.
        job_path: `PATH` of the environment in which a job of a batch endpoint runs its command; None for none.
        polls: of operations to come; `outcome` and `failure`, how they end.
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
        """Begin an operation that will end as the state says."""
        operation = Operation(f"operation-{self.number()}", self.polls, self.outcome, self.failure)
        self.operations[operation.id] = operation
        return operation

    def new_keys(self, name: str) -> dict[str, str]:
        """Make the keys of an endpoint; they are made to be found in outputs."""
        self.keys[name] = {which: f"canary-{which}-key-{self.number()}-of-{name}" for which in ("primary", "secondary")}
        return self.keys[name]

    def knows(self, authorization: str) -> bool:
        """Tell whether a token was given out, and lasts."""
        return self.tokens.get(authorization.removeprefix("Bearer "), 0) > time.time()
