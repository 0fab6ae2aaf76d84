"""Calls a public function in another process, and prints the changes in the state of that process."""

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

PATIENCE_S: Final = 5.0
"""Time in seconds after which a thread that epkit started counts as not ended."""


def state() -> dict[str, Any]:
    """Return the state of the whole process, as far as a library may change it."""
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    manager = logging.root.manager
    loggers = [logging.root, *(one for one in manager.loggerDict.values() if isinstance(one, logging.Logger))]
    return {
        "gc": (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count() > 0),
        "logging": manager.disable,
        "loggers": {x.name: (x.level, list(x.handlers), x.propagate, x.disabled) for x in loggers},
        "warnings": list(warnings.filters),
        "environ": dict(os.environ),
        "directory": os.getcwd(),
        "path": list(sys.path),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "hooks": (sys.excepthook, threading.excepthook, sys.getrecursionlimit(), sys.getswitchinterval()),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "wakeup": wakeup,
        "policy": type(asyncio.get_event_loop_policy()),
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Return the changes; new loggers do not count."""
    after = dict(after, loggers={name: after["loggers"][name] for name in before["loggers"]})
    return {name: f"{before[name]} -> {after[name]}" for name in before if before[name] != after[name]}


def threads_left(before: set[threading.Thread]) -> list[str]:
    """Return the names of new threads; ended threads have some time to finish."""
    until = time.monotonic() + PATIENCE_S
    while (left := set(threading.enumerate()) - before) and time.monotonic() < until:
        time.sleep(0.02)
    return sorted(thread.name for thread in left)


def calls(url: str, run: str, cluster: str | None) -> dict[str, Callable[[], object]]:
    """Return the public functions with suitable arguments."""
    import epkit

    rows = [{"id": n, "name": f"n{n}"} for n in range(20)]
    bench = {"payloads": ["rows.json"], "validate": False, "check": "status"}

    async def score() -> list[Any]:
        return [prediction async for prediction in epkit.score(url, rows, validate=False)]

    return {
        "run_bench": lambda: epkit.run_bench(url, requests=20, **bench),
        "bench": lambda: asyncio.run(epkit.bench(url, requests=20, **bench)),
        "bench by workers": lambda: epkit.run_bench(url, requests=20, concurrency=2, workers=2, **bench),
        "bench by a cluster": lambda: epkit.run_bench(url, requests=20, concurrency=2, cluster=cluster, **bench),
        "run_score": lambda: epkit.run_score(url, rows, validate=False),
        "score": lambda: asyncio.run(score()),
        "score by a cluster": lambda: epkit.run_score(url, rows, validate=False, cluster=cluster),
        "Contract.load": lambda: epkit.Contract.load("swagger.json").validate({"data": []}),
        "load_reports": lambda: epkit.load_reports(run),
        "compare": lambda: epkit.compare(run, run),
        "render": lambda: epkit.render(epkit.load_reports(run)[0]),
    }


def main(name: str, url: str, run: str, cluster: str, gc_off: str) -> None:
    """Call the function, and print the changes."""
    import httpx  # noqa: F401  (what an import changes by itself is not ours)
    import numpy  # noqa: F401
    import polars  # noqa: F401

    if cluster:
        import distributed  # noqa: F401
    call = calls(url, run, cluster or None)[name]
    if gc_off:
        gc.disable()
        gc.freeze()
    before, threads = state(), set(threading.enumerate())
    call()
    changed = differences(before, state())
    left = threads_left(threads)
    Path("changed.json").write_text(json.dumps({**changed, **({"threads": left} if left else {})}))


if __name__ == "__main__":
    main(*sys.argv[1:])
