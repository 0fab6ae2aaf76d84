"""A process that tries candidates for the one that started it: `python -m epkit.learners.worker DIRECTORY`.

It reads a candidate a line, and answers each with a line; the margins go into a file of the directory. The end of its
input is its end, even in the middle of a trial: a thread waits for it, so that no worker is left behind whatever
becomes of the process that started it.
"""

import json
import os
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from epkit.core.train.plan import Candidate
from epkit.learners.base import LearnerError, worded
from epkit.learners.material import Material
from epkit.learners.trials import Trials


def main(directory: Path) -> None:
    """Answer until the input ends."""
    # Whatever prints something, nothing but answers goes to the process that started this.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    trials = Trials(Material.read(directory))
    while True:
        candidate = Candidate(**json.loads(lines.get()))
        _import_for(candidate)
        answers.write(json.dumps(_tried(trials, candidate, directory)) + "\n")
        answers.flush()


def _read(lines: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def _import_for(candidate: Candidate) -> None:
    """Import what takes seconds before the time of a run is measured."""
    if candidate.family == "linear":
        import sklearn.linear_model  # noqa: F401
    elif candidate.family not in ("naive", "custom"):
        import lightgbm  # noqa: F401


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
    main(Path(sys.argv[1]))
