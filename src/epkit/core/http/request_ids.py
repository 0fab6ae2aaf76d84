"""The id that each request of a run is sent with: run and number, so that the server's records tell which it was.

Azure's inference server reads `x-ms-client-request-id`, up to 100 characters of it; it answers 431 to more, echoes the
id in its reply under that name and as `x-ms-request-id`, and hands it to Application Insights as `Client Request Id`.
`x-request-id` it takes for an id of its own (`Request Id`); of `traceparent` it knows nothing.

Source: azureml-inference-server-http 1.5, `server/routes.py`, `_init_headers` and `populate_response_headers`; for
`traceparent` W3C Trace Context, section 3.2.
"""

from dataclasses import dataclass, field
from typing import Final

from epkit.core.http.request import Request

REQUEST_ID: Final = "x-ms-client-request-id"
TRACEPARENT: Final = "traceparent"


def request_id(run: str, number: int, digits: int = 1) -> str:
    """Write the id of a request.

    Args:
        run: what its run is called, in hexadecimal digits.
        digits: how many *number* has at least.
    """
    return f"{run}-{number:0{digits}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIds:
    """The ids of the requests of one run.

    The number of a request is when it started, ns since the run began: a row of the samples has it, and nothing else
    has to be remembered. No two requests of a run start in the same nanosecond (`epkit.engines.stamps`).

    Args:
        header: name of the header that an id is sent in. In `traceparent` the trace is run and number, the span the
            run, and the flags say that nothing is sampled for it.
        run: 16 hexadecimal digits, not all of them 0.
        share: which of the workers sends them, from 0, of how many (*shares*) that have the run in common.
    """

    header: str
    run: str
    share: int = 0
    shares: int = 1

    @property
    def pattern(self) -> tuple[str, str, str]:
        """What is before the number in an id, the number as `%` writes it, and what is behind it."""
        if self.header.lower() == TRACEPARENT:
            return f"00-{self.run}", "%016x", f"-{self.run}-00"
        return request_id(self.run, 0).removesuffix("0"), "%015d", ""

    def text(self, number: int) -> str:
        """Write the id of a request; all are of one length for eleven days."""
        before, digits, after = self.pattern
        return f"{before}{digits % number}{after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedRequest(Request):
    """A request that is sent again and again with another number in its id.

    Args:
        before, after: what is written before the number and behind it.
    """

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


def unnumbered(header: str) -> tuple[str, str]:
    """Return the header of a request that has no id yet, which is as long as any id."""
    return header, RequestIds(header=header, run="0" * 16).text(0)


def numbered(request: Request, ids: RequestIds) -> NumberedRequest:
    """Make a request whose number can be written.

    Args:
        request: one with the header of `unnumbered`.
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
