"""Manages pipelines: writes the first settings into `epkit.toml`, and cancels the run that is going on."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Final

from epkit.core.pipeline.config import NAME as NAME_PATTERN
from epkit.core.shortening import cut
from epkit.endpoint import config_writing
from epkit.endpoint.finding import find_config, unread_note
from epkit.errors import UsageError
from epkit.files import remote
from epkit.flows.context import Context
from epkit.flows.pipeline.loading import load

TEMPLATE: Final = """\
[pipelines.{name}]
# What is learned from: .csv, .parquet or .jsonl, one of these with .gz, a directory of Parquet files, or a URL.
data = {data}
# The column to predict.
label = {label}

# The options of epkit train, with _ in place of -.
train = {{ runs = 30 }}
# Candidates of your own: FILE.py:make or module:function (a scikit-learn estimator), or the directory of a model.
# custom = ["mine.py:make"]

# A model that misses one of these ends the run with exit code 5, and nothing is switched. "base" is the champion: the
# last model that passed.
gate = ["AUC>=base-0.002"]
# gate = ["AUC>=0.94", "AUC>=base-0.002", "cohort.min(accuracy)>=0.8"]

# Where the model serves; without it the run ends with the gate.
deploy = {{ endpoint = "{name}", backend = "local" }}

# Before the new model serves: rows with known answers, and payloads made from the contract; at most 50 requests.
# prove = {{ rows = 20, payloads = 20 }}
# How fast the new model has to be. To load the serving endpoint too: against_live = true, rate = 20.
bench = {{ requests = 200, concurrency = 2, slo = ["p99<250ms"] }}
# Azure: parts of the traffic that the new model gets, with a check at each, and how long each is watched.
# canary = [10, 50, 100]
# canary_wait = "5m"

# How many runs are kept; the champion's always is.
keep = 10
"""


def init(name: str, data: str, label: str, context: Context) -> Path:
    """Write commented settings of a pipeline into `epkit.toml`.

    Args:
        data: path or URL of its table.

    Returns:
        The path of the file.

    Raises:
        UsageError: such a pipeline exists already, the name is not valid, there is no such table, or the file cannot be
            written.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(f"{cut(name, 80)}: the name of a pipeline must be 1 to 63 letters, digits, - and _")
    found = find_config(context.cwd, context.environ)
    path = config_writing.place(found, context.cwd)
    if found is not None and path == found.path and name in found.pipelines:
        raise UsageError(f"{path}: pipelines.{name}: there is one already: edit it, or take another name")
    if not remote.is_remote(data):
        there = context.cwd / Path(data).expanduser()
        if not there.exists():
            raise UsageError(f"{data}: there is no such table")
        data = os.path.relpath(there, path.absolute().parent)
    data, label = (json.dumps(each, ensure_ascii=False) for each in (data, label))  # JSON strings are valid TOML
    text = TEMPLATE.format(name=name, data=data, label=label)
    config_writing.add_table(path, text)
    if (note := unread_note(path, context.cwd, context.environ)) is not None:
        context.note(note)
    return path


def cancel(name: str, context: Context) -> int | None:
    """Send SIGTERM to the run that is going on. It removes what it has deployed, and writes its report.

    Returns:
        The process id; None if no run is going on.

    Raises:
        UsageError: there is no such pipeline, or the process belongs to another user.
    """
    store = load(name, context).store
    held, pid = store.lock().holder()
    if not held:
        return None
    if pid is None:
        raise UsageError(f"{name}: a run goes on, and its lock does not say which process it is: end that")
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return None
    except PermissionError:
        raise UsageError(f"{name}: the run is process {pid}, which belongs to another user") from None
    return pid


def champion_run(name: str, context: Context) -> int | None:
    """Return the number of the run whose model is the champion; None if there is no champion."""
    crowned = load(name, context).store.crowned()
    return None if crowned is None else crowned.run
