"""The ids of a run's requests: run and number, so that the server's records can be matched with them.

Azure's inference server reads `x-ms-client-request-id`, up to 100 characters; a longer value gets status 431. It echoes
the id in its reply under that name and as `x-ms-request-id`, and sends it to Application Insights as `Client Request
Id`. It uses `x-request-id` as its own id (`Request Id`), and ignores `traceparent`.

Source: azureml-inference-server-http 1.5, `server/routes.py`, `_init_headers` and `populate_response_headers`; for
`traceparent` W3C Trace Context, section 3.2.
"""

from dataclasses import dataclass, field
from typing import Final

from epkit.core.http.request import Request

REQUEST_ID: Final = "x-ms-client-request-id"
TRACEPARENT: Final = "traceparent"


def request_id(run: str, number: int, digits: int = 1) -> str:
    """Return the id of a request.

    Args:
        run: id of the run, in hexadecimal digits.
        digits: least number of digits of *number*.
    """
    return f"{run}-{number:0{digits}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIds:
    """The ids of the requests of one run.

    The number of a request is its start time, ns since the start of the run. It is in the samples already, so no other
    value must be stored. No two requests of a run start in the same nanosecond (`epkit.engines.stamps`).

    Args:
        header: name of the header with the id. In `traceparent`, the trace is run and number, the span is the run, and
            the flags say that it is not sampled.
        run: 16 hexadecimal digits, not all 0.
        share: number of the worker that sends them, from 0; *shares* is the number of workers of the run.
    """

    header: str
    run: str
    share: int = 0
    shares: int = 1

    @property
    def pattern(self) -> tuple[str, str, str]:
        """The text before the number in an id, the format of the number for `%`, and the text after it."""
        if self.header.lower() == TRACEPARENT:
            return f"00-{self.run}", "%016x", f"-{self.run}-00"
        return request_id(self.run, 0).removesuffix("0"), "%015d", ""

    def text(self, number: int) -> str:
        """Return the id of a request; for eleven days all ids have the same length."""
        before, digits, after = self.pattern
        return f"{before}{digits % number}{after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedRequest(Request):
    """A request that is sent repeatedly, each time with another number in its id.

    Args:
        before, after: the bytes before and after the number.
    """

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


def unnumbered(header: str) -> tuple[str, str]:
    """Return the header for a request without an id yet; it is as long as any id."""
    return header, RequestIds(header=header, run="0" * 16).text(0)


def numbered(request: Request, ids: RequestIds) -> NumberedRequest:
    """Make a request in which numbers can be written.

    Args:
        request: a request with the header of `unnumbered`.
    """
    name, nothing = unnumbered(ids.header)
    before, digits, after = (part.encode("ascii") for part in ids.pattern)
    line = f"\r\n{name}: {nothing}\r\n".encode("ascii")
    at = request.wire.index(line) + len(name) + 4
    number = digits % 0
    wire = b"%b%b%b%b%b" % (request.wire[:at], before, number, after, request.wire[at + len(nothing) :])
    at += len(before)
    return NumberedRequest(
        method=request.method,
        path=request.path,
        headers=request.headers,
        body=request.body,
        wire=wire,
        before=wire[:at],
        after=wire[at + len(number) :],
    )
