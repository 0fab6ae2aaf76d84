"""A request as it is sent: built once per payload, written whole."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP/1.1 request, ready to go.

    Args:
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
        path: path and query as they stand in the request line.
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
