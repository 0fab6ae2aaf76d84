"""The source of a model: a path, the registry of a workspace, the files of a job; downloaded files are temporary."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from epkit.core.hosting.references import JobReference, is_reference, parse_job, parse_reference, shown
from epkit.errors import UsageError, unwritable
from epkit.flows.context import Context
from epkit.flows.hosting.backends import Place, store


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenModel:
    """A model that can be deployed.

    Args:
        model: a path, or the reference of a model that the backend has.
        source: the place that it was fetched from; None if it was not fetched.
    """

    model: str
    source: str | None = None


@contextlib.contextmanager
def taking(place: Place, context: Context, *, model: str | None, job: str | None) -> Iterator[TakenModel]:
    """Get the model that `--model` or `--job` names; fetched files are kept while the block lasts.

    At Azure, a registered model is deployed without fetching it. The files of a job are fetched for every backend,
    because they include the script and the list of packages.

    Raises:
        UsageError: both flags or neither are given, or a reference is invalid.
        BackendError: the model does not exist, or cannot be fetched.
    """
    if (model is None) == (job is None):
        raise UsageError("--model DIR (a model) or --job NAME (the best model of a job at Azure): one of them")
    if model is not None and not is_reference(model):
        yield TakenModel(model=model)
        return
    reference = parse_job(job) if job is not None else parse_reference(model or "")
    if place.backend.name != "local" and not isinstance(reference, JobReference):
        yield TakenModel(model=shown(reference))
        return
    with _temporary() as directory:
        path = store(place, context).fetch(reference, directory, context.note)
        yield TakenModel(model=str(path), source=shown(reference))


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="epkit-")
    except OSError as error:
        raise unwritable(tempfile.gettempdir(), error) from None
    with folder as name:
        yield Path(name)
