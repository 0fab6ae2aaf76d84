"""Saves a run in progress: its samples and, once a second, the other data that a report needs."""

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from epkit.core.report.assembly import KnownRun
from epkit.core.report.document import to_document, to_plain
from epkit.core.report.report import Report
from epkit.core.report.summary import Summary
from epkit.core.stats import hdr
from epkit.files.runs import RunWriter
from epkit.flows.bench.driving import LoadGenerator, RunFacts
from epkit.flows.bench.measurement import Measurement
from epkit.flows.target.requests import Requests

EVERY_NS: Final = 1_000_000_000


class _Watched(NamedTuple):
    """The run that is being saved."""

    measured: Measurement
    generator: LoadGenerator
    snapshot: Callable[[RunFacts], KnownRun]


class Recording:
    """Saves one run.

    Args:
        writer: writes the file, which may contain other runs already.
        load: the requests.
        slos, failures_as_infinite: for the report of a run that is cut off.
        arm: the arm of a comparison that the run belongs to; "" for none.
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
        self._watched: _Watched | None = None
        self._begun = False
        self._due = 0

    def watch(self, measured: Measurement, generator: LoadGenerator, snapshot: Callable[[RunFacts], KnownRun]) -> None:
        """Set the run and its load generator, before the run begins.

        Args:
            snapshot: returns what is known without the samples; it is called once a second and must be quick.
        """
        self._watched = _Watched(measured, generator, snapshot)

    @property
    def _run(self) -> _Watched:
        assert self._watched is not None  # `watch` comes first
        return self._watched

    def add(self, block: np.ndarray) -> None:
        """Take a block of samples."""
        if not self._begun:
            self._begin(self._run.generator.facts())
        self._writer.add(block)

    def tick(self) -> None:
        """Save a checkpoint if a second has passed; called several times a second."""
        generator, now = self._run.generator, time.perf_counter_ns()
        if now < self._due or not generator.facts().began:
            return
        self._due = now + EVERY_NS
        generator.flush()
        self._checkpoint(generator.facts())

    def finish(self, report: Report, summary: Summary, facts: RunFacts) -> None:
        """Save the report, and end the run."""
        self._checkpoint(facts)
        histograms = {name: hdr.encode(histogram) for name, histogram in summary.histograms().items()}
        self._writer.end(to_document(report), histograms)

    def _begin(self, facts: RunFacts) -> None:
        known = self._run.snapshot(facts)
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

    def _checkpoint(self, facts: RunFacts) -> None:
        """Save the data that the samples do not contain."""
        if not self._begun:
            self._begin(facts)
        measured, known = self._run.measured, self._run.snapshot(facts)
        self._writer.checkpoint(
            {
                "elapsed_ns": max(0, time.perf_counter_ns() - facts.began - measured.began_ns(facts)),
                "started_ns": measured.started_ns(facts),
                "cpu_s": facts.cpu_s,
                "max_in_flight": known.max_in_flight,
                "deployments": list(known.deployments),
                **{name: to_plain(getattr(known, name)) for name in ("run", "failures")},
                "http": to_plain(known.peer),
            }
        )
