"""A run of a pipeline as JUnit XML: a test case for each step and each gate."""

from collections.abc import Mapping
from typing import Any

from epkit.core.http.masking import clean
from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import StepResult
from epkit.reporters.parts import xml
from epkit.reporters.pipeline import words


def render(run: PipelineRun) -> str:
    """Write the document.

    A missed gate and a stopped step are failures. A gate without a verdict and a failed step are errors. A step that
    had nothing to do is skipped.
    """
    cases = [*map(_step, run.steps), *map(_gate, words.gates(run))]
    if not cases:
        cases = [f"{_case('epkit.pipeline', 'nothing to do')}/>\n"]
    counts = {kind: sum(f"<{tag}" in case for case in cases) for kind, tag in _TAGS.items()}
    totals = f'tests="{len(cases)}" failures="{counts["failures"]}" errors="{counts["errors"]}"'
    name = xml.attribute(run.pipeline if run.run is None else f"{run.pipeline} run {run.run}")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="epkit pipeline" {totals}>\n'
        f' <testsuite name={name} {totals} skipped="{counts["skipped"]}" time="{run.seconds:.3f}"'
        f" timestamp={xml.attribute(run.started_at.removesuffix('Z'))}>\n"
        f"{''.join(cases)}"
        f"  <system-out>{xml.text(words.verdict(run).text)}</system-out>\n"
        " </testsuite>\n</testsuites>\n"
    )


_TAGS = {"failures": "failure ", "errors": "error ", "skipped": "skipped"}


def _case(group: str, name: str, seconds: float = 0.0) -> str:
    time = f' time="{seconds:.3f}"' if seconds else ""
    return f"  <testcase classname={xml.attribute(group)} name={xml.attribute(clean(name, 1000))}{time}"


def _step(step: StepResult) -> str:
    head = _case("epkit.pipeline", step.step, step.seconds)
    if step.state == "skipped":
        return f"{head}>\n   <skipped message={xml.attribute(clean(step.line, 1000))}/>\n  </testcase>\n"
    if step.passed:
        return f"{head}/>\n"
    tag = "failure" if step.state == "stopped" else "error"
    return _with(head, tag, "step", step.reason or step.state)


def _gate(gate: Mapping[str, Any]) -> str:
    head = _case("epkit.pipeline.gate", str(gate["expression"]))
    if gate["state"] == "passed":
        return f"{head}/>\n"
    tag = "failure" if gate["state"] == "missed" else "error"
    return _with(head, tag, "gate", str(gate["reason"] or gate["state"]))


def _with(head: str, tag: str, kind: str, message: str) -> str:
    return f'{head}>\n   <{tag} type="{kind}" message={xml.attribute(clean(message, 1000))}/>\n  </testcase>\n'
