"""A run of a published pipeline, as reported by its server: epkit's own, a batch endpoint, or SDK v1's service.

Sources: `PipelineRunEntity`, `PipelineEntity` of azureml-pipeline-core 1.62; azureml-examples, `batch-score-rest.sh`,
for the run of a batch endpoint; azure-ai-ml 1.35, `RunHistoryConstants`, for the words of a status.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from epkit.core.hosting.azure_errors import said
from epkit.core.http.masking import clean
from epkit.core.json.reading import loads
from epkit.core.pipeline.wires import Wire, run_id

FORMAT: Final = "epkit.triggered/1"

RunOutcome = Literal["done", "failed", "cancelled"]

_ENDS: Final[Mapping[str, RunOutcome]] = {
    "Completed": "done",
    "Finished": "done",
    "Failed": "failed",
    "Canceled": "cancelled",
    "Cancelled": "cancelled",
}
_NUMBERED: Final = {"0": "NotStarted", "1": "Running", "2": "Failed", "3": "Finished", "4": "Canceled"}
"""Status numbers of the protocol `submit`, which older services send in place of words."""

EXIT_CODES: Final = frozenset({0, 2, 3, 4, 5, 6, 130, 143})
"""Exit codes of a run of epkit; other numbers from a server are ignored."""

FAILED: Final = 6
CANCELLED: Final = 130

RUN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}")
"""Characters of the id of a run: the id becomes part of a path."""

MOST_LISTED: Final = 1000
"""Greatest number of runs or pipelines that are read from a list."""

WORD: Final = 80
"""Greatest number of characters of a name or status that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggeredRun:
    """A run of a published pipeline.

    Args:
        run: its id.
        status: the service's own word.
        number: number of the pipeline's run, if the server is epkit's.
        reason: one line: why it stopped or failed, if the server reports it.
        code: exit code of the run, if the server reports it.
    """

    run: str
    status: str
    experiment: str | None = None
    number: int | None = None
    reason: str | None = None
    code: int | None = None

    @property
    def outcome(self) -> RunOutcome | None:
        """How it ended; None while it is running."""
        return _ENDS.get(self.status)

    @property
    def exit_code(self) -> int | None:
        """The exit code for a command that waits for it; None while it is running."""
        if self.outcome is None:
            return None
        if self.code is not None and (self.code or self.outcome == "done"):
            return self.code
        return {"done": 0, "failed": FAILED, "cancelled": CANCELLED}[self.outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPipelineV1:
    """A published pipeline of SDK v1.

    Args:
        url: URL that starts a run; "" if the service does not give one.
        status: the service's own word: `Active`, `Disabled`.
        steps: number of steps of a run; None if the service does not give it.
        parameters: with their default values.
    """

    id: str
    name: str
    url: str
    status: str
    version: str | None
    description: str | None
    steps: int | None
    parameters: Mapping[str, str]


def parse(body: str) -> Any:
    """Return the JSON value of a reply; None if the reply is not JSON."""
    try:
        return loads(body)
    except ValueError:
        return None


def begun_run(wire: Wire, reply: Any) -> str:
    """Return the id of the run that a reply reports as started.

    Raises:
        ValueError: the reply has no id, or one that is not valid.
    """
    found = run_id(wire, reply)
    if not RUN.fullmatch(found):
        raise ValueError("the reply names its run by what is no id")
    return found


def read_run(wire: Wire, reply: Any) -> TriggeredRun:
    """Read a server's report of a run.

    Raises:
        ValueError: the reply has another form; the message says what is missing.
    """
    if not isinstance(reply, dict):
        raise ValueError("the reply is no object")  # noqa: TRY004 - of a document
    inner = _table(reply.get("Status" if wire == "submit" else "properties"))
    own = _table(reply.get("Properties") if wire == "submit" else inner.get("properties"))
    if wire == "submit":
        status, reason = inner.get("StatusCode", "NotStarted"), inner.get("StatusDetail")
        status = _NUMBERED.get(str(status), status)
        run, experiment = reply.get("Id"), reply.get("RunHistoryExperimentName")
    else:
        status, reason = inner.get("status") or reply.get("status"), _table(inner.get("error")).get("message")
        run = reply.get("name") or str(reply.get("id") or "").rpartition("/")[2]
        experiment = inner.get("experimentName")
    if not isinstance(run, str) or not RUN.fullmatch(run):
        raise ValueError("the reply names no run")
    if not isinstance(status, str) or not status:
        raise ValueError("the reply names no status")
    code, number = _whole(own.get("epkit.exit_code")), _whole(own.get("epkit.run"))
    return TriggeredRun(
        run=run,
        status=clean(status, WORD),
        experiment=_text(experiment),
        number=number,
        reason=_line(own.get("epkit.reason")) or _line(reason),
        code=code if code in EXIT_CODES else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPiece:
    """A piece of a run's log at epkit's own server.

    Args:
        next: offset of the next piece, in bytes.
    """

    text: str
    next: int


def read_log(reply: Any) -> LogPiece:
    """Read a piece of a log.

    Raises:
        ValueError: the reply has another form.
    """
    found = _table(reply)
    text, following = found.get("text"), _whole(found.get("next"))
    if not isinstance(text, str) or following is None or following < 0:
        raise ValueError("the reply is no piece of a log")
    return LogPiece(text=text, next=following)


def read_runs(wire: Wire, reply: Any) -> tuple[TriggeredRun, ...]:
    """Read a list of runs, in the server's order; entries that are not runs are skipped.

    Raises:
        ValueError: it is not a list.
    """
    found = []
    for each in _listed(reply):
        try:
            found.append(read_run(wire, each))
        except ValueError:
            continue
    return tuple(found)


def read_pipeline(reply: Any) -> PublishedPipelineV1:
    """Read SDK v1's description of a published pipeline.

    Raises:
        ValueError: the reply has another form.
    """
    found = _table(reply)
    if not isinstance(found.get("Id"), str):
        raise ValueError("the reply has no Id")  # noqa: TRY004 - of a document
    assigned = _table(found.get("ParameterAssignments"))
    return PublishedPipelineV1(
        id=clean(found["Id"], WORD),
        name=_text(found.get("Name")) or "",
        url=said(found["Url"]) if isinstance(found.get("Url"), str) else "",
        status=_text(found.get("EntityStatus")) or "",
        version=_text(found.get("Version")),
        description=_line(found.get("Description")),
        steps=_whole(found.get("TotalRunSteps")),
        parameters={clean(name, WORD): clean(str(value), WORD) for name, value in assigned.items()},
    )


def read_pipelines(reply: Any) -> tuple[PublishedPipelineV1, ...]:
    """Read a list of published pipelines, in the service's order.

    Raises:
        ValueError: it is not such a list.
    """
    return tuple(read_pipeline(each) for each in _listed(reply))


def refusal(reply: Any) -> str:
    """Return code and message of an error from Azure's services or epkit's server; "" if there is none."""
    found = _lowered(reply)
    inner = found.get("error", found)
    if isinstance(inner, str):
        return said(inner)
    table = _lowered(inner)
    message = table.get("message") or table.get("detail") or table.get("title")
    parts = (table.get("code"), message)
    return said(": ".join(part for part in parts if isinstance(part, str) and part))


def to_document(run: TriggeredRun, **about: object) -> dict[str, object]:
    """Return a run as JSON.

    Args:
        about: further fields, by name.
    """
    return {
        "format": FORMAT,
        **about,
        "run": run.run,
        "number": run.number,
        "status": run.status,
        "outcome": run.outcome,
        "exit_code": run.exit_code,
        "experiment": run.experiment,
        "reason": run.reason,
    }


def _listed(reply: Any) -> Iterator[Any]:
    found = reply if isinstance(reply, list) else _table(reply).get("value")
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise ValueError("the reply is no list")  # noqa: TRY004 - of a document
    return iter(found[:MOST_LISTED])


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _lowered(value: Any) -> dict[str, Any]:
    return {str(key).lower(): each for key, each in _table(value).items()}


def _text(value: Any) -> str | None:
    return clean(value, WORD) if isinstance(value, str) and value else None


def _line(value: Any) -> str | None:
    return said(value) if isinstance(value, str) and value.strip() else None


def _whole(value: Any) -> int | None:
    """Return a whole number; Azure's properties hold it as text."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
