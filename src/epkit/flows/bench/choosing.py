"""Chooses one run after a search; the saved file and `--samples` then contain this run."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from epkit.core.report.document import to_document
from epkit.files.runs import RunWriter
from epkit.flows.bench.options import BenchResult
from epkit.flows.bench.plan import AskedBench
from epkit.flows.bench.saved_runs import load, write_samples

Searching = Callable[[AskedBench, RunWriter | None], tuple[int, BenchResult]]
"""Searches; returns the index of the run to report, from 0, and the result."""


def choose_run(asked: AskedBench, writer: RunWriter | None, search: Searching) -> BenchResult:
    """Search, and return the result of the chosen run.

    Args:
        writer: writes the file that the search is saved to.
    """
    options = asked.options
    with ExitStack() as stack:
        saved_to = options.save
        if options.samples is not None and writer is None:
            # Which run's samples are wanted is known only after the search.
            saved_to = str(Path(stack.enter_context(TemporaryDirectory(prefix="epkit-"))) / "search.epkit")
            writer = stack.enter_context(RunWriter(saved_to, "--samples"))
        number, result = search(replace(asked, options=replace(options, samples=None)), writer)
        if writer is not None:
            writer.choose(number, to_document(result.report))
        if options.samples is not None and saved_to is not None:
            (run,) = load(saved_to)
            write_samples(run, result.report, options.samples)
        return result
