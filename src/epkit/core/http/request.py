"""A request as it is sent: built once for each payload, written at once."""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field

from epkit.core.http.destination import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP/1.1 request, ready to be sent.

    Args:
        path: target of the request line: path and query, or the whole URL if a proxy passes the request on.
        headers: name and value pairs in the order sent; they contain credentials, so they are not in the repr.
        wire: the whole request as bytes.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    wire: bytes = field(repr=False)


def build(method: str, path: str, authority: str, headers: Iterable[tuple[str, str]], body: bytes) -> Request:
    """Build a request.

    Args:
        path: path and query, or URL, for the request line.
        authority: value of the Host header, unless *headers* contain one.
        headers: further headers, in order; Content-Length is added if there is a body or the method needs it.

    Raises:
        ValueError: a header contains a line break, or a character that Latin-1 cannot represent.
    """
    given = list(headers)
    names = {name.lower() for name, _ in given}
    every = [] if "host" in names else [("Host", authority)]
    every += given
    if (body or method in ("POST", "PUT", "PATCH")) and "content-length" not in names:
        every.append(("Content-Length", str(len(body))))
    for name, value in every:
        if any(c in "\r\n\0" for c in name + value):
            raise ValueError(f"header {name.strip()!r} holds a line break")
        try:
            (name + value).encode("latin-1")
        except UnicodeEncodeError:
            # The codec's own error contains the text, which may be a key.
            raise ValueError(f"header {name.strip()!r} holds a character that Latin-1 cannot write") from None
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in every), "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    return Request(method=method, path=path, headers=tuple(every), body=body, wire=head + body)


def build_for(
    destination: Destination, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes
) -> Request:
    """Build a request for a destination, with the headers for its proxy.

    Args:
        path: path and query.
        headers: as for `build`; a Proxy-Authorization in them replaces the proxy's own.

    Raises:
        ValueError: as for `build`.
    """
    given = with_proxy_headers(destination, headers)
    return build(method, destination.request_target(path), destination.authority, given, body)


def with_proxy_headers(destination: Destination, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers, completed by those for the destination's proxy that are not given."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    return [*(pair for pair in destination.proxy_headers() if pair[0].lower() not in names), *given]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateState:
    """The values from which a `Template` is made: a request without a body, and the name of the header that differs."""

    fixed: Request = field(repr=False)
    marked: str | None


class Template:
    """Requests that differ only in their bodies and one header: the constant part is built once."""

    def __init__(
        self, method: str, path: str, authority: str, headers: Sequence[tuple[str, str]], *, marked: str
    ) -> None:
        """Build the constant part.

        Args:
            path: as for `build`.
            marked: name of the header with a different value in each request, unless *headers* contain it.

        Raises:
            ValueError: as for `build`.
        """
        given = {name.lower() for name, _ in headers}
        kept = [pair for pair in headers if pair[0].lower() != "content-length"]
        self._marked = None if marked in given else marked
        self._keep(build(method, path, authority, [*kept, ("Content-Length", "0")], b""))

    def state(self) -> TemplateState:
        """Return the state to send to a worker."""
        return TemplateState(fixed=self._fixed, marked=self._marked)

    @classmethod
    def restored(cls, state: TemplateState) -> "Template":
        """Make the template from a state.

        Raises:
            ValueError: no template can have such a state.
        """
        if not state.fixed.wire.endswith(b"Content-Length: 0\r\n\r\n"):
            raise ValueError("a template whose request has a body")
        made = cls.__new__(cls)
        made._marked = state.marked  # noqa: SLF001 - the same class, here and below
        made._keep(state.fixed)  # noqa: SLF001
        return made

    def _keep(self, fixed: Request) -> None:
        self._fixed = fixed
        self._headers = fixed.headers[:-1]
        self._start = fixed.wire[: len(fixed.wire) - len(b"Content-Length: 0\r\n\r\n")]

    def with_authorization(self, value: str) -> "Template":
        """Return the same template with another Authorization. It must already have one.

        Args:
            value: the header's whole value.
        """
        made = copy(self)
        made._keep(with_authorization(self._fixed, value))  # noqa: SLF001 - the same class
        return made

    def fill(self, body: bytes, mark: str) -> Request:
        """Build the request for a body.

        Args:
            mark: value of the header that differs; ASCII, without a line break.
        """
        length = str(len(body))
        headers = self._headers
        head = self._start
        if self._marked is not None:
            headers = (*headers, (self._marked, mark))
            head += f"{self._marked}: {mark}\r\n".encode("ascii")
        return Request(
            method=self._fixed.method,
            path=self._fixed.path,
            headers=(*headers, ("Content-Length", length)),
            body=body,
            wire=b"%s%s%s\r\n\r\n%s" % (head, b"Content-Length: ", length.encode("ascii"), body),
        )


def with_authorization(request: Request, value: str) -> Request:
    """Build a request again with another Authorization.

    Args:
        request: a request with an Authorization.
        value: the header's whole value.
    """
    headers = [(name, value if name.lower() == "authorization" else old) for name, old in request.headers]
    return build(request.method, request.path, "", headers, request.body)
