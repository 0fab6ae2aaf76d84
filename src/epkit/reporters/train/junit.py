"""A training as JUnit XML: a test case for each gate, and one for the end of the training."""

from epkit.core.http.masking import clean
from epkit.core.train.report import Gate, TrainReport
from epkit.reporters.parts import xml
from epkit.reporters.train import words


def render(report: TrainReport) -> str:
    """Write the document; a missed gate is a failure of its case, a gate without a verdict is an error."""
    cases = [*map(_gate, report.gates), _ended(report)]
    failures = sum(gate.state == "missed" for gate in report.gates)
    errors = sum(gate.state not in ("passed", "missed") for gate in report.gates) + int(report.partial)
    name = xml.attribute(f"{words.name(report.data.label)} of {words.name(report.data.path, 200)}")
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    said = "\n".join(line.text for line in words.verdict(report))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="epkit train" {counts}>\n'
        f' <testsuite name={name} {counts} skipped="0" time="{report.duration_s:.3f}"'
        f" timestamp={xml.attribute(report.started_at.removesuffix('Z'))}>\n"
        f"{''.join(cases)}"
        f"  <system-out>{xml.text(said)}</system-out>\n"
        " </testsuite>\n</testsuites>\n"
    )


def _gate(gate: Gate) -> str:
    head = f'  <testcase classname="epkit.train" name={xml.attribute(clean(gate.expression, 1000))}'
    if gate.state == "passed":
        return f"{head}/>\n"
    tag = "failure" if gate.state == "missed" else "error"
    message = xml.attribute(words.gate(gate))
    return f'{head}>\n   <{tag} type="gate" message={message}/>\n  </testcase>\n'


def _ended(report: TrainReport) -> str:
    head = '  <testcase classname="epkit.train" name="the search came to its end"'
    if not report.partial:
        return f"{head}/>\n"
    return f'{head}>\n   <error type="partial" message="interrupted"/>\n  </testcase>\n'
