"""Compares two arms of saved runs: reads them and checks that they are comparable."""

from collections.abc import Sequence

from epkit.core.report.compare import LEAST_RUNS, THRESHOLD, Arm, Comparison, compare, mismatches, missing
from epkit.core.report.gates import parse
from epkit.core.report.wording import plural
from epkit.errors import UsageError
from epkit.files.runs import SavedRun
from epkit.flows.bench.saved_runs import is_cut, load, report_of


def compare_runs(
    base: str,
    new: str | None,
    *,
    fail_if: Sequence[str] = (),
    threshold: float = THRESHOLD,
    force: bool = False,
) -> Comparison:
    """Compare two arms.

    Args:
        base, new: a saved run, a directory of saved runs, or a file that holds several; `FILE#ARM` is one arm of it.
            Without *new*, *base* holds two arms.
        fail_if: gates.
        threshold: the smallest relevant change, as a fraction.
        force: compare runs even if they differ in more than the target.

    Raises:
        UsageError: an arm cannot be read, the arms cannot be compared, or a gate cannot be judged.
    """
    gates = [parse(text) for text in fail_if]
    if not 0 <= threshold < 1:
        raise UsageError(f"--threshold {100 * threshold:g}: must be from 0 to less than 100 percent")
    arms = _two_arms(base) if new is None else (_arm(base, load(base), force), _arm(new, load(new), force))
    if not force and (found := mismatches(*arms)):
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise UsageError(
            f"{arms[0].name}, {arms[1].name}: these runs differ in more than the target: {found[0]}{more}; "
            "--force compares them all the same"
        )
    least = min(len(arm.reports) for arm in arms)
    if gates and least < LEAST_RUNS:
        raise UsageError(
            f"--fail-if {gates[0].expression}: no verdict is possible with {plural(least, 'run')} an arm, "
            f"it takes {LEAST_RUNS}: make more (five are better)"
        )
    comparison = compare(*arms, threshold=threshold, gates=gates)
    if unknown := missing(comparison):
        raise UsageError(
            f"--fail-if: no verdict is possible on {', '.join(unknown)}: a run has no request that succeeded"
        )
    return comparison


def _two_arms(path: str) -> tuple[Arm, Arm]:
    """Separate the two arms of one file."""
    runs = load(path)
    names = list(dict.fromkeys(run.section.arm for run in runs))
    if len(names) != 2:
        held = f"{len(names)} arms" if len(names) > 1 else "one arm"
        raise UsageError(f"{path} holds {held}, and a comparison needs two: epkit compare BASE NEW")
    first, second = (
        _arm(f"{path}#{name}" if name else path, [run for run in runs if run.section.arm == name], force=False)
        for name in names
    )
    return first, second


def _arm(name: str, runs: Sequence[SavedRun], force: bool) -> Arm:
    arms = {run.section.arm for run in runs}
    if len(arms) > 1:
        raise UsageError(f"{name} holds the arms {', '.join(sorted(arms))}: name one, as in {name}#{max(arms)}")
    cut = next((run for run in runs if is_cut(run)), None)
    if cut is not None and not force:
        raise UsageError(f"{cut.path}: this run was cut off: --force compares what was saved")
    return Arm(name=name, reports=tuple(report_of(run) for run in runs))
