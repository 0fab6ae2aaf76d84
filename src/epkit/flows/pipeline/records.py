"""The record of a candidate. It is written before the candidate is deployed, so that a later process can remove it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from epkit.core.hosting.deployments import BackendName, Endpoint
from epkit.core.json.records import Record, loads_record
from epkit.errors import UsageError, unreadable, unwritable
from epkit.files.pipelines import CANDIDATE
from epkit.files.writing import replacing

COLOURS: Final = ("blue", "green")

LOCAL_SUFFIX: Final = "-green"
"""Suffix of the candidate's name on this machine, after the name of the endpoint."""

MOST_BYTES: Final = 1 << 20
"""File name of a record."""

Phase = Literal["beside", "moving", "serving"]
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """A deployed candidate.

    Args:
        place: name in `epkit.toml` of the endpoint that it will replace; *endpoint* is the endpoint's name at the
            backend.
        name: name of the candidate: an endpoint on this machine, a deployment at Azure.
        model: directory of the copy that is deployed.
        sha256: hash of that copy.
        before: each deployment's percent of the traffic before; empty if there was no endpoint.
        phase: `beside`: without traffic; `moving`: the traffic moves to it; `serving`: it has all the traffic.
        part: percent of the traffic that it may get.
    """

    place: str
    endpoint: str
    backend: BackendName
    name: str
    model: str
    sha256: str
    before: Mapping[str, int] = field(default_factory=dict)
    phase: Phase = "beside"
    part: int = 0

    @property
    def first(self) -> bool:
        """Whether there was no endpoint before."""
        return not self.before


Save = Callable[[CandidateRecord], None]


def serves(live: Endpoint | None, sha256: str) -> bool:
    """Tell whether all requests of an endpoint go to the model with this hash."""
    serving = [] if live is None else [each for each in live.deployments if each.traffic]
    return bool(serving) and all(each.model_sha256 == sha256 for each in serving)


def load_record(directory: Path) -> CandidateRecord | None:
    """Read the record of a run; None if nothing is left of its candidate.

    Args:
        directory: directory of the run.

    Raises:
        UsageError: the file is damaged.
    """
    path = directory / CANDIDATE
    try:
        return _record(Record(loads_record(path.read_bytes()[:MOST_BYTES])))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(str(path), error, "what a run put up") from None
    except ValueError as error:
        raise UsageError(
            f"{path}: damaged: {error}: see epkit deploy list for a candidate that is left, and remove the file"
        ) from None


def _record(record: Record) -> CandidateRecord:
    """Check the values of a record, because other programs may have changed it.

    Raises:
        ValueError: a value is missing or has a wrong type, or its name is not that of a candidate.
    """
    before = record.values.get("before")
    if not isinstance(before, dict) or not all(type(share) is int for share in before.values()):
        raise ValueError("before is not how the traffic was divided")
    texts = {name: record.text(name) for name in ("place", "endpoint", "backend", "name", "model", "sha256", "phase")}
    backend, phase = texts["backend"], texts["phase"]
    names = (f"{texts['endpoint']}{LOCAL_SUFFIX}",) if backend == "local" else COLOURS
    if backend not in ("local", "azureml") or phase not in PHASES or texts["name"] not in names:
        raise ValueError("it names no candidate")
    return CandidateRecord(**texts, before=before, part=record.whole("part", most=100))  # type: ignore[arg-type]


def saving(directory: Path) -> Save:
    """Return a function that writes a record into the directory of a run, completely or not at all.

    Raises:
        UsageError: the disk is full.
    """

    def save(record: CandidateRecord) -> None:
        path = directory / CANDIDATE
        try:
            with replacing(path) as file:
                file.write(json.dumps(asdict(record)).encode())
        except OSError as error:
            raise unwritable(str(path), error) from None

    return save


def forget(directory: Path) -> None:
    """Delete the record of a candidate when nothing is left of it."""
    (directory / CANDIDATE).unlink(missing_ok=True)
