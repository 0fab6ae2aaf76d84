"""The steps of a pipeline: their names, their results, and the keys by which results are reused."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

StepName = Literal["data", "train", "gate", "deploy", "prove", "bench", "switch", "watch"]
STEP_NAMES: Final[tuple[StepName, ...]] = get_args(StepName)
"""The steps, in the order in which they run."""

StepState = Literal["ok", "reused", "skipped", "stopped", "failed"]

PASSED: Final[frozenset[StepState]] = frozenset({"ok", "reused", "skipped"})
"""States of a step that let the next step run."""

KEPT: Final[frozenset[StepName]] = frozenset({"data", "train", "gate"})
"""Steps whose results are stored by key, and reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The result of a step.

    Args:
        state: `ok`; `reused`: a step with the same key was ok before; `skipped`: there was nothing to do; `stopped`: a
            gate was missed, or the user stopped it; `failed`.
        key: hash of everything that the step depends on; None for a step that is not stored.
        seconds: of wall clock.
        line: text that the terminal shows after the time.
        result: plain JSON, read by later steps and by users.
        files: files that the step wrote, by name; each path is relative to the directory of the run.
        reason: one line: why it stopped or failed.
    """

    step: StepName
    state: StepState
    key: str | None = None
    seconds: float = 0.0
    line: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None

    @property
    def passed(self) -> bool:
        """Tell whether the next step may run."""
        return self.state in PASSED


def key_of(**parts: Any) -> str:
    """Return the key of a step, a hash of everything that it depends on: 32 hexadecimal digits.

    Args:
        parts: plain JSON values by name. Equal values give equal keys, whatever their order.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
