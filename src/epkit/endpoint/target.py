"""What a command talks to: the argument, EPKIT_TARGET, the default of `epkit.toml`, or the embedded one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from epkit.core.http.destination import Destination, Proxy, Tls
from epkit.core.http.url import Url, is_address, is_url, parse, parse_connect_to, shown
from epkit.endpoint.config import (
    DEFAULT_TIMEOUT_S,
    FILENAME,
    Auth,
    EndpointEntry,
    find_config,
    suggestion,
)
from epkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """What a command talks to.

    Args:
        uri: where rows are sent; None for the embedded endpoint, which has none before it runs.
        from_: what named it: `argument`, `EPKIT_TARGET`, the path of the `epkit.toml`, `embedded`.
        name: in `epkit.toml`, None for a URL.
        place: `FILE: endpoints.NAME` for messages, None for a URL.
        swagger: where the contract is; None for beside the uri (`contract_url`).
        timeout_s: of one request, > 0.
        headers: of the endpoint's entry, in its order; never credentials.
        backend, service, workspace: who hosts it, under which name and where, as `epkit deploy` wrote it.
    """

    uri: Url | None
    from_: str
    name: str | None = None
    place: str | None = None
    swagger: Path | Url | None = None
    auth: Auth = "key"
    key_env: str | None = None
    key_file: Path | None = None
    deployment: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    headers: tuple[tuple[str, str], ...] = ()
    backend: str | None = None
    service: str | None = None
    workspace: str | None = None

    @property
    def embedded(self) -> bool:
        """Whether it is the endpoint that epkit starts itself."""
        return self.uri is None

    @property
    def shown(self) -> str:
        """How the target is called in notes and reports: its name, else its URL without credentials."""
        return self.name or ("the embedded endpoint" if self.uri is None else self.uri.shown)


EMBEDDED = TargetSpec(uri=None, from_="embedded")


def resolve(argument: str | None, *, environ: Mapping[str, str], cwd: Path) -> TargetSpec:
    """Find the target of a command.

    Args:
        argument: a URL, `unix:PATH[:/PATH]`, or the name of an endpoint; None where none was given.
        environ: EPKIT_TARGET is read; empty counts as unset.
        cwd: absolute; `epkit.toml` is looked for from here upward, where a name or a default is needed.

    Raises:
        UsageError: neither a URL nor a known name, a URL that is malformed, an `epkit.toml` that is wrong.
    """
    variable = environ.get("EPKIT_TARGET", "").strip()
    if argument is not None:
        return _named(argument, "argument", cwd)
    if variable:
        try:
            return _named(variable, "EPKIT_TARGET", cwd)
        except UsageError as error:
            if str(error).startswith('"'):
                raise UsageError(f"EPKIT_TARGET: {error}") from None
            raise
    config = find_config(cwd)
    if config is None or config.default is None:
        return EMBEDDED
    return _entry(config.endpoints[config.default], str(config.path))


def contract_url(uri: Url) -> Url:
    """Return where the contract is by default: the last segment of the path replaced by `swagger.json`."""
    return uri.sibling("swagger.json")


def to_destination(
    uri: Url,
    *,
    tls: Tls | None = None,
    sni: bool = True,
    connect_to: str | None = None,
    bind: str | None = None,
    buffer_bytes: int | None = None,
    proxy: Proxy | None = None,
    http2: bool = False,
) -> Destination:
    """Say how the target's origin is reached; the path of a request is `uri.request_path`.

    Args:
        tls: None for the defaults; a server_name in it goes before the URL's host.
        sni: send the host's name in the TLS handshake; an address is never sent.
        connect_to: `HOST:PORT` or `unix:PATH`.
        proxy: what all requests go through.

    Raises:
        UsageError: *connect_to* is neither; there is a proxy, and the target is a Unix socket.

    Source: RFC 6066, section 3: no addresses and no trailing dot in SNI.
    """
    tls = tls or Tls()
    if sni and tls.server_name is None and uri.scheme == "https" and not is_address(uri.host):
        tls = replace(tls, server_name=uri.host.rstrip("."))
    to = None if connect_to is None else parse_connect_to(connect_to)
    unix = to if isinstance(to, str) else uri.unix
    if proxy is not None and unix is not None:
        raise UsageError(f"-X: unix:{unix} is a socket of this machine, which no proxy reaches: leave -X out")
    return Destination(
        scheme=uri.scheme,
        host=uri.host,
        port=uri.port,
        connect_to=to if isinstance(to, tuple) else None,
        unix=unix,
        bind=bind,
        buffer_bytes=buffer_bytes,
        tls=tls,
        proxy=proxy,
        http2=http2,
    )


def _named(text: str, from_: str, cwd: Path) -> TargetSpec:
    if is_url(text):
        return TargetSpec(uri=parse(text), from_=from_)
    config = find_config(cwd)
    if config is not None and text in config.endpoints:
        return _entry(config.endpoints[text], from_)
    near = suggestion(text, config.endpoints) if config else ""
    why = f"is neither an endpoint in {FILENAME} nor a URL: a URL begins with http:// or https://{near}"
    raise UsageError(f'"{shown(text)}" {why}')


def _entry(entry: EndpointEntry, from_: str) -> TargetSpec:
    return TargetSpec(
        uri=entry.uri,
        from_=from_,
        name=entry.name,
        place=entry.place,
        swagger=entry.swagger,
        auth=entry.auth,
        key_env=entry.key_env,
        key_file=entry.key_file,
        deployment=entry.deployment,
        timeout_s=entry.timeout_s,
        headers=entry.headers,
        backend=entry.backend,
        service=entry.service,
        workspace=entry.workspace,
    )
