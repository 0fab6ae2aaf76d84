"""Saved runs as reports: the one that the run itself printed, or one made of what was saved of a run cut off."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from epkit.core.report import ab
from epkit.core.report.assembly import EngineFacts, KnownRun, LoadOutcome, Peer, assemble
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.document import from_document, from_plain
from epkit.core.report.report import FailureExample, PlanInfo, Report, Run, Tool
from epkit.core.report.slo import parse_all
from epkit.core.report.summary import Summary
from epkit.core.stats import hdr
from epkit.core.stats.histogram import Histogram
from epkit.errors import UsageError
from epkit.files import samples
from epkit.files.runs import SavedRun, read_all
from epkit.flows.bench.options import BenchResult

CUT: Final = Caveat(
    kind=CaveatKind.CUT_OFF,
    text="this run was cut off: what only its end would have told (retries, the heartbeat, kept connections) is "
    "missing",
)
"""The warning in the report of a run without an end."""


def load(path: str) -> tuple[SavedRun, ...]:
    """Read the runs of a file, or of a directory of files.

    Args:
        path: of the file or directory; `#ARM` behind it picks one arm.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    name, mark, arm = path.rpartition("#")
    if not mark or Path(path).exists():
        name, arm = path, ""
    runs = read_all(name)
    found = tuple(run for run in runs if run.section.arm == arm) if arm else runs
    if not found:
        arms = sorted({run.section.arm for run in runs if run.section.arm})
        known = f"its arms are {', '.join(arms)}" if arms else "its runs have no arms"
        raise UsageError(f"{path}: no run of the arm {arm}: {known}")
    return found


def report_of(run: SavedRun) -> Report:
    """Return the report of a run; made again from its samples where the run was cut off.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        if run.section.report is not None:
            return from_document(run.section.report)
        return _recover(run)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{run.path}: damaged: {error}") from None


def result_of(run: SavedRun, *, rows_wanted: bool, histograms_wanted: bool) -> BenchResult:
    """Return what the run itself had in the end.

    Args:
        rows_wanted: whether ab's series are.
        histograms_wanted: whether the latencies are, as histograms.
    """
    return BenchResult(
        report=report_of(run),
        ab_times=ab_times(run) if rows_wanted else None,
        kept={},
        stopped_by=None,
        histograms=histograms(run) if histograms_wanted else {},
    )


def write_samples(run: SavedRun, report: Report, path: str) -> None:
    """Write every sample of a run as a row of a table.

    Raises:
        UsageError: the file cannot be written.
    """
    rows = tuple(run.section.head.get("rows_of", ()))
    names = tuple(map(str, (run.section.stat or {}).get("deployments", ())))
    samples.write(path, run.blocks(), report.run.payloads, rows, names)


def is_cut(run: SavedRun) -> bool:
    """Tell whether a run has no end."""
    return run.section.report is None


def ab_times(run: SavedRun) -> ab.AbTimes:
    """Return ab's four series of a run."""
    return ab.from_samples(run.blocks(), int((run.section.stat or {}).get("started_ns", 0)))


def histograms(run: SavedRun) -> dict[str, Histogram]:
    """Return a run's latencies as histograms; counted again where the run was cut off.

    Raises:
        UsageError: the file is damaged.
    """
    if is_cut(run):
        return hdr.as_saved(_summary(run).histograms())
    try:
        return {name: hdr.decode(text) for name, text in run.section.histograms.items()}
    except ValueError as error:
        raise UsageError(f"{run.path}: damaged: {error}") from None


def _summary(run: SavedRun) -> Summary:
    summary = Summary()
    for block in run.blocks():
        summary.add(block)
    return summary


def _recover(run: SavedRun) -> Report:
    """Make the report of a run without an end."""
    head, stat = run.section.head, run.section.stat or {}
    summary = Summary(failures_as_infinite=bool(head.get("failures_as_infinite")))
    last_ns = int(stat.get("elapsed_ns", 0))
    deployments = 1
    for block in run.blocks():
        summary.add(block)
        last_ns = max(last_ns, int(block["end"].max()))
        deployments = max(deployments, int(block["deployment"].max()) + 1)
    begun = from_plain(Run, head["run"])
    run_now = from_plain(Run, stat.get("run", head["run"]))
    connections = sum(int(np.count_nonzero(block["connected"] > block["start"])) for block in summary.blocks())
    known = KnownRun(
        tool=from_plain(Tool, head["tool"]),
        run=replace(run_now, id=begun.id, partial=True, duration_s=last_ns / 1e9),
        plan=from_plain(PlanInfo, head["plan"]),
        peer=_peer(stat.get("http", head["http"])),
        engine=EngineFacts(connections=connections, wire_bytes=head["wire_bytes"]),
        cpu_s=float(stat.get("cpu_s", 0.0)),
        max_in_flight=int(stat.get("max_in_flight", 0)),
        deployments=_names(stat.get("deployments", [""]), deployments),
        failures=tuple(from_plain(FailureExample, each) for each in stat.get("failures", ())),
    )
    return assemble(known, summary, LoadOutcome(warnings=[CUT]), slos=parse_all(head.get("slos", ())))


def _peer(saved: Mapping[str, Any]) -> Peer:
    """Read who was talked to; a file of an earlier epkit has the counters of the report with it."""
    return from_plain(Peer, {field.name: saved[field.name] for field in fields(Peer)})


def _names(known: Sequence[Any], wanted: int) -> list[str]:
    """Name the deployments; those that answered after the last checkpoint by their number."""
    return [*map(str, known), *(f"deployment {index}" for index in range(len(known), wanted))]
