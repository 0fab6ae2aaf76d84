"""The champion: the model that a pipeline serves, or the last one that passed its gates."""

import json
from collections.abc import Mapping
from pathlib import Path

from epkit.core.pipeline.config import PipelineConfig
from epkit.core.pipeline.steps import StepName, StepResult
from epkit.errors import UsageError
from epkit.files import model_directory
from epkit.files.pipelines import Crowned, PipelineStore
from epkit.flows.pipeline.world import Champion


def find_champion(store: PipelineStore) -> Champion | None:
    """Return the champion; None if there is none yet.

    Raises:
        UsageError: its model is missing or was changed.
    """
    crowned = store.crowned()
    if crowned is None:
        return None
    directory = store.directory / crowned.model
    advice = f"restore it, or remove {store.champion_file} to begin without a champion"
    try:
        same = model_directory.digest(directory) == crowned.sha256
        card = json.loads((directory / model_directory.CARD).read_bytes()) if same else None
    except (OSError, ValueError):
        raise UsageError(f"{directory}: the champion of run {crowned.run} is gone: {advice}") from None
    if not isinstance(card, dict):
        raise UsageError(f"{directory}: the champion of run {crowned.run} was changed: {advice}")
    data = store.cache / crowned.keys.get("data", "")
    return Champion(
        model=directory,
        card=card,
        sha256=crowned.sha256,
        endpoint=crowned.endpoint,
        run=crowned.run,
        table=crowned.table,
        data=data if "data" in crowned.keys and data.is_dir() else None,
    )


def crown(store: PipelineStore, config: PipelineConfig, run: int, steps: Mapping[StepName, StepResult]) -> bool:
    """Make the model of a run the champion. If it is the champion already, nothing changes.

    Args:
        steps: the results of this run's steps.

    Returns:
        Whether the champion is now another one.

    Raises:
        UsageError: the disk is full.
    """
    trained, data = steps["train"], steps["data"]
    before = store.crowned()
    sha256, table = str(trained.result["model_sha256"]), str(data.result["file_sha256"])
    if before is not None and (before.sha256, before.table) == (sha256, table):
        return False
    assert trained.key is not None
    model = Path("cache") / trained.key / "model"
    store.crown(
        Crowned(
            run=run,
            keys={name: step.key for name, step in steps.items() if step.key is not None},
            model=model.as_posix(),
            sha256=sha256,
            endpoint=None if config.deploy is None else config.deploy.endpoint,
            table=table,
        )
    )
    return True
