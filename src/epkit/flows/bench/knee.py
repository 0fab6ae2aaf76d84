"""`--sweep`: the report of a sweep, its knee marked."""

from dataclasses import replace

from epkit.core.load.criteria import KNEE
from epkit.core.report.knee import knee
from epkit.core.report.report import Report, Search

RULE = "the step with the most successes per second for their mean time (Kleinrock's power)"


def mark_knee(report: Report) -> Report:
    """Mark the knee among the phases of a sweep, and say how it was found."""
    steps = [i for i, phase in enumerate(report.phases) if phase.measured]
    at = knee([report.phases[i] for i in steps])
    if at is None:
        return report
    place = steps[at]
    found = report.phases[place]
    value = float(found.name.partition("=")[2])
    words = f"the knee is at {found.load}: {RULE}"
    above = None
    if at + 1 == len(steps):
        words += "; it is the last step, so the true one may lie beyond"
    else:
        above = float(report.phases[steps[at + 1]].name.partition("=")[2])
    phases = tuple(replace(phase, mark="knee") if i == place else phase for i, phase in enumerate(report.phases))
    search = Search(kind=KNEE, expression="power", value=value, above=above, confirmed=above is not None, words=words)
    return replace(report, phases=phases, search=search)
