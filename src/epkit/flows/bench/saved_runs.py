"""Makes reports from saved runs: returns the report of a run, or makes one from the data of a run that was cut off."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from epkit.core.json.records import Record
from epkit.core.near import suggestion
from epkit.core.report import ab
from epkit.core.report.assembly import EngineFacts, KnownRun, LoadOutcome, Peer, assemble
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.document import from_document, from_plain
from epkit.core.report.report import FailureExample, PlanInfo, Report, Run, Tool
from epkit.core.report.slo import parse_all
from epkit.core.report.summary import Summary
from epkit.core.samples.latency import PARTS
from epkit.core.stats import hdr
from epkit.core.stats.histogram import Histogram
from epkit.errors import UsageError
from epkit.files import samples
from epkit.files.runs import SavedRun, damaged, read_all
from epkit.flows.bench.options import BenchResult

Part = TypeVar("Part")

CUT: Final = Caveat(
    kind=CaveatKind.CUT_OFF,
    text="this run was cut off: what is saved only at the end (retries, the heartbeat, kept connections) is missing",
)
"""The warning in the report of a run without an end."""


def load(path: str) -> tuple[SavedRun, ...]:
    """Read the runs of a file, or of a directory of files.

    Args:
        path: the file or the directory; `#ARM` at its end selects one arm.

    Raises:
        UsageError: there is no saved run, or it cannot be read.
    """
    name, mark, arm = path.rpartition("#")
    if not mark or Path(path).exists():
        name, arm = path, ""
    runs = read_all(name)
    found = tuple(run for run in runs if run.section.arm == arm) if arm else runs
    if not found:
        arms = sorted({run.section.arm for run in runs if run.section.arm})
        known = f"its arms are {', '.join(arms)}" if arms else "its runs have no arms"
        raise UsageError(f"{path}: no run of the arm {arm}: {known}{suggestion(arm, arms)}")
    return found


def report_of(run: SavedRun) -> Report:
    """Return the report of a run; it is made from the samples if the run was cut off.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        if run.section.report is not None:
            return from_document(run.section.report)
        return _recover(run)
    except ValueError as error:
        raise damaged(run.path, str(error)) from None


def result_of(run: SavedRun, *, rows_wanted: bool, histograms_wanted: bool) -> BenchResult:
    """Return the result that the run had at its end.

    Args:
        rows_wanted: whether the result contains ab's series.
        histograms_wanted: whether the result contains the latencies as histograms.
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
    section = run.section
    samples.write(path, run.blocks(), report.run, section.head.rows_of, section.stat.deployments)


def is_cut(run: SavedRun) -> bool:
    """Return whether a run has no end."""
    return run.section.report is None


def ab_times(run: SavedRun) -> ab.AbTimes:
    """Return ab's four series of a run."""
    return ab.from_samples(run.blocks(), run.section.stat.started_ns)


def histograms(run: SavedRun) -> dict[str, Histogram]:
    """Return a run's latencies as histograms; they are counted again if the run was cut off.

    Raises:
        UsageError: the file is damaged.
    """
    if is_cut(run):
        return hdr.as_saved(_summary(run).histograms())
    try:
        found = {name: hdr.decode(text) for name, text in run.section.histograms.items() if name in PARTS}
    except ValueError as error:
        raise damaged(run.path, str(error)) from None
    return {name: histogram for name, histogram in found.items() if histogram.count}


def _summary(run: SavedRun) -> Summary:
    summary = Summary()
    for block in run.blocks():
        summary.add(block)
    return summary


def _recover(run: SavedRun) -> Report:
    """Make the report of a run without an end.

    Raises:
        ValueError: the parts that were saved do not fit together.
    """
    head, stat = run.section.head, run.section.stat
    rows_of = head.rows_of if len(head.rows_of) == len(head.wire_bytes) else ()
    summary = Summary(failures_as_infinite=head.failures_as_infinite, rows_of=rows_of)
    last_ns = stat.elapsed_ns
    deployments, payloads = 1, 0
    for block in run.blocks():
        if len(block):
            summary.add(block)
            last_ns = max(last_ns, int(block["end"].max()))
            deployments = max(deployments, int(block["deployment"].max()) + 1)
            payloads = max(payloads, int(block["payload"].max()) + 1)
    if payloads > len(head.wire_bytes):
        raise ValueError(f"samples of payload {payloads}, and only {len(head.wire_bytes)} were sent")
    begun = _part(Run, head.parts, "run")
    connections = sum(int(np.count_nonzero(block["connected"] > block["start"])) for block in summary.blocks())
    known = KnownRun(
        tool=_part(Tool, head.parts, "tool"),
        run=replace(_part(Run, stat.parts, "run", begun), id=begun.id, partial=True, duration_s=last_ns / 1e9),
        plan=_part(PlanInfo, head.parts, "plan"),
        peer=_peer(Record(stat.parts if "http" in stat.parts else head.parts).object("http")),
        engine=EngineFacts(connections=connections, wire_bytes=head.wire_bytes),
        cpu_s=stat.cpu_s,
        max_in_flight=stat.max_in_flight,
        deployments=_names(stat.deployments, deployments),
        failures=tuple(from_plain(FailureExample, each) for each in stat.failures),
    )
    try:
        slos = parse_all(head.slos)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return assemble(known, summary, LoadOutcome(warnings=[CUT]), slos=slos)


def _part(kind: type[Part], saved: Mapping[str, Any], name: str, otherwise: Part | None = None) -> Part:
    """Read a part of the report; *otherwise* is its value if it is missing."""
    return otherwise if otherwise is not None and name not in saved else from_plain(kind, saved.get(name))


def _peer(saved: Mapping[str, Any]) -> Peer:
    """Read the data of the peer; files of earlier versions contain the report's counters as well."""
    return from_plain(Peer, {field.name: saved[field.name] for field in fields(Peer) if field.name in saved})


def _names(known: Sequence[str], wanted: int) -> list[str]:
    """Name the deployments; those that first answered after the last checkpoint get numbers."""
    return [*known, *(f"deployment {index}" for index in range(len(known), wanted))]
