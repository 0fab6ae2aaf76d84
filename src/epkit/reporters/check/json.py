"""A checkup as the document `epkit.check/1`."""

from epkit.core.checkup import Checkup
from epkit.core.json import writing


def render(checkup: Checkup) -> str:
    """Write the document, indented, with a final line break; times are milliseconds."""
    steps = [
        {
            "name": step.name,
            "ok": step.ok,
            "ms": None if step.ms is None else round(step.ms, 3),
            "detail": step.detail,
            "advice": step.advice,
        }
        for step in checkup.steps
    ]
    document = {"format": "epkit.check/1", "target": checkup.target, "steps": steps}
    return writing.document(document, indent=1)
