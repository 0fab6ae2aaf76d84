"""A process that tries candidates for its parent: `python -m epkit.learners.worker DIRECTORY [--lean]`.

It reads one candidate from each line, and answers each with one line. The margins go to a file in the directory. The
process ends when its input ends, even during a trial: a thread waits for this. So no worker remains, whatever happens
to the parent.
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
"""Flag for a worker that runs no code of the user: it imports as little as possible."""

_UNUSED: Final = ("pandas", "dask", "matplotlib", "graphviz", "pyarrow")
"""Packages that LightGBM and scikit-learn import if they are installed, but do not need."""


def main(directory: Path, *, lean: bool) -> None:
    """Answer until the input ends."""
    # Only answers may reach the parent, whatever other code prints.
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
    """Import slow packages before the time of a run is measured.

    LightGBM imports scikit-learn only for its estimators, and both import pandas: 3 of 4 CPU seconds. A user's own
    estimator may need all of that, so a worker that may run one imports LightGBM completely.
    """
    if candidate.family == "linear":
        with _hidden(_UNUSED if lean else ()):
            import sklearn.linear_model  # noqa: F401
    elif candidate.family not in ("naive", "custom"):
        with _hidden(("sklearn", *_UNUSED) if lean else ()):
            import lightgbm  # noqa: F401


@contextlib.contextmanager
def _hidden(names: Iterable[str]) -> Iterator[None]:
    """Make packages that are not imported yet look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None is Python's own word for it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _tried(trials: Trials, candidate: Candidate, directory: Path) -> dict[str, Any]:
    """Try a candidate. An exception of a library is a failure of this run only.

    Raises:
        MemoryError, OSError: memory or disk is full. Another process may have more, so this one ends.
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
