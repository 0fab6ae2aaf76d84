"""`epkit logs`: shows the log of an endpoint's server, once or continuously."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from epkit.core.hosting.deployments import LoggedRequest, unseen
from epkit.core.hosting.log_lines import harmless
from epkit.core.http.masking import mask_text
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.hosting.backends import Place

POLL_S: Final = {"local": 0.2, "azureml": 2.0, "azureml-v1": 2.0}
MOST_REQUESTS: Final = 100
MOST_LINES: Final = {"local": 1_000_000, "azureml": 5000, "azureml-v1": 5000}
"""Lines of a log in which an id is searched; on this machine, all lines that are kept."""

OVERLAP: Final = 500
"""Lines that are requested again at each poll: the most new lines between two polls that are not missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRequest:
    """The records of an endpoint about a request.

    Args:
        id: the id of the request.
        requests: the requests with this id in Application Insights; several if it was repeated.
        lines: the lines of the server's log that contain the id.
    """

    id: str
    requests: tuple[LoggedRequest, ...]
    lines: tuple[str, ...]


def find_request(place: Place, context: Context, request_id: str, *, deployment: str | None) -> FoundRequest:
    """Find a request in an endpoint's records by its id.

    Raises:
        UsageError: no record contains the id, or the records cannot be read.
    """
    backend, name = place.backend, place.service
    if not request_id.isprintable() or not request_id or set(request_id) & set("'\"\\ "):
        raise UsageError("--request: an id is one word, as the report of the run has it")
    refused: UsageError | None = None
    requests: tuple[LoggedRequest, ...] = ()
    try:
        requests = backend.requests(name, tail=MOST_REQUESTS, request_id=request_id)
    except UsageError as error:
        refused = error
    log = backend.logs(name, tail=MOST_LINES[backend.name], init=False, deployment=deployment)
    lines = _shown([line for line in log if request_id in line], context)
    if not requests and not lines:
        raise refused or UsageError(f"{name}: no record names the request {request_id}: {_why(place)}")
    if refused is not None:
        context.note(str(refused))
    return FoundRequest(id=request_id, requests=requests, lines=lines)


def _why(place: Place) -> str:
    """Return why the records may not contain a request."""
    name = place.service
    if place.backend.show(name).app_insights is False:
        return f"Application Insights is off: epkit logs enable {name} turns it on for later requests"
    return (
        "records reach Application Insights some seconds later; under heavy load the server drops some, and the "
        "oldest are deleted"
    )


def show(place: Place, context: Context, *, tail: int, init: bool, deployment: str | None) -> tuple[str, ...]:
    """Return the last lines of a log, credentials masked, control characters made visible."""
    lines = place.backend.logs(place.service, tail=tail, init=init, deployment=deployment)
    return _shown(lines, context)


def follow(
    place: Place, context: Context, *, tail: int, init: bool, deployment: str | None
) -> Iterator[tuple[str, ...]]:
    """Yield the last lines of a log, then new lines as they appear, without end."""
    seen = place.backend.logs(place.service, tail=max(tail, OVERLAP), init=init, deployment=deployment)
    yield _shown(seen[-tail:], context)
    while True:
        time.sleep(POLL_S[place.backend.name])
        now = place.backend.logs(place.service, tail=max(tail, OVERLAP), init=init, deployment=deployment)
        new = unseen(seen, now)
        seen = now
        if new:
            yield _shown(new, context)


def _shown(lines: Sequence[str], context: Context) -> tuple[str, ...]:
    return tuple(harmless(mask_text(line, context.secrets)) for line in lines)
