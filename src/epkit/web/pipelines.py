"""A published pipeline as an ASGI application, with both HTTP protocols of Azure.

Every request except `GET /` passes the gate of the docs server (`epkit.core.docs.doors`) and must have the key.
`Service` does the work: nothing in this module starts a job or reads a file.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from epkit.core.docs.doors import Doors, refusal
from epkit.core.http.secret import Secret
from epkit.core.json.reading import loads
from epkit.core.pipeline.jobs import PublishedJob, to_job, to_pipeline_run
from epkit.core.pipeline.wires import Wire

MOST_BODY_BYTES: Final = 64 << 10
MOST_LOG_BYTES: Final = 64 << 10
"""Greatest size of the part of a log in one reply."""

LONGEST_KEY: Final = 255
"""Greatest number of characters of an Idempotency-Key."""

_PATHS: Final = re.compile(
    r"""
    (?P<health>/)
    | (?P<swagger>/swagger\.json)
    | /jobs(?:/(?P<job>[^/]+)(?P<part>/log|/cancel)?)?
    | (?:/[^/]+)*/PipelineRuns/(?:PipelineSubmit/(?P<pipeline>[^/]+)|(?P<run>[^/]+)(?P<execution>/Execution)?)
    """,
    re.VERBOSE,
)
_ALWAYS: Final = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


class RefusedRequest(Exception):  # noqa: N818 - an answer
    """The answer to a request that is refused.

    Args:
        more: members of the error in addition to code and message.
    """

    def __init__(self, status: int, code: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


class Service(Protocol):
    """The published pipeline: it runs jobs."""

    def submit(self, wire: Wire, body: Any, key: str | None) -> tuple[PublishedJob, bool]:
        """Accept an order; return its job, and whether the job is new.

        Raises:
            RefusedRequest: the order is not accepted.
        """

    def job(self, name: str) -> PublishedJob | None:
        """Return a job."""

    def jobs(self) -> Sequence[PublishedJob]:
        """Return the jobs, the newest first."""

    def cancel(self, name: str) -> PublishedJob | None:
        """End a job.

        Raises:
            RefusedRequest: it cannot be ended.
        """

    def log(self, name: str, offset: int, most: int) -> tuple[bytes, int]:
        """Return a part of a job's log, and the offset of its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPipeline:
    """The content that the application serves.

    Args:
        keys: a request must have one of these keys.
        document: the contract.
    """

    name: str
    keys: tuple[Secret, ...] = field(repr=False)
    doors: Doors
    document: Mapping[str, Any]
    service: Service


def make_app(published: PublishedPipeline) -> ASGIApp:
    """Make the application."""
    handler = _Handler(published)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await handler.answer(request)
        except RefusedRequest as refused:
            error = {"code": refused.code, "message": refused.message, **refused.more}
            response = _json(refused.status, {"error": error})
            if refused.status == 401:
                response.headers["www-authenticate"] = "Bearer"
            if refused.status in (400, 401, 403, 413, 421):  # the rest of the body is not read
                response.headers["connection"] = "close"
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    return app


class _Handler:
    def __init__(self, published: PublishedPipeline) -> None:
        self._published = published
        self._service = published.service
        self._document = json.dumps(published.document).encode()

    async def answer(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            RefusedRequest: it is refused.
        """
        bodyless = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
        method = request.method
        refused = refusal("GET" if bodyless else method, request.scope["headers"], self._published.doors)
        if refused is not None:
            raise RefusedRequest(refused[0], "Refused", refused[1])
        path = _PATHS.fullmatch(request.scope["path"])
        if path is not None and path["health"]:
            _allow(method, "GET")
            return _json(200, {"status": "Healthy"})
        self._check_key(request)
        if path is None:
            raise RefusedRequest(404, "NotFound", "no such path: POST /jobs asks for a run, GET /jobs lists them")
        if path["swagger"]:
            _allow(method, "GET")
            return Response(self._document, headers=_ALWAYS, media_type="application/json")
        if (pipeline := path["pipeline"]) is not None:
            if pipeline != self._published.name:
                raise RefusedRequest(
                    404, "NotFound", f"no such pipeline is published here, only {self._published.name}"
                )
            _allow(method, "POST")
            return await self._submit(request, "submit")
        if path["run"] is not None:
            if path["execution"]:
                _allow(method, "DELETE")
                self._cancel(path["run"])
                return Response(status_code=200, headers=_ALWAYS)
            _allow(method, "GET")
            return _json(200, to_pipeline_run(self._job(path["run"])))
        return await self._jobs(request, path["job"], path["part"])

    async def _jobs(self, request: Request, name: str | None, part: str | None) -> Response:
        method = request.method
        if name is None and method == "POST":
            return await self._submit(request, "jobs")
        _allow(method, *(("POST",) if part == "/cancel" else ("GET",) if name is not None else ("GET", "POST")))
        if name is None:
            return _json(200, {"value": [to_job(job) for job in self._service.jobs()]})
        if part == "/cancel":
            return _json(202, to_job(self._cancel(name)))
        if part == "/log":
            return self._log(request, name)
        return _json(200, to_job(self._job(name)))

    async def _submit(self, request: Request, wire: Wire) -> Response:
        keys = request.headers.getlist("idempotency-key")
        if len(keys) > 1 or (keys and not (0 < len(keys[0]) <= LONGEST_KEY)):
            raise RefusedRequest(
                400, "BadRequest", f"Idempotency-Key must be one text of 1 to {LONGEST_KEY} characters"
            )
        body = _parsed(await _body(request))
        job, new = self._service.submit(wire, body, keys[0] if keys else None)
        if wire == "submit":
            return _json(200, to_pipeline_run(job))
        response = _json(201 if new else 200, to_job(job))
        response.headers["location"] = f"/jobs/{job.order.id}"
        return response

    def _log(self, request: Request, name: str) -> Response:
        job = self._job(name)
        offset = _number(request, "offset", 0)
        data, begin = self._service.log(name, offset, MOST_LOG_BYTES)
        if offset < 0 and begin > 0:  # whole lines
            cut = data.find(b"\n") + 1
            data, begin = data[cut:], begin + cut
        if not job.over:
            data = data[: data.rfind(b"\n") + 1]
        shown = {"offset": begin, "next": begin + len(data), "text": data.decode("utf-8", "replace"), "over": job.over}
        return _json(200, shown)

    def _cancel(self, name: str) -> PublishedJob:
        return self._found(self._service.cancel(name))

    def _job(self, name: str) -> PublishedJob:
        return self._found(self._service.job(name))

    def _found(self, job: PublishedJob | None) -> PublishedJob:
        if job is None:
            raise RefusedRequest(
                404, "NotFound", f"{self._published.name} knows no such run: GET /jobs lists those it knows"
            )
        return job

    def _check_key(self, request: Request) -> None:
        name = self._published.name
        headers = request.headers.getlist("authorization")
        scheme, _, token = headers[0].partition(" ") if headers else ("", "", "")
        if len(headers) != 1 or scheme.lower() != "bearer" or not token.strip():
            raise RefusedRequest(401, "Unauthorized", f"no key: send Authorization: Bearer KEY, with that of {name}")
        given = token.strip().encode("latin-1", "replace")
        # Compare with each key, so that the time does not show which key is similar.
        if not sum(hmac.compare_digest(given, key.reveal().encode()) for key in self._published.keys):
            raise RefusedRequest(
                401, "Unauthorized", f"this bearer token is not a key of {name}: epkit pipeline keys {name}"
            )


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise RefusedRequest(405, "MethodNotAllowed", f"this path takes {' and '.join(allowed)}")


async def _body(request: Request) -> bytes:
    """Read a body up to its greatest allowed size.

    Raises:
        RefusedRequest: it is longer, or is incomplete.
    """
    too_long = RefusedRequest(413, "TooLarge", f"the body is over {MOST_BODY_BYTES >> 10} KiB")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > MOST_BODY_BYTES:
        raise too_long
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise too_long
    return bytes(body)


def _parsed(body: bytes) -> Any:
    try:
        return loads(body) if body.strip() else {}
    except ValueError:
        raise RefusedRequest(400, "BadRequest", "the body is not JSON") from None


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        raise RefusedRequest(400, "BadRequest", f"{name} must be a whole number, below 0 for bytes from the end")
    return int(text)


def _json(status: int, value: Mapping[str, Any]) -> Response:
    return Response(json.dumps(value), status, headers=_ALWAYS, media_type="application/json")
