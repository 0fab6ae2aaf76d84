"""The options for every request of a command, and the headers made from them."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from epkit import __version__
from epkit.core.http.destination import Tls
from epkit.core.http.masking import is_sensitive, url_secrets
from epkit.core.http.secret import Secret
from epkit.core.http.url import is_url, proxy_secrets
from epkit.endpoint.headers import header_problem
from epkit.errors import UsageError
from epkit.files.dialects import DEFAULT, TableOptions
from epkit.flows.target.target import Target

AGENT: Final = f"epkit/{__version__}"
"""The User-Agent of every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """The options for the content of requests.

    Args:
        payloads: files for a POST; `put` is a file for a PUT.
        method: overrides the method that follows from the payload; `head` means HEAD.
        content_type: the type of the body; None means JSON.
        headers: the user's own headers, in order; they replace epkit's headers of the same name.
        cookies: `name=value`.
        basic: `user:password` for Basic authorization.
        proxy: the proxy for the requests, if any; may contain `user:password@`.
        proxy_basic: `user:password` for the proxy; without a proxy it goes to the server, as in ab.
        schema: a contract to use instead of the target's own.
        operation: the path of the contract's scoring operation, if it does not follow from the target's path.
        validate: whether payloads that break the contract are refused.
        shuffle: whether payloads are sent in a random order, which depends on the seed.
        batch_rows: the number of rows in each body that is made from a table.
        sizes: for a sweep of batch sizes, the numbers of rows in its bodies, ascending; empty for any other load.
        wrap: how rows of a table, or generated rows, are wrapped; None means as the contract or the target's path says.
        table: the user's options for such a table.
        predictions_at: a JSON pointer to the predictions in a reply; None means that epkit finds them.
    """

    payloads: tuple[str, ...] = ()
    put: str | None = None
    head: bool = False
    method: str | None = None
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    basic: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    proxy_basic: str | None = field(default=None, repr=False)
    deployment: str | None = None
    schema: str | None = None
    operation: str | None = None
    validate: bool = True
    keepalive: bool = True
    shuffle: bool = False
    batch_rows: int = 100
    sizes: tuple[int, ...] = ()
    wrap: str | None = None
    table: TableOptions = DEFAULT
    predictions_at: str | None = None

    def secrets(self) -> Iterator[Secret]:
        """Yield all values of these options that must be masked."""
        yield from (Secret(value) for name, value in self.headers if is_sensitive(name))
        cookies = [*self.cookies, *(value for name, value in self.headers if name.lower() == "cookie")]
        yield from (Secret(pair.partition("=")[2]) for cookie in cookies for pair in cookie.split(";"))
        yield from (Secret(text) for text in (self.basic, self.proxy_basic) if text)
        yield from proxy_secrets(self.proxy or "")
        yield from url_secrets(self.schema if self.schema is not None and is_url(self.schema) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """The options of every command that has a target.

    Args:
        target: a URL or a name; None for the default.
        timeout_s: the timeout of one request, including that of a contract; None means the target's own, and 10 for a
            contract.
        request: headers, deployment, proxy and contract.
    """

    target: str | None = None
    key_file: str | None = None
    timeout_s: float | None = None
    tls: Tls = field(default_factory=Tls)
    request: RequestOptions = field(default_factory=RequestOptions)


def check_proxy(options: RequestOptions) -> None:
    """Refuse a password for a proxy without a proxy: only `bench` sends it to the server, as ab does."""
    if options.proxy_basic is not None and options.proxy is None:
        raise UsageError("-P needs a proxy, which -X names")


def compose_headers(options: RequestOptions, target: Target, content_type: str | None) -> list[tuple[str, str]]:
    """Combine the headers: epkit's own, then the endpoint's, then the user's; the last one of a name is used.

    Raises:
        UsageError: a header of the user cannot be sent, or it is a header that frames the message.
    """
    for name, value in options.headers:
        if problem := header_problem(name, value):
            raise UsageError(problem)
    headers = [("User-Agent", AGENT), ("Accept", "*/*")]
    if not options.keepalive:
        headers.append(("Connection", "close"))
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    if options.cookies:
        headers.append(("Cookie", "; ".join(options.cookies)))
    deployment = options.deployment or target.spec.deployment
    if deployment:
        headers.append(("azureml-model-deployment", deployment))
    if options.proxy_basic is not None and options.proxy is None:
        headers.append(("Proxy-Authorization", _basic(options.proxy_basic)))
    headers += target.spec.headers
    if options.basic is not None:
        headers.append(("Authorization", _basic(options.basic)))
    else:
        headers = list(target.key.added_to(headers))
    replaced = {name.lower() for name, _ in options.headers}
    return [*((name, value) for name, value in headers if name.lower() not in replaced), *options.headers]


def _basic(userinfo: str) -> str:
    return "Basic " + base64.b64encode(userinfo.encode("utf-8", "surrogateescape")).decode()
