"""Hand-made runs of pipelines, for reporters and documents."""

from typing import Any

from epkit.core.pipeline.run import Need, PipelineRun
from epkit.core.pipeline.steps import StepResult

GATE: dict[str, Any] = {
    "expression": "AUC>=0.945", "state": "passed", "observed": 0.95, "ci95": [0.94, 0.96], "wanted": 0.945,
    "rows": 6590, "reason": None,
}  # fmt: skip


def steps(*, missed: bool = False) -> tuple[StepResult, ...]:
    """Make the steps of a run whose gate passed, or did not pass."""
    gate = {**GATE, "state": "missed", "observed": 0.93, "ci95": [0.92, 0.94], "reason": "AUC is 0.93"}
    figures = {"AUC": {"value": 0.93 if missed else 0.95, "ci95": [0.92, 0.96]}}
    reason = "AUC>=0.945: AUC is 0.93 of 6,590 rows, not >= 0.945" if missed else None
    found = [
        StepResult(
            step="data", state="ok", key="a" * 32, seconds=0.3, line="32,950 rows, 21 columns",
            result={"rows": 32950, "sha256": "b" * 64, "file_sha256": "b" * 64}, files={"hashes": "../../cache/a/hashes.bin"},
        ),
        StepResult(
            step="train", state="reused", key="c" * 32, line="best of 30: vote of 3, AUC 0.950 ± 0.001",
            result={"metric": "AUC", "kind": "vote", "model_sha256": "d" * 64,
                    "validation": {"AUC": {"value": 0.951, "ci95": None}}},
            files={"train.html": "../../cache/c/model.run/train.html"},
        ),
        StepResult(
            step="gate", state="stopped" if missed else "ok", key="e" * 32, seconds=0.1,
            line=reason or "AUC 0.950 >= 0.945", reason=reason,
            result={"rows": 6590, "figures": figures, "gates": [gate if missed else GATE], "left_out": []},
        ),
    ]  # fmt: skip
    if not missed:
        found += [
            StepResult(
                step="deploy",
                state="ok",
                seconds=4.1,
                line="bank-green, no traffic",
                result={"endpoint": "bank", "run": 4, "candidate": {"name": "bank-green"}},
            ),
            StepResult(step="bench", state="ok", seconds=12.0, line="p99 9.1 ms < 250 ms", result={"p99_ms": 9.1}),
            StepResult(step="switch", state="skipped", line="bank serves it already"),
        ]
    return tuple(found)


def pipeline_run(number: int | None = 4, *, missed: bool = False, **others: Any) -> PipelineRun:
    """Make a run."""
    values: dict[str, Any] = {
        "pipeline": "bank", "run": number, "version": "0.1.0", "user": "ada", "by": "cli", "why": "nightly",
        "started_at": "2026-11-27T19:03:05Z", "seconds": 17.9,
        "parameters": {"data": "bank.csv", "label": "y", "train": {"runs": 30}, "deploy": {"endpoint": "bank"}},
        "asked": {"if_needed": True}, "need": Need(retrain=True, reasons=("drift: nr.employed 3.2",)),
        "steps": steps(missed=missed), "champion": 3, "switched": not missed,
        "state": "stopped" if missed else "ok", "exit_code": 5 if missed else 0,
        "reason": "gate: AUC>=0.945: AUC is 0.93 of 6,590 rows, not >= 0.945" if missed else None,
    }  # fmt: skip
    return PipelineRun(**{**values, **others})


def hostile(text: str) -> PipelineRun:
    """Make a run with the given text in every place where a file or a user may supply one."""
    gate = {**GATE, "expression": text, "reason": text, "state": "missed"}
    step = StepResult(
        step="gate", state="stopped", line=text, reason=text, files={text: f"{text}.html"},
        result={"gates": [gate], "figures": {text: {"value": 0.5, "ci95": None}}},
    )  # fmt: skip
    return pipeline_run(
        missed=True, why=text, user=text, reason=text, steps=(step,), need=Need(retrain=True, reasons=(text,)),
        parameters={text: [text], "train": {text: text}}, asked={"set": [text]},
    )  # fmt: skip
