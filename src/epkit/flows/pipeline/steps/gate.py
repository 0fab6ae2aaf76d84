"""The step `gate`: judges the model on rows that it was not trained on. A missed gate ends the run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import epkit
from epkit.core.pipeline.steps import StepName, StepResult, key_of
from epkit.core.report.wording import plural
from epkit.flows.pipeline.world import Before, Champion, World

if TYPE_CHECKING:
    from epkit.core.train.report import Figure, Gate
    from epkit.flows.pipeline.judging import ChampionComparison, Verdicts


class GateStep:
    """Judges."""

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "gate"

    def key(self, before: Before, world: World) -> str | None:
        """Return the hash of the model, the table, the gates, and the champion."""
        return key_of(
            step="gate",
            epkit=epkit.__version__,
            train=before["train"].key,
            data=before["data"].result["sha256"],
            gate=list(world.config.gate),
            champion=None if (champion := _other(before, world)) is None else champion.sha256,
        )

    def run(self, before: Before, world: World) -> StepResult:
        """Judge the model.

        Raises:
            UsageError: a gate names a column or a metric that does not exist.
        """
        from epkit.flows.pipeline.judging import judge_model
        from epkit.flows.pipeline.orders import gates_of
        from epkit.flows.pipeline.rows import labelled, loaded

        trained = before["train"]
        table = labelled(world, before["data"].result)
        other = _other(before, world)
        verdicts = judge_model(
            table,
            loaded(world.path(trained, "model"), table, "the model that was trained"),
            other,
            gates_of(world.config),
            foreign=trained.result["kind"] == "candidate",
        )
        for expression in verdicts.left_out:
            world.show(f"{expression}: left out, for there is no other champion")
        missed = [gate for gate in verdicts.gates if gate.state != "passed"]
        line = _line(verdicts, trained.result["metric"])
        reason = None
        if missed:
            more = f" (and {plural(len(missed) - 1, 'gate')} more)" if len(missed) > 1 else ""
            reason = f"{missed[0].expression}: {missed[0].reason}{more}"
        return StepResult(
            step="gate",
            state="stopped" if missed else "ok",
            line=line if reason is None else reason,
            result=_plain(verdicts, world),
            reason=reason,
        )

    def undo(self, world: World) -> None:
        """Do nothing: this step deploys nothing."""


def _other(before: Before, world: World) -> Champion | None:
    """Return the champion; None if there is none, or if it is the judged model itself."""
    champion = world.champion
    return None if champion is None or champion.sha256 == before["train"].result["model_sha256"] else champion


def _line(verdicts: "Verdicts", metric: str) -> str:
    """Return a short summary: the metric and its limit, the champion, the worst cohort."""
    absolute = next((gate for gate in verdicts.gates if gate.wanted is not None and gate.observed is not None), None)
    parts = []
    if absolute is not None and absolute.observed is not None:
        parts.append(f"{_observed(absolute)}")
    elif (figure := verdicts.figures.get(metric)) is not None:
        parts.append(f"{metric} {figure.value:.3f} of {verdicts.rows:,} rows")
    if verdicts.comparison is not None and (apart := verdicts.comparison.differences.get(metric)) is not None:
        parts.append(f"champion {_apart(apart)}")
        new = verdicts.comparison.new
        if new is not None and (apart := new.differences.get(metric)) is not None:
            parts.append(f"on {new.rows:,} new rows {_apart(apart)}")
    if verdicts.worst is not None:
        measured = next(iter(verdicts.worst.metrics.values()), None)
        value = "" if measured is None else f" {measured.value:.2f}"
        parts.append(f"worst cohort {verdicts.worst.where.replace(' = ', '=')}{value}, {verdicts.worst.rows:,} rows")
    return "; ".join(parts) or "no gate"


def _apart(figure: "Figure") -> str:
    """Format the difference of two models."""
    sure = "" if figure.ci95 is None else f" ({figure.ci95[0]:+.4f} to {figure.ci95[1]:+.4f})"
    return f"{figure.value:+.4f}{sure}"


def _observed(gate: "Gate") -> str:
    """Format a gate with its observed value: `AUC 0.950 >= 0.945`."""
    for op in (">=", "<=", ">", "<"):
        figure, found, limit = gate.expression.partition(op)
        if found:
            return f"{figure.strip()} {gate.observed:.3f} {op} {limit.strip()}"
    return gate.expression


def _plain(verdicts: "Verdicts", world: World) -> Mapping[str, Any]:
    from epkit.flows.pipeline.judging import figures_plain

    comparison, worst = verdicts.comparison, verdicts.worst
    champion = None
    if comparison is not None and world.champion is not None:
        new = None if comparison.new is None else _comparison_plain(comparison.new)
        champion = {"run": world.champion.run, **_comparison_plain(comparison), "new": new}
    return {
        "rows": verdicts.rows,
        "figures": figures_plain(verdicts.figures),
        "gates": [gate_plain(gate) for gate in verdicts.gates],
        "left_out": list(verdicts.left_out),
        "champion": champion,
        "worst": None
        if worst is None
        else {
            "where": worst.where,
            "rows": worst.rows,
            "figures": figures_plain(worst.metrics),
        },
    }


def _comparison_plain(comparison: "ChampionComparison") -> dict[str, Any]:
    from epkit.flows.pipeline.judging import figures_plain

    return {
        "rows": comparison.rows,
        "figures": figures_plain(comparison.figures),
        "differences": figures_plain(comparison.differences),
    }


def gate_plain(gate: "Gate") -> dict[str, Any]:
    """Return a gate as plain JSON."""
    return {
        "expression": gate.expression,
        "state": gate.state,
        "observed": gate.observed,
        "ci95": None if gate.ci95 is None else list(gate.ci95),
        "wanted": gate.wanted,
        "rows": gate.rows,
        "reason": gate.reason,
    }
