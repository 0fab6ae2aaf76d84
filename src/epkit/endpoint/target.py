"""The target of a command: the argument, EPKIT_TARGET, the default of `epkit.toml`, or the embedded endpoint."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from epkit.core.http.addresses import is_address
from epkit.core.http.destination import Destination, Proxy, Tls
from epkit.core.http.url import Url, is_url, parse, parse_connect_to, shown
from epkit.core.near import suggestion
from epkit.endpoint.config import FILENAME, TargetSpec
from epkit.endpoint.finding import find_config
from epkit.errors import UsageError

EMBEDDED = TargetSpec(uri=None)


def resolve(argument: str | None, *, environ: Mapping[str, str], cwd: Path) -> TargetSpec:
    """Find the target of a command.

    Args:
        argument: a URL, `unix:PATH[:/PATH]`, or the name of an endpoint; None if it is not given.
        environ: EPKIT_TARGET and EPKIT_CONFIG are read; an empty one counts as unset.
        cwd: absolute; if a name or a default is needed, `epkit.toml` is searched for from here upward.

    Raises:
        UsageError: neither a URL nor a known name, a malformed URL, or an `epkit.toml` that has a mistake or must not
            name keys.
    """
    variable = environ.get("EPKIT_TARGET", "").strip()
    if argument is not None:
        return _named(argument, "", environ, cwd)
    if variable:
        return _named(variable, "EPKIT_TARGET: ", environ, cwd)
    config = find_config(cwd, environ)
    spec = None if config is None or config.default is None else config.endpoint(config.default)
    return EMBEDDED if spec is None else _checked(spec)


def contract_url(uri: Url) -> Url:
    """Return the default URL of the contract: `swagger.json` replaces the last segment of the path."""
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
    """Return the destination of the target's requests; the path of a request is `uri.request_path`.

    Args:
        tls: None for the defaults; its server_name, if any, is used instead of the URL's host.
        sni: send the host's name in the TLS handshake; an address is never sent.
        connect_to: `HOST:PORT` or `unix:PATH`.
        proxy: the proxy for all requests.

    Raises:
        UsageError: *connect_to* has another form, or the target is a Unix socket and there is a proxy.

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


def _checked(spec: TargetSpec) -> TargetSpec:
    spec.check_keys()
    return spec


def _named(text: str, where: str, environ: Mapping[str, str], cwd: Path) -> TargetSpec:
    """Find the target that a text names.

    Args:
        where: the source of the text; messages about it begin with this.
    """
    if is_url(text):
        try:
            return TargetSpec(uri=parse(text))
        except UsageError as error:
            raise UsageError(f"{where}{error}") from None
    config = find_config(cwd, environ)
    spec = None if config is None else config.endpoint(text)
    if spec is not None:
        return _checked(spec)
    near = suggestion(text, config.endpoints) if config else ""
    why = f"is neither an endpoint in {FILENAME} nor a URL: a URL begins with http:// or https://{near}"
    raise UsageError(f'{where}"{shown(text)}" {why}')
