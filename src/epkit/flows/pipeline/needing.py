"""Decides whether the champion is good enough for a table that it was not trained on."""

from collections.abc import Mapping
from typing import Any

from epkit.core.pipeline.judgement import DriftFound, need, surely_missed
from epkit.core.pipeline.run import Need
from epkit.core.pipeline.steps import StepResult
from epkit.core.shortening import cut
from epkit.errors import UsageError
from epkit.flows.pipeline.judging import judge_gates
from epkit.flows.pipeline.orders import gates_of
from epkit.flows.pipeline.rows import answered, labelled, loaded, new_places
from epkit.flows.pipeline.world import Champion, World


def needed(world: World, champion: Champion, data: StepResult) -> Need:
    """Decide whether a new model is needed.

    Args:
        data: result of the step `data`.

    Raises:
        UsageError: the table or the champion cannot be read.
    """
    drift = _drift(data.result.get("drift"))
    expressions = [each for each in gates_of(world.config) if not each.base]
    if drift.schema or not expressions:
        return need(drift, (), new_rows=None)
    table = labelled(world, data.result)
    try:
        model = loaded(champion.model, table, "the champion")
        places = new_places(table, model, champion)
        rows = answered(model, table, places)
    except UsageError as error:  # the label has changed, or a column has new types of values
        return Need(retrain=True, reasons=(cut(str(error), 200),))
    if not len(places):
        return need(drift, (), new_rows=0)
    judged = judge_gates(table, places, rows, expressions)
    ops = {each.expression: each.op for each in expressions}
    missed = [gate for gate in judged.gates if surely_missed(gate, ops[gate.expression])]
    return need(drift, missed, new_rows=len(places))


def _drift(found: Any) -> DriftFound:
    given = found if isinstance(found, Mapping) else {}
    return DriftFound(
        found=given.get("found"),
        columns=tuple(map(str, given.get("columns") or ())),
        schema=tuple(map(str, given.get("schema") or ())),
    )
