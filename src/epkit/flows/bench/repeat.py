"""`--repeat`: repeats a run, and runs against another target after each run (A B A B).

If the machine becomes slower or faster, both arms are affected. The differences between runs, not between requests,
show how much is noise.
"""

from dataclasses import replace

from epkit.core.report.report import Report
from epkit.engines import runner
from epkit.files.runs import RunWriter
from epkit.flows.bench.options import BenchResult, Shown
from epkit.flows.bench.plan import AskedBench
from epkit.flows.bench.ready import PreparedRun
from epkit.flows.bench.run import run


def repeat(
    asked: AskedBench,
    ready: PreparedRun,
    other: PreparedRun | None,
    shown: Shown,
    *,
    writer: RunWriter | None = None,
) -> BenchResult:
    """Run several times.

    Args:
        other: the other arm, or None.
        writer: writes the file that every run is saved to, in one arm or two.

    Returns:
        The last result, with the reports of all runs in their order.
    """
    times = asked.options.repeat
    assert times is not None
    arms = {"": ready} if other is None else {"base": ready, "new": other}
    reports: list[Report] = []
    result: BenchResult | None = None
    for number in range(times):
        for name, arm in arms.items():
            plan = replace(arm.plan, seed=arm.plan.seed + number)
            try:
                result = run(asked, arm, plan, shown, writer=writer, arm=name)
            except KeyboardInterrupt as stop:  # between two runs
                if result is None:
                    raise
                return replace(result, runs=tuple(reports), stopped_by=runner.number_of(stop))
            reports.append(result.report)
            if result.stopped_by is not None:
                return replace(result, runs=tuple(reports))
    assert result is not None
    return replace(result, runs=tuple(reports))
