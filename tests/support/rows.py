"""Makes blocks of samples and facts about runs, for tests."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from epkit.core.report.assembly import UNREMARKABLE, EngineFacts, KnownRun, LoadOutcome, Peer, assemble
from epkit.core.report.caveats import Caveat
from epkit.core.report.report import PlanInfo, Report, Run, Tool
from epkit.core.report.summary import Summary
from epkit.core.report.workers import WorkerRecord
from epkit.core.samples.rows import SAMPLE

MS = 1_000_000
SECOND = 1_000_000_000

TOOL = Tool(version="0.1.0", engine="wire", python="3.11.7", platform="linux")
RUN = Run(
    id="r1", started_at="2026-01-02T03:04:05Z", duration_s=0.0, target="http://h/score", method="POST",
    partial=False, seed=0, payloads=(),
)  # fmt: skip
PLAN = PlanInfo(model="closed", concurrency=1, requests=None, duration_s=None)
PEER = Peer(server="nginx", host="h", port=80, path="/score")
ENGINE = EngineFacts(connections=1, wire_bytes=(0,) * 8)


def rows(n: int = 1, **columns: Any) -> np.ndarray:
    """Make a block of *n* successful requests; every column can be set.

    By default a request takes 10 ms on a kept connection, one starts every 10 ms, and points without a value are at the
    request's start or, for `first`, at its end.
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
    """Make a block of consecutive requests on one slot, with the given service times."""
    end = np.cumsum(service_ns)
    return rows(len(service_ns), end=end, start=end - service_ns, **columns)


def known(block: np.ndarray | None = None, *, duration_ns: int | None = None, **changes: Any) -> KnownRun:
    """Return the facts about a healthy run that ends with the last row of *block*."""
    if duration_ns is None:
        duration_ns = SECOND if block is None else int(block["end"].max())
    usual = {
        "tool": TOOL,
        "run": replace(RUN, duration_s=duration_ns / 1e9),
        "plan": PLAN,
        "peer": PEER,
        "engine": ENGINE,
        "cpu_s": 0.01,
        "max_in_flight": 1,
        "drifts_ns": np.full(10, 300_000),
    }
    return KnownRun(**{**usual, **changes})


def report(
    block: np.ndarray,
    exact: int = 2_000_000,
    pieces: int = 1,
    outcome: LoadOutcome = UNREMARKABLE,
    records: tuple[WorkerRecord, ...] = (),
    **changes: Any,
) -> Report:
    """Report a block that arrives in pieces."""
    summary = Summary(exact=exact)
    for piece in np.array_split(block, pieces):
        summary.add(piece)
    return assemble(known(block, **changes), summary, outcome, records=records)


def texts(caveats: Iterable[Caveat | None]) -> tuple[str | None, ...]:
    """Return the sentences of caveats, None for no caveat."""
    return tuple(None if caveat is None else caveat.text for caveat in caveats)
