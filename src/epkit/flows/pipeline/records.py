"""What is written down of a candidate before it is put up, so that a later process can take it away."""

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
"""Of the candidate's name on this machine, behind that of the endpoint."""

MOST_BYTES: Final = 1 << 20
"""Of a record."""

Phase = Literal["beside", "moving", "serving"]
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """A candidate that is put up.

    Args:
        place: name of the endpoint in `epkit.toml` that it is to take over; *endpoint* is its name at the backend.
        name: of the candidate: an endpoint on this machine, a deployment at Azure.
        model: directory of the copy that it is made of.
        sha256: of that copy.
        before: percent of the traffic of each deployment when it was put up; empty where there was no endpoint.
        phase: `beside` without traffic; `moving` while the traffic moves to it; `serving` alone.
        part: percent of the traffic that it may have.
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
    """Tell whether all that gets requests of an endpoint is the model of this hash."""
    serving = [] if live is None else [each for each in live.deployments if each.traffic]
    return bool(serving) and all(each.model_sha256 == sha256 for each in serving)


def load_record(directory: Path) -> CandidateRecord | None:
    """Read what a run put up; None where nothing is left of it.

    Args:
        directory: of the run.

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
    """Check the values of a record, which others may have written.

    Raises:
        ValueError: a value is missing or of another type, or what it names is no candidate.
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
    """Return what writes a record into the directory of a run, whole or not at all.

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
    """Remove the record of a candidate of which nothing is left."""
    (directory / CANDIDATE).unlink(missing_ok=True)
