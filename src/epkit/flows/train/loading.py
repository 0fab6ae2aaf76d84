"""Reads the report of a training, and finds its model."""

import json
from pathlib import Path

from epkit.core.train.document import TRAININGS
from epkit.core.train.report import TrainReport
from epkit.errors import UsageError
from epkit.files import model_directory
from epkit.flows.train.options import REPORT, RUN, run_directory
from epkit.reading import TRAINING, read_whole


def load_report(path: str) -> TrainReport:
    """Read the report of a training.

    Args:
        path: the directory of the model, the directory `MODEL.run` next to it, or a `train.json`.

    Raises:
        UsageError: there is no report, or it is damaged.
    """
    given = Path(path)
    if given.is_dir():
        written = run_directory(given) / REPORT
        given = written if written.is_file() else given / REPORT
    try:
        document = json.loads(read_whole(given, TRAINING, name=str(given)))
        return TRAININGS.from_document(document)
    except OSError as error:
        raise UsageError(f"{given}: {error.strerror}: name the directory that epkit train wrote with -o") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{given} is not the report of a training: {error}") from None


def model_beside(path: Path) -> Path | None:
    """Return the directory of the model whose report `load_report` reads; None if there is none."""
    given = path.absolute()
    run = given if given.is_dir() else given.parent
    for directory in (given, run.with_name(run.name.removesuffix(RUN))):
        if model_directory.is_model(directory):
            return directory
    return None
