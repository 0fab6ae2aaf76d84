"""A checkup as the document `epkit.check/1`."""

from dataclasses import asdict

from epkit.core.checkup import Checkup
from epkit.core.json import writing


def render(checkup: Checkup) -> str:
    """Write the document, indented, with a final line break; times are milliseconds."""
    steps = [asdict(step) | {"ms": None if step.ms is None else round(step.ms, 3)} for step in checkup.steps]
    document = {"format": "epkit.check/1", "target": checkup.target, "steps": steps}
    return writing.document(document, indent=1)
