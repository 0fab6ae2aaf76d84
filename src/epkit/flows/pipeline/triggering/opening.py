"""Turns a name or a URL into a published pipeline, and decides which server may get its key or token."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from epkit.core.hosting.azure_hosts import SUFFIXES, is_azure, takes_token
from epkit.core.http.url import is_url, parse
from epkit.core.pipeline.wires import JOBS, SUBMIT, pipelines_path, wire_of
from epkit.endpoint.config import TargetSpec
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.pipeline.triggering.asking import Asker, RemotePipeline
from epkit.flows.pipeline.triggering.known import find_published
from epkit.flows.target.client import check_options, client_for
from epkit.flows.target.opening import open_spec
from epkit.flows.target.request_options import TargetOptions
from epkit.flows.target.tokens import renewing
from epkit.flows.target.transport import proxy_of
from epkit.flows.target.unlocking import unlocked

SHAPES: Final = f"…/{SUBMIT}/ID (a published pipeline) or …/{JOBS} (a batch endpoint)"
"""The forms of a published pipeline's URL."""


@contextlib.contextmanager
def open_published(
    argument: str, options: TargetOptions, context: Context, *, workspace: bool = False
) -> Iterator[RemotePipeline]:
    """Find a published pipeline and its key, and keep its token valid inside the `with` block.

    Args:
        argument: a URL of either protocol, or a name in `epkit.toml`.
        options: how it is reached; `target` is ignored.
        workspace: whether any URL of SDK v1's service is accepted.

    Raises:
        UsageError: the name does not exist, the URL has neither form, there is no key or no login, or a token of
            Azure's would go to a host that is not Azure's.
    """
    check_options(options)
    spec, hosts = _found(argument, context)
    assert spec.uri is not None
    wire = wire_of(spec.uri.path)
    if wire is None:
        if not (workspace and pipelines_path(spec.uri.path)):
            raise UsageError(f"{spec.uri.shown} is not the URL of a published pipeline: it looks like {SHAPES}")
        wire = "submit"
    if spec.auth == "aad":
        own_key = options.key_file is not None or any(
            name.lower() == "authorization" for name, _ in options.request.headers
        )
        if not own_key:
            check_token(spec, hosts, verify=options.tls.verify)
    proxy = proxy_of(options.request, context, "a published pipeline")
    with open_spec(spec, options.request, context, key_file=options.key_file) as target:
        tls = unlocked(options.tls, context)
        asker = Asker(client_for(target, replace(options, tls=tls), proxy=proxy))
        azure = is_azure(spec.uri) or (spec.backend or "local") != "local"
        with renewing(target, context, asker.use):
            yield RemotePipeline(name=spec.name, url=spec.uri, wire=wire, azure=azure, asker=asker)


def check_token(spec: TargetSpec, hosts: tuple[str, ...], *, verify: bool) -> None:
    """Refuse to send a token of Azure's to a server that must not have it.

    Args:
        hosts: hosts that the project allows (`aad_hosts`).
        verify: whether the server's certificate is checked.

    Raises:
        UsageError: the URL is not https, its host is neither Azure's nor allowed, or the certificate is not checked.
    """
    assert spec.uri is not None
    if not takes_token(spec.uri, hosts):
        azure = ", ".join(f"*{each}" for each in SUFFIXES)
        raise UsageError(
            f"{spec.uri.shown}: a token of Azure's goes over https to {azure} on port 443, or to a host that aad_hosts "
            "in epkit.toml names: nothing was sent"
        )
    if not verify:
        raise UsageError(
            f"{spec.uri.shown}: --insecure does not check who answers, and a token of Azure's opens more than this "
            "pipeline: nothing was sent; --cacert names an authority of yours"
        )


def _found(argument: str, context: Context) -> tuple[TargetSpec, tuple[str, ...]]:
    """Return the entry for an argument, and the hosts that may get a token.

    Azure's published pipelines do not use keys: a key in EPKIT_KEY belongs to some endpoint, and is not sent.
    """
    if not is_url(argument):
        return find_published(argument, context)
    url = parse(argument)
    spec = TargetSpec(uri=url, place=url.shown)
    return (replace(spec, auth="aad") if is_azure(url) else spec), ()
