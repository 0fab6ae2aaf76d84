"""The step `data`: reads the table, and compares it with the champion's training table."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import epkit
from epkit.core.pipeline.steps import StepName, StepResult, key_of
from epkit.files.pipelines import HASHES, keep_hashes
from epkit.flows.pipeline import table
from epkit.flows.pipeline.world import TABLE, Before, World

if TYPE_CHECKING:
    from epkit.flows.pipeline.rows import RunTable


READING: Final = (
    "label", "task", "drop", "id", "positive", "group", "time", "cohorts", "pairs", "encoding", "decimal",
)  # fmt: skip
"""Keys of the configuration that decide how a table is read."""


class DataStep:
    """Reads the table."""

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "data"

    def key(self, before: Before, world: World) -> str | None:  # noqa: ARG002
        """Return the hash of the table, how it is read, and the champion.

        Raises:
            UsageError: the table cannot be read.
        """
        config, found = world.config, table.hash_of(world)
        return key_of(
            step="data",
            epkit=epkit.__version__,
            table=found,
            label=config.label,
            plan={name: config.train[name] for name in READING if name in config.train},
            champion=_compared(world, found),
        )

    def run(self, before: Before, world: World) -> StepResult:  # noqa: ARG002
        """Read the table.

        Raises:
            UsageError: it is not usable for training, or changes during reading.
        """
        from epkit.core.train import columns
        from epkit.files.frames import keep_frame
        from epkit.flows.pipeline.orders import train_order
        from epkit.flows.pipeline.rows import read

        assert world.part is not None
        found = read(world)
        learned = columns.learn(found.frame, train_order(world.config, world.context.cwd).plan, found.name)
        for warning in learned.warnings:
            world.show(warning)
        keep_hashes(world.part / HASHES, learned.examples.hashes)
        keep_frame(found.frame, world.part / TABLE)
        drift = _drift(world, found)
        rows = found.frame.height
        return StepResult(
            step="data",
            state="ok",
            line=f"{rows:,} rows, {found.frame.width} columns{drift['line']}",
            result={
                "path": found.name,
                "sha256": found.sha256,
                "file_sha256": found.file_sha256,
                "rows": rows,
                "labelled": len(learned.examples),
                "duplicates": learned.duplicates,
                "hashed": list(learned.hashed),
                "columns": [
                    {"name": each.name, "kind": each.kind, "missing": each.missing, "distinct": each.distinct}
                    for each in learned.columns
                ],
                "warnings": list(learned.warnings),
                "drift": drift["found"],
            },
            files={"hashes": HASHES, "table": TABLE},
        )

    def undo(self, world: World) -> None:
        """Do nothing: this step deploys nothing."""


def _compared(world: World, file_sha256: str) -> str | None:
    """Return the model whose table this one is compared with; None if there is none, or if it is the same table."""
    champion = world.champion
    return None if champion is None or champion.table == file_sha256 else champion.sha256


def _drift(world: World, read: "RunTable") -> Mapping[str, Any]:
    champion = world.champion
    if champion is None or _compared(world, read.file_sha256) is None:
        return {"found": None, "line": ""}
    from epkit.flows.pipeline.drifting import drift_of

    found = drift_of(champion, read, world.config)
    against = "the champion" if champion.run is None else f"run {champion.run}"
    return {
        "line": f"; {found.line} against {against}",
        "found": {
            "against": champion.run,
            "found": found.found,
            "columns": list(found.columns),
            "schema": list(found.schema),
            "details": dict(found.details),
        },
    }
