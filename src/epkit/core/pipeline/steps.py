"""The steps of a pipeline: their names in order, what a step leaves, and the key of what it depends on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

StepName = Literal["data", "train", "gate", "deploy", "prove", "bench", "switch", "watch"]
STEP_NAMES: Final[tuple[StepName, ...]] = get_args(StepName)
"""In the order in which they run."""

StepState = Literal["ok", "reused", "skipped", "stopped", "failed"]

PASSED: Final[frozenset[StepState]] = frozenset({"ok", "reused", "skipped"})
"""States of a step after which the next one may run."""

KEPT: Final[frozenset[StepName]] = frozenset({"data", "train", "gate"})
"""Steps whose outcome is kept by its key, and reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step leaves.

    Args:
        state: `ok`; `reused`, an equal step was ok before; `skipped`, there was nothing to do; `stopped`, a gate said
            no, or the user; `failed`.
        key: content address of what the step depends on; None for a step that is not kept.
        seconds: of wall clock.
        line: what the terminal shows after the time.
        result: plain JSON for later steps and for readers.
        files: what the step wrote, by name; each path relative to the directory of the run.
        reason: in one line why it stopped or failed.
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
    """Return the content address of what a step depends on: 32 hexadecimal digits.

    Args:
        parts: plain JSON values by name; equal ones give equal keys, whatever their order.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
