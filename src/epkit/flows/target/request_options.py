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
"""What every request calls its sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """What is sent.

    Args:
        payloads: files for a POST; `put` is a file for a PUT.
        method: overrides what the payload implies; `head` is HEAD.
        content_type: of the body; None for JSON.
        headers: the user's own, in order; they replace those that epkit would write.
        cookies: `name=value`.
        basic: `user:password` for Basic authorization.
        proxy: where the requests go through, if not directly; may hold `user:password@`.
        proxy_basic: `user:password` for the proxy; as in ab it goes to the server where there is none.
        schema: a contract to use instead of the target's own.
        operation: the path of the contract's scoring operation, where the target's does not tell.
        validate: whether what breaks the contract is refused.
        shuffle: whether payloads are sent in an order of the seed's, not in theirs.
        batch_rows: rows of a body that is made of a table.
        sizes: of a sweep of batch sizes, the rows of its bodies, ascending; empty for any other load.
        wrap: how rows of a table, or made ones, are wrapped; None for what the contract or the target's path says.
        table: what the user says of such a table.
        predictions_at: a JSON pointer to the predictions in a reply; None where they are looked for.
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
        """Give everything in here that must not be shown."""
        yield from (Secret(value) for name, value in self.headers if is_sensitive(name))
        cookies = [*self.cookies, *(value for name, value in self.headers if name.lower() == "cookie")]
        yield from (Secret(pair.partition("=")[2]) for cookie in cookies for pair in cookie.split(";"))
        yield from (Secret(text) for text in (self.basic, self.proxy_basic) if text)
        yield from proxy_secrets(self.proxy or "")
        yield from url_secrets(self.schema if self.schema is not None and is_url(self.schema) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What every command is asked that has a target.

    Args:
        target: a URL or a name; None for the default.
        timeout_s: of one request, a contract's too; None for the target's own, and 10 for a contract.
        request: headers, deployment, proxy and contract.
    """

    target: str | None = None
    key_file: str | None = None
    timeout_s: float | None = None
    tls: Tls = field(default_factory=Tls)
    request: RequestOptions = field(default_factory=RequestOptions)


def check_proxy(options: RequestOptions) -> None:
    """Refuse a password for a proxy where there is none: only `bench` sends it to the server, as ab does."""
    if options.proxy_basic is not None and options.proxy is None:
        raise UsageError("-P: needs a proxy, which -X names")


def compose_headers(options: RequestOptions, target: Target, content_type: str | None) -> list[tuple[str, str]]:
    """Put the headers together: epkit's own, then the endpoint's, then the user's, of which the last wins.

    Raises:
        UsageError: one of the user's cannot be sent, or frames the message.
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
