"""Publishing at Azure as a program: it calls a function, and prints its value as JSON.

`run(["promote", "bank", "batchjob-7"])` calls the function of this name with these arguments.
"""

import dataclasses
import json
import sys
import time
from typing import Any

from epkit.cli import terminal
from epkit.errors import EpkitError
from epkit.flows.pipeline.publishing import azure, promoting
from epkit.flows.pipeline.publishing.schedules import read_schedule

PAUSE_S = 0.01
"""Replaces each requested pause."""


def pause(_: float) -> None:
    time.sleep(PAUSE_S)


def publish(name: str, every: str = "", cron: str = "", compute: str = "cpu-cluster") -> Any:
    schedule = read_schedule(every or None, cron or None)
    return azure.publish_at_azure(name, terminal.context(), pause, compute=compute, schedule=schedule)


def unpublish(name: str) -> Any:
    return azure.unpublish_at_azure(name, terminal.context(), pause)


def promote(name: str, job: str) -> Any:
    ran = promoting.promote(name, job, terminal.context(), pause, show=lambda _: None, say=lambda _: None)
    return {"state": ran.state, "code": ran.exit_code, "reason": ran.reason, "why": ran.why,
            "steps": {step.step: step.state for step in ran.steps}}  # fmt: skip


def ask(what: str, argument: str) -> Any:
    """Call one of the queries of `AzureJobs`."""
    return getattr(azure.AzureJobs(terminal.context(), pause), what)(argument)


def plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else str(value)


def run(arguments: list[str]) -> int:
    """Print the value, or the error; return the exit code."""
    function, *others = arguments
    try:
        print(json.dumps(globals()[function](*others), default=plain))
    except EpkitError as error:
        print(f"epkit: {error}", file=sys.stderr)
        return error.exit_code
    return 0
