"""Blocks of samples and run facts, made for tests."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from epkit.core.report.report import Http, PlanInfo, Report, Run, Tool
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import SAMPLE

MS = 1_000_000
SECOND = 1_000_000_000

TOOL = Tool(version="0.1.0", engine="wire", python="3.11.7", platform="linux")
RUN = Run(
    id="r1", started_at="2026-01-02T03:04:05Z", duration_s=0.0, target="http://h/score", method="POST",
    partial=False, seed=0, payloads=(),
)  # fmt: skip
PLAN = PlanInfo(model="closed", concurrency=1, requests=None, duration_s=None)
HTTP = Http(
    server="nginx", host="h", port=80, path="/score", document_bytes=0, length_differs=0, tls=None,
    server_name=None, bytes_in=0, bytes_out=0, body_bytes_in=0, kept_alive=0, connections=1, non_2xx=0,
    connect_failed=0, receive_failed=0,
)  # fmt: skip


def rows(n: int = 1, **columns: Any) -> np.ndarray:
    """Make a block of *n* successful requests; every column may be given.

    Unless told otherwise a request takes 10 ms on a kept connection, one starts each 10 ms, and points
    that are not given lie at the request's start or, for `first`, at its end.
    """
    block = np.zeros(n, dtype=SAMPLE)
    block["end"] = columns.pop("end", (np.arange(n) + 1) * 10 * MS)
    block["start"] = columns.pop("start", block["end"] - 10 * MS)
    for name in ("due", "tcp", "connected", "sent"):
        block[name] = block["start"]
    block["first"] = block["end"]
    block["server"] = -1
    block["status"] = 200
    for name, values in columns.items():
        block[name] = values
    return block


def timed(service_ns: np.ndarray, **columns: Any) -> np.ndarray:
    """Make a block of requests that follow each other on one slot, each of the given service time."""
    end = np.cumsum(service_ns)
    return rows(len(service_ns), end=end, start=end - service_ns, **columns)


def facts(block: np.ndarray | None = None, **changes: Any) -> Mapping[str, Any]:
    """Return the arguments of `Summary.report`: a healthy run that ends with the last row of *block*."""
    usual = {
        "tool": TOOL,
        "run": RUN,
        "plan": PLAN,
        "http": HTTP,
        "duration_ns": SECOND if block is None else int(block["end"].max()),
        "cpu_s": 0.01,
        "max_in_flight": 1,
        "drifts_ns": np.full(10, 300_000),
    }
    return {**usual, **changes}


def report(block: np.ndarray, exact: int = 2_000_000, pieces: int = 1, **changes: Any) -> Report:
    """Report a block, handed over in pieces."""
    summary = Summary(exact=exact)
    for piece in np.array_split(block, pieces):
        summary.add(piece)
    return summary.report(**facts(block, **changes))
