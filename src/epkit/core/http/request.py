"""A request as it is sent: built once per payload, written whole."""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field

from epkit.core.http.destination import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP/1.1 request, ready to go.

    Args:
        path: what the request line names: path and query, or a whole URL where a proxy passes the request on.
        headers: name and value pairs in the order sent, credentials included: hence not in the repr.
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
        path: path and query, or URL, as they stand in the request line.
        authority: value of the Host header, unless *headers* bring their own.
        headers: further headers, in order; Content-Length is added where there is a body or the method wants one.

    Raises:
        ValueError: a header holds a line break, or a character that Latin-1 cannot write.
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
            # The codec's own error holds the text, which may be a key.
            raise ValueError(f"header {name.strip()!r} holds a character that Latin-1 cannot write") from None
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in every), "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    return Request(method=method, path=path, headers=tuple(every), body=body, wire=head + body)


def build_for(
    destination: Destination, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes
) -> Request:
    """Build a request for a destination, with what its proxy needs of it.

    Args:
        path: path and query.
        headers: as for `build`; a Proxy-Authorization among them goes before the proxy's own.

    Raises:
        ValueError: as `build`.
    """
    given = with_proxy_headers(destination, headers)
    return build(method, destination.request_target(path), destination.authority, given, body)


def with_proxy_headers(destination: Destination, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers with those that the destination's proxy needs, but for those that are given."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    return [*(pair for pair in destination.proxy_headers() if pair[0].lower() not in names), *given]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateState:
    """What a `Template` is made of: a request without a body, and the name of the header that differs."""

    fixed: Request = field(repr=False)
    marked: str | None


class Template:
    """Requests that differ in nothing but their bodies and one header: the rest is written once."""

    def __init__(
        self, method: str, path: str, authority: str, headers: Sequence[tuple[str, str]], *, marked: str
    ) -> None:
        """Write what does not change.

        Args:
            path: as for `build`.
            marked: name of the header that each request has a value of its own for, unless *headers* give it.

        Raises:
            ValueError: as `build`.
        """
        given = {name.lower() for name, _ in headers}
        kept = [pair for pair in headers if pair[0].lower() != "content-length"]
        self._marked = None if marked in given else marked
        self._keep(build(method, path, authority, [*kept, ("Content-Length", "0")], b""))

    def state(self) -> TemplateState:
        """Return what travels to a worker."""
        return TemplateState(fixed=self._fixed, marked=self._marked)

    @classmethod
    def restored(cls, state: TemplateState) -> "Template":
        """Make the template again.

        Raises:
            ValueError: its request is none that a template makes.
        """
        if not state.fixed.wire.endswith(b"Content-Length: 0\r\n\r\n"):
            raise ValueError("a template whose request has a body")
        made = cls.__new__(cls)
        made._marked = state.marked  # noqa: SLF001 - one of its own kind, here and below
        made._keep(state.fixed)  # noqa: SLF001
        return made

    def _keep(self, fixed: Request) -> None:
        self._fixed = fixed
        self._headers = fixed.headers[:-1]
        self._start = fixed.wire[: len(fixed.wire) - len(b"Content-Length: 0\r\n\r\n")]

    def with_authorization(self, value: str) -> "Template":
        """Return the same template with another Authorization; it has to have one.

        Args:
            value: the header's whole value.
        """
        made = copy(self)
        made._keep(with_authorization(self._fixed, value))  # noqa: SLF001 - one of its own kind
        return made

    def fill(self, body: bytes, mark: str) -> Request:
        """Build the request of a body.

        Args:
            mark: value of the header that differs; in ASCII, without a line break.
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
        request: one that has an Authorization.
        value: the header's whole value.
    """
    headers = [(name, value if name.lower() == "authorization" else old) for name, old in request.headers]
    return build(request.method, request.path, "", headers, request.body)
