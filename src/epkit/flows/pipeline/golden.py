"""Golden rows: test rows with the answers of the training, stored in the run's directory for this user only."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import epkit.served.custom  # noqa: F401 - reads the models that are a user's own estimators
from epkit.core.pipeline.config import ProveSettings
from epkit.core.pipeline.proving import GoldenRows, from_plain, to_plain
from epkit.core.train.cells import canonical
from epkit.core.train.curves import name_of
from epkit.errors import UsageError, unreadable, unwritable
from epkit.files.writing import replacing
from epkit.flows.pipeline.world import Before, World
from epkit.served.model import Model

if TYPE_CHECKING:
    import polars as pl

GOLDEN: Final = "golden.json"
"""File name in the run's directory."""

TEST: Final = "test"
"""Value of the column `judged` in a training's predictions for a test row."""


def draw(
    table: "pl.DataFrame", predicted: "pl.DataFrame", model: Model, count: int, seed: int, *, trained: bool
) -> GoldenRows:
    """Draw test rows; if the training had none, rows that it judged by folds.

    Args:
        table: the training table.
        predicted: predictions of the training: columns `row` (from 1), the answer, a probability of each class,
            `judged`.
        model: the candidate's model.
        count: greatest number of rows.
        trained: whether the predictions of test rows are the candidate's own; otherwise *model* computes them here.

    Raises:
        UsageError: the table is not the training table.
    """
    is_test = predicted.get_column(predicted.columns[-1]) == TEST
    trained = trained and bool(is_test.any())
    held = predicted.filter(is_test) if is_test.any() else predicted
    places = sorted(Random(f"epkit {seed}").sample(range(held.height), min(count, held.height)))  # noqa: S311 - no secret
    held = held[places]
    rows = held.get_column("row")
    if len(rows) and int(rows.max() or 0) > table.height:  # type: ignore[arg-type]
        raise UsageError("the table is not the one that was trained on: run the pipeline again")
    columns = _columns(table[(rows - 1).to_list()], [encoder.name for encoder in model.encoders])
    made = tuple(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    if not trained:
        chances = model.predict_proba(columns)
        probabilities = None if model.task == "regression" else tuple(map(tuple, chances.tolist()))
        return GoldenRows(rows=made, answers=tuple(model.answers(chances)), probabilities=probabilities)
    answers, probabilities = _trained(held, model)
    return GoldenRows(rows=made, answers=answers, probabilities=probabilities)


def _columns(table: "pl.DataFrame", names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of columns in the form of a request."""
    if lacking := [name for name in names if name not in table.columns]:
        raise UsageError(f'the table has no column "{lacking[0]}", which the model was trained on')
    found = {name: canonical(table.get_column(name), "the table").to_list() for name in names}
    return {name: [None if value != value else value for value in values] for name, values in found.items()}


def _trained(held: "pl.DataFrame", model: Model) -> tuple[tuple[Any, ...], tuple[tuple[float, ...], ...] | None]:
    """Return the training's answers for rows, and the probabilities in the card's order of the classes."""
    if model.task == "regression":
        return tuple(held.get_column(held.columns[-2]).to_list()), None
    width = len(model.classes)
    *_, answer = held.columns[: -width - 1]
    left = held.columns[-width - 1 : -1]
    series = []
    for each in model.classes:
        wanted = f"probability of {name_of(each)}"
        # If another column already has this name, the name has underscores at the end.
        found = next(name for name in left if name.startswith(wanted) and not name[len(wanted) :].strip("_"))
        left.remove(found)
        series.append(held.get_column(found).to_list())
    return tuple(held.get_column(answer).to_list()), tuple(zip(*series, strict=True))


def write(directory: Path, golden: GoldenRows) -> Path:
    """Write golden rows to a file that only this user can read.

    Raises:
        UsageError: the disk is full.
    """
    path = directory / GOLDEN
    try:
        with replacing(path) as file:
            os.fchmod(file.file.fileno(), 0o600)
            file.write(json.dumps(to_plain(golden)).encode())
    except OSError as error:
        raise unwritable(str(path), error) from None
    return path


def read(directory: Path) -> GoldenRows | None:
    """Read golden rows; None if there are none.

    Raises:
        UsageError: the file is damaged.
    """
    path = directory / GOLDEN
    try:
        return from_plain(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(str(path), error, "golden rows") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: damaged: remove it, and run the pipeline again") from None


def golden_rows(before: Before, world: World, model: Model) -> GoldenRows:
    """Return the golden rows of a run. They are drawn only once.

    Args:
        model: the candidate's model.

    Raises:
        UsageError: the table has changed, or the training's predictions cannot be read.
    """
    import polars as pl

    from epkit.flows.pipeline.rows import changed
    from epkit.flows.pipeline.rows import read as read_table

    if (found := read(world.directory)) is not None:
        return found
    table, trained = read_table(world), before["train"]
    if table.sha256 != before["data"].result["sha256"]:
        raise changed(table.name)
    path = world.path(trained, "predictions")
    try:
        predicted = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        raise UsageError(f"{path}: the predictions of the training cannot be read: --from train --force") from None
    count = (world.config.prove or ProveSettings()).rows
    own = trained.result["kind"] != "candidate"
    drawn = draw(table.frame, predicted, model, count, world.run, trained=own)
    write(world.directory, drawn)
    return drawn


def load_model(directory: str) -> Model:
    """Load the model of a candidate.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return Model.load(directory)
    except OSError as error:
        raise unreadable(directory, error, "the directory of a model") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
