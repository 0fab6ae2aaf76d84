"""The rows of a search as files in a private directory. All workers map them into memory, so there is only one copy."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from epkit.core.train.problem import Examples, Feature, Task
from epkit.learners.folds import Fold

_BLOCK: Final = 65_536
"""Rows that are copied at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningTask:
    """What a learner needs to know about the table.

    Args:
        outputs: number of margins for each row.
        seed: seed of the plan.
    """

    task: Task
    outputs: int
    features: tuple[Feature, ...]
    seed: int

    @classmethod
    def of(cls, examples: Examples, seed: int) -> Self:
        """Return the learning task of a table."""
        label = examples.label
        return cls(task=label.task, outputs=label.outputs, features=examples.features, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The rows of a search, and their folds.

    Args:
        matrix: float64, rows × features; in a worker it is mapped from the file.
        y: as `Examples.y`.
        weight: float64, one for each row; None if all are 1.
    """

    shape: LearningTask
    matrix: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    folds: tuple[Fold, ...]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Map the files that `lay_out` wrote."""
        about = json.loads((directory / "about.json").read_bytes())
        features = tuple(Feature(**each) for each in about["features"])
        weight = directory / "weight.npy"
        return cls(
            shape=LearningTask(task=about["task"], outputs=about["outputs"], features=features, seed=about["seed"]),
            matrix=np.load(directory / "matrix.npy", mmap_mode="r"),
            y=np.load(directory / "y.npy"),
            weight=np.load(weight) if weight.exists() else None,
            folds=tuple(
                (np.load(directory / f"train-{fold}.npy"), np.load(directory / f"valid-{fold}.npy"))
                for fold in range(about["folds"])
            ),
        )


def lay_out(
    examples: Examples,
    rows: np.ndarray,
    weight: np.ndarray | None,
    folds: Sequence[Fold],
    seed: int,
    directory: Path,
) -> None:
    """Write the rows of a search for its workers, without a second copy in memory.

    Args:
        rows: their places in *examples*.
        weight: float64, one for each of *rows*.

    Raises:
        OSError: the disk is full.
    """
    shape = (len(rows), examples.matrix.shape[1])
    with (directory / "matrix.npy").open("wb") as file:  # not mapped: with a full disk, a signal would end the process
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float64)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), _BLOCK):
            block = examples.matrix[rows[start : start + _BLOCK]]
            file.write(np.ascontiguousarray(block, np.float64).tobytes())
    np.save(directory / "y.npy", examples.y[rows])
    if weight is not None:
        np.save(directory / "weight.npy", weight)
    for number, (train, valid) in enumerate(folds):
        np.save(directory / f"train-{number}.npy", train)
        np.save(directory / f"valid-{number}.npy", valid)
    about = asdict(LearningTask.of(examples, seed)) | {"folds": len(folds)}
    (directory / "about.json").write_text(json.dumps(about), encoding="utf-8")
