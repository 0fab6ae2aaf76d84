"""The rows of a run's table, and the answers of a model."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from epkit.core.shortening import cut
from epkit.core.train import columns, split
from epkit.core.train.cells import row_hashes
from epkit.core.train.columns import Learned
from epkit.core.train.metrics import Metrics
from epkit.errors import UsageError, unreadable
from epkit.files.digests import digest_of
from epkit.files.pipelines import HASHES, known_hashes
from epkit.flows.pipeline import table
from epkit.flows.pipeline.orders import train_order
from epkit.flows.pipeline.world import Champion, World
from epkit.flows.train.reading import read_table
from epkit.flows.train.unseen import check_label, held_out_by
from epkit.served.model import Model

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """The table of a run in memory.

    Args:
        name: its name in messages.
        sha256: of the unpacked content, as a training computes it.
        file_sha256: of the file.
    """

    name: str
    sha256: str
    file_sha256: str
    frame: "pl.DataFrame"


def read(world: World) -> RunTable:
    """Read the whole table.

    Raises:
        UsageError: it cannot be read, or changed during reading.
    """
    path, name = table.path_of(world), table.name_of(world)
    before = digest_of(path, name)
    written = {name: world.config.train[name] for name in ("encoding", "decimal") if name in world.config.train}
    found = read_table(str(path), io.BytesIO(), world.context, **written)
    if digest_of(path, name) != before:
        raise changed(name)
    return RunTable(name=name, sha256=found.sha256, file_sha256=before, frame=found.frame)


def changed(name: str) -> UsageError:
    """Return the error for a table that has changed since the run started."""
    return UsageError(f"{name}: changed while the run went on: run it again when it is complete")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledTable:
    """The table of a run, and the examples that the training makes from it.

    Args:
        test: places of the test rows in the examples; no choice uses them.
    """

    name: str
    frame: "pl.DataFrame"
    learned: Learned
    test: np.ndarray

    def unseen_by(self, model: Model) -> np.ndarray:
        """Return the places of the examples that a model was not trained on, if its card determines them."""
        return np.flatnonzero(held_out_by(model, self.frame, self.learned, self.name))


def labelled(world: World, data: Mapping[str, Any]) -> LabelledTable:
    """Read the table like the training, with the same test rows.

    Args:
        data: result of the step `data`.

    Raises:
        UsageError: the table has changed.
    """
    found = read(world)
    if found.sha256 != data["sha256"]:
        raise changed(found.name)
    plan = train_order(world.config, world.context.cwd).plan
    learned = columns.learn(found.frame, plan, found.name)
    examples = learned.examples
    test = split.held_out(examples.hashes, plan.seed, plan.test_size, groups=examples.groups, order=examples.order)
    return LabelledTable(name=found.name, frame=found.frame, learned=learned, test=np.flatnonzero(test))


def loaded(directory: Path, rows: LabelledTable, where: str) -> Model:
    """Load a model, and check that it predicts the label of a table.

    Args:
        where: its name in messages.

    Raises:
        UsageError: there is no model, or it predicts another label.
    """
    import epkit.served.custom  # noqa: F401 - reads the models that are a user's own estimators

    try:
        model = Model.load(directory)
        check_label(model, rows.learned.examples.label, where)
    except OSError as error:
        raise unreadable(where, error, "the directory of a model") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{where}: {cut(str(error), 300)}") from None
    return model


def answered(model: Model, rows: LabelledTable, places: np.ndarray) -> Metrics:
    """Return a model's answers for examples, ready to be measured.

    Args:
        places: places of the examples.

    Raises:
        UsageError: a column of the model is missing, or holds invalid values.
    """
    examples = rows.learned.examples
    frame = rows.frame[rows.learned.rows[places]]
    matrix = columns.encode(frame, model.card["columns"], rows.name)
    threshold = (model.card.get("threshold") or {}).get("value")
    weight = None if examples.weight is None else examples.weight[places]
    return Metrics(examples.y[places], model.scorer.margins(matrix), examples.label, weight, threshold)


def unseen_test_rows(table: LabelledTable, model: Model) -> np.ndarray:
    """Return the places of the test rows that a model was not trained on, if its card determines them."""
    return np.intersect1d(table.test, table.unseen_by(model))


def new_places(table: LabelledTable, model: Model, champion: Champion) -> np.ndarray:
    """Return the places of the labelled rows that the champion's table did not have.

    If the rows of that table are not known any more, return the rows that the champion was not trained on by its card.
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
