"""A process that tries candidates for the one that started it: `python -m epkit.learners.worker DIRECTORY [--lean]`.

It reads a candidate a line, and answers each with a line; the margins go into a file of the directory. The end of its
input is its end, even in the middle of a trial: a thread waits for it, so that no worker is left behind whatever
becomes of the process that started it.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import numpy as np

from epkit.core.train.plan import Candidate
from epkit.learners.base import LearnerError, worded
from epkit.learners.material import Material
from epkit.learners.trials import Trials

LEAN: Final = "--lean"
"""Said to a worker that runs no code of the user's: it imports as little as it can."""

_UNUSED: Final = ("pandas", "dask", "matplotlib", "graphviz", "pyarrow")
"""Packages that LightGBM and scikit-learn import where they are installed, and can do without."""


def main(directory: Path, *, lean: bool) -> None:
    """Answer until the input ends."""
    # Whatever prints something, nothing but answers goes to the process that started this.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    trials = Trials(Material.read(directory))
    while True:
        candidate = Candidate(**json.loads(lines.get()))
        _import_for(candidate, lean=lean)
        answers.write(json.dumps(_tried(trials, candidate, directory)) + "\n")
        answers.flush()


def _read(lines: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def _import_for(candidate: Candidate, *, lean: bool) -> None:
    """Import what takes seconds before the time of a run is measured.

    LightGBM imports scikit-learn for its estimators alone, and both import pandas: 3 of 4 CPU seconds. An estimator of
    the user's may need all of that, so a worker that may run one imports LightGBM whole.
    """
    if candidate.family == "linear":
        with _hidden(_UNUSED if lean else ()):
            import sklearn.linear_model  # noqa: F401
    elif candidate.family not in ("naive", "custom"):
        with _hidden(("sklearn", *_UNUSED) if lean else ()):
            import lightgbm  # noqa: F401


@contextlib.contextmanager
def _hidden(names: Iterable[str]) -> Iterator[None]:
    """Have packages that are not imported yet look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None is Python's own word for it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _tried(trials: Trials, candidate: Candidate, directory: Path) -> dict[str, Any]:
    """Try a candidate; whatever a library raises is the failure of this run alone.

    Raises:
        MemoryError, OSError: there is too little memory or room; the next call may have more, so this process ends.
    """
    try:
        trial = trials.run(candidate)
    except LearnerError as error:
        return {"error": str(error)}
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001
        return {"error": worded(error)}
    np.save(directory / f"margins-{candidate.run}.npy", trial.margins)
    return {"rounds": trial.rounds, "cpu_s": trial.cpu_s, "note": trial.note}


if __name__ == "__main__":
    main(Path(sys.argv[1]), lean=LEAN in sys.argv[2:])
