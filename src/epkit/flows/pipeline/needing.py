"""Whether the champion is still good enough for a table that it was not trained on."""

from typing import Any

import numpy as np

from epkit.core.pipeline.judgement import DriftFound, need, surely_missed
from epkit.core.pipeline.run import Need
from epkit.core.pipeline.steps import StepResult
from epkit.core.shortening import cut
from epkit.core.train.cells import row_hashes
from epkit.errors import UsageError
from epkit.files.pipelines import HASHES, known_hashes
from epkit.flows.pipeline.judging import judge_gates
from epkit.flows.pipeline.orders import gates_of
from epkit.flows.pipeline.rows import LabelledTable, answered, labelled, loaded
from epkit.flows.pipeline.world import Champion, World
from epkit.served.model import Model


def needed(world: World, champion: Champion, data: StepResult) -> Need:
    """Decide whether a new model is needed.

    Args:
        data: of the step `data`.

    Raises:
        UsageError: the table or the champion cannot be read.
    """
    drift = _drift(data.result["drift"] or {})
    expressions = [each for each in gates_of(world.config) if not each.base]
    if drift.schema or not expressions:
        return need(drift, (), new_rows=0)
    table = labelled(world, data.result)
    try:
        model = loaded(champion.model, table, "the champion")
        places = new_places(table, model, champion)
        rows = answered(model, table, places)
    except UsageError as error:  # the label has changed, or a column holds what it did not
        return Need(retrain=True, reasons=(cut(str(error), 200),))
    if not len(places):
        return need(drift, (), new_rows=0)
    judged = judge_gates(table, places, rows, expressions)
    ops = {each.expression: each.op for each in expressions}
    missed = [gate for gate in judged.gates if surely_missed(gate, ops[gate.expression])]
    return need(drift, missed, new_rows=len(places))


def new_places(table: LabelledTable, model: Model, champion: Champion) -> np.ndarray:
    """Return the places of the labelled rows that the champion's table did not have.

    Where that table's rows are not known any more, those are returned that its card says it was not trained on.
    """
    hashed: list[str] = list(model.card.get("test", {}).get("hashed", ()))
    frame = table.frame
    if champion.data is None or not set(hashed) <= set(frame.columns):
        return table.unseen_by(model)
    try:
        known = known_hashes(champion.data / HASHES)
    except UsageError:
        return table.unseen_by(model)
    own = row_hashes(frame[table.learned.rows], hashed, table.name)
    return np.flatnonzero(~np.isin(own, known))


def _drift(found: dict[str, Any]) -> DriftFound:
    return DriftFound(
        found=found.get("found"), columns=tuple(found.get("columns", ())), schema=tuple(found.get("schema", ()))
    )
