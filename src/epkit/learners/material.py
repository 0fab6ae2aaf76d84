"""The rows of a search as files of a private directory, which its workers map into memory: they have them once."""

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
    """What a learner has to know of the table.

    Args:
        outputs: margins a row.
        seed: of the plan.
    """

    task: Task
    outputs: int
    features: tuple[Feature, ...]
    seed: int

    @classmethod
    def of(cls, examples: Examples, seed: int) -> Self:
        """Return that of a table."""
        label = examples.label
        return cls(task=label.task, outputs=label.outputs, features=examples.features, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The rows of a search, and how they are split.

    Args:
        matrix: float64, rows × features; in a worker it is the file itself.
        y: as `Examples.y`.
        weight: float64 a row, None where all count 1.
    """

    shape: LearningTask
    matrix: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    folds: tuple[Fold, ...]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Map what `lay_out` wrote."""
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
        rows: places in *examples*.
        weight: float64, one of *rows* each.

    Raises:
        OSError: the disk is full.
    """
    shape = (len(rows), examples.matrix.shape[1])
    with (directory / "matrix.npy").open("wb") as file:  # not mapped: a full disk would end the process by a signal
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
