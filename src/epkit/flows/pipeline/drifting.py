"""Compares a table with the champion's training table; no other module measures drift."""

from typing import TYPE_CHECKING

from epkit.core.drift.document import to_document
from epkit.core.drift.reference import Reference
from epkit.core.pipeline.config import PipelineConfig
from epkit.core.pipeline.judgement import DriftFound
from epkit.flows.drift import compare_table
from epkit.flows.pipeline.rows import RunTable
from epkit.flows.pipeline.world import TABLE, Champion

if TYPE_CHECKING:
    import polars as pl


def drift_of(champion: Champion, table: RunTable, config: PipelineConfig) -> DriftFound:
    """Compare a table with the champion's training table.

    If that table is still stored, whole rows are compared too. Otherwise the table is compared with the counts in the
    champion's card.

    Raises:
        UsageError: the two tables have no column in common.
    """
    left_out = (*config.train.get("drop", ()), *config.train.get("id", ()))
    reference = Reference.of_card(champion.card, name="the champion's table", drop=left_out)
    kept = _kept(champion)
    if kept is not None:
        reference = Reference.of(kept, name="the champion's table", label=champion.card["label"]["name"], drop=left_out)
    found = compare_table(reference, table.frame.drop(left_out, strict=False), name=table.name)
    columns = [f"{each.column} {each.psi:.2f}" for each in found.columns if each.found]
    if found.label is not None and found.label.found:
        columns.append(f"label {found.label.column} {found.label.psi:.2f}")
    return DriftFound(found=found.found, columns=tuple(columns), schema=found.schema, details=to_document(found))


def _kept(champion: Champion) -> "pl.DataFrame | None":
    import polars as pl

    path = None if champion.data is None else champion.data / TABLE
    return pl.read_parquet(path) if path is not None and path.exists() else None
