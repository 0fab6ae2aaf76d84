"""A run of a pipeline as the JSON document `report.json`: writing, reading, and the schema."""

from collections.abc import Mapping
from typing import Any, Final, get_args, get_type_hints

from epkit.core.json.documents import DocumentFormat, wanted
from epkit.core.json.records import Record
from epkit.core.pipeline.run import FORMAT, PipelineRun, RunState
from epkit.core.pipeline.steps import PASSED, STEP_NAMES, StepName, StepResult, StepState
from epkit.core.train.report import Figure, Gate

_WORDS: Final = {
    ("StepResult", "step"): STEP_NAMES,
    ("StepResult", "state"): get_args(StepState),
    ("PipelineRun", "state"): get_args(RunState),
}
"""Fields whose value is one of a few words."""


_TEXTS: Final[Mapping[StepName, tuple[str, ...]]] = {
    "data": ("sha256", "file_sha256"),
    "train": ("model_sha256", "metric", "kind"),
}
"""Keys in the result of a successful step that later steps read."""


class _Runs(DocumentFormat[PipelineRun]):
    def hints(self, kind: type) -> dict[str, Any]:
        found = get_type_hints(kind)
        return {name: str if (kind.__name__, name) in _WORDS else hint for name, hint in found.items()}

    def read(self, kind: type, given: dict[str, Any]) -> None:
        for (owner, name), words in _WORDS.items():
            if owner == kind.__name__ and given.get(name) not in words:
                raise ValueError(f"{name} is one of {', '.join(words)}")
        if kind is StepResult and isinstance(given.get("result"), Mapping):
            self._check_result(given["step"], Record(given["result"]), passed=given.get("state") in PASSED)

    def _check_result(self, step: StepName, result: Record, *, passed: bool) -> None:
        """Check the keys in the result of a step that readers and later steps use.

        Raises:
            ValueError: a key is missing or has a wrong type.
        """
        if passed:
            for name in _TEXTS.get(step, ()):
                result.text(name)
        if passed and step == "deploy":
            result.whole("run")
            result.text("endpoint")
            if result.values.get("candidate") is not None:
                result.object("candidate")
        for figure in result.object("figures", default={}).values() if step == "gate" else ():
            self.from_plain(Figure, figure)
        for gate in wanted(result.values.get("gates", ()), list | tuple, "an array") if step == "gate" else ():
            self.from_plain(Gate, gate)

    def schema(self) -> dict[str, Any]:
        found = super().schema()
        for (owner, name), words in _WORDS.items():
            part = found if owner == "PipelineRun" else found["$defs"][owner]
            part["properties"][name] = {"enum": list(words)}
        return found


RUNS: Final = _Runs(FORMAT, PipelineRun)


def to_document(run: PipelineRun) -> dict[str, Any]:
    """Turn a run into plain dicts, lists, strings and finite numbers.

    Raises:
        ValueError: a number is not finite.
    """
    return RUNS.to_document(run)


def from_document(document: Any) -> PipelineRun:
    """Make a run from what `to_document` returned.

    Raises:
        ValueError: it is not such a document.
    """
    if not isinstance(document, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - of a document
    return RUNS.from_document(document)


def step_to_plain(step: StepResult) -> dict[str, Any]:
    """Turn the result of a step into plain JSON values.

    Raises:
        ValueError: a number is not finite.
    """
    plain: dict[str, Any] = RUNS.to_plain(step)
    return plain


def step_from_plain(value: Any) -> StepResult:
    """Make the result of a step from plain JSON values.

    Raises:
        ValueError: it does not have the right form.
    """
    found: StepResult = RUNS.from_plain(StepResult, value)
    return found


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, strict: every key is required and no other is allowed."""
    return RUNS.schema()
