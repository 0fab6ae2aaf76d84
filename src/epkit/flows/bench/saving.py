"""What is kept of a run while it goes on: its samples and, once a second, all that a report needs besides."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from epkit.core.report.assembly import KnownRun
from epkit.core.report.document import to_document, to_plain
from epkit.core.report.report import Report
from epkit.core.report.summary import Summary
from epkit.core.stats import hdr
from epkit.engines.base import Traffic
from epkit.engines.runner import Ran
from epkit.files.runs import RunWriter
from epkit.flows.bench.measurement import Measurement
from epkit.flows.target.requests import Requests

EVERY_NS: Final = 1_000_000_000

NOTHING_RAN: Final = Ran(traffic=Traffic(), cpu_s=0.0, drifts_ns=np.empty(0, dtype=np.int64), stopped_by=None)
"""What is known of a generator in mid-run."""


class Recording:
    """Saves one run.

    Args:
        writer: of the file, which may hold other runs already.
        load: what is sent.
        slos, failures_as_infinite: for the report of a run that is cut off.
        arm: which side of a comparison the run is of, "" for none.
    """

    def __init__(
        self,
        writer: RunWriter,
        load: Requests,
        *,
        slos: Sequence[str] = (),
        arm: str = "",
        failures_as_infinite: bool = False,
    ) -> None:
        self._writer = writer
        self._load = load
        self._slos = tuple(slos)
        self._failures_as_infinite = failures_as_infinite
        self._arm = arm
        self._measured: Measurement | None = None
        self._snapshot: Callable[[], KnownRun] | None = None
        self._spent_s: Callable[[], float] = time.process_time
        self._begun = False
        self._cpu = 0.0
        self._due = 0

    def watch(self, measured: Measurement, snapshot: Callable[[], KnownRun], spent_s: Callable[[], float]) -> None:
        """Say who runs, before the run begins.

        Args:
            snapshot: returns what is known without the samples; called once a second, must be quick.
            spent_s: returns the CPU time that the load has cost so far.
        """
        self._measured, self._snapshot, self._spent_s = measured, snapshot, spent_s
        self._cpu = spent_s()

    def add(self, block: np.ndarray) -> None:
        """Take a block of samples."""
        if not self._begun:
            self._begin()
        self._writer.add(block)

    def tick(self) -> None:
        """Take note of the time, some times a second."""
        assert self._measured is not None  # somebody runs
        driver = self._measured.driver
        now = time.perf_counter_ns()
        if not driver.began or now < self._due:
            return
        self._due = now + EVERY_NS
        driver.flush()
        self._checkpoint()

    def finish(self, report: Report, summary: Summary) -> None:
        """End the run with its report."""
        self._checkpoint()
        histograms = {name: hdr.encode(histogram) for name, histogram in summary.histograms().items()}
        self._writer.end(to_document(report), histograms)

    def _begin(self) -> None:
        assert self._snapshot is not None  # somebody runs
        known = self._snapshot()
        self._begun = True
        self._writer.begin(
            {
                **{name: to_plain(getattr(known, name)) for name in ("tool", "run", "plan")},
                "http": to_plain(known.peer),
                "slos": list(self._slos),
                "failures_as_infinite": self._failures_as_infinite,
                "rows_of": list(self._load.rows),
                "wire_bytes": list(known.engine.wire_bytes),
            },
            arm=self._arm,
        )

    def _checkpoint(self) -> None:
        """Write down what the samples do not tell."""
        assert self._measured is not None  # somebody runs
        assert self._snapshot is not None
        if not self._begun:
            self._begin()
        known = self._snapshot()
        self._writer.checkpoint(
            {
                "elapsed_ns": max(0, time.perf_counter_ns() - self._measured.began_ns()),
                "started_ns": self._measured.started_ns(),
                "cpu_s": self._spent_s() - self._cpu,
                "max_in_flight": known.max_in_flight,
                "deployments": list(known.deployments),
                **{name: to_plain(getattr(known, name)) for name in ("run", "failures")},
                "http": to_plain(known.peer),
            }
        )
