"""Opens the target that the user named: its origin, its key, and the names of all secrets."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from epkit.core.http import url as urls
from epkit.core.http.masking import is_sensitive, url_secrets
from epkit.core.http.secret import Secret
from epkit.core.http.url import Url
from epkit.endpoint import embedded
from epkit.endpoint.config import TargetSpec
from epkit.endpoint.finding import found_note
from epkit.endpoint.keys import TOKENS, Key, find_key
from epkit.endpoint.target import resolve
from epkit.flows.context import Context
from epkit.flows.target.request_options import RequestOptions
from epkit.flows.target.target import Target


@contextlib.contextmanager
def open_target(
    argument: str | None, request: RequestOptions, context: Context, *, key_file: str | None
) -> Iterator[Target]:
    """Find the target and its key; start the embedded endpoint if no target is named.

    Args:
        argument: a URL, a name, or None.
        request: the headers and the credentials that the user gave.

    Raises:
        UsageError: the target or the key does not exist, the extra `local` is not installed, or a token is needed and
            its SDK or the login is missing.
        EndpointError: the embedded endpoint does not start.
    """
    spec = resolve(argument, environ=context.environ, cwd=context.cwd)
    with open_spec(spec, request, context, key_file=key_file) as target:
        yield target


@contextlib.contextmanager
def open_spec(spec: TargetSpec, request: RequestOptions, context: Context, *, key_file: str | None) -> Iterator[Target]:
    """Find the key of a known target; everything else is as in `open_target`."""
    if (note := found_note(spec)) is not None:
        (context.warn or context.note)(note)
    key = find_key(spec, key_file=key_file, headers=request.headers, environ=context.environ)
    for line in key.notes:
        context.note(line)
    with contextlib.ExitStack() as stack:
        if spec.uri is not None:
            uri = spec.uri
            contract: Path | Url | None = spec.swagger
        else:
            started = stack.enter_context(embedded.start())
            uri, contract = urls.parse(started.uri), urls.parse(started.swagger)
            if key.authorization is None:
                key = replace(key, authorization=Secret(f"Bearer {started.key.reveal()}"))
            context.note(
                f"no target is named: this is the embedded endpoint, the bank-marketing model behind "
                f"azureml-inference-server-http, at {uri.shown}"
            )
        renewal = None
        if key.authorization is None and key.source in TOKENS:
            from epkit.flows.target.tokens import begin  # late: it may import an SDK

            renewal, key = begin(spec, key, context)
        found = [*_secrets(spec, uri, contract, key), *request.secrets()]
        context.know(found)
        yield Target(spec=spec, uri=uri, key=key, contract=contract, secrets=found, renewal=renewal)


def _secrets(spec: TargetSpec, uri: Url, contract: Path | Url | None, key: Key) -> Iterator[Secret]:
    if key.authorization is not None:
        yield key.authorization
    yield from (Secret(value) for name, value in spec.headers if is_sensitive(name))
    for url in (uri, contract):
        if isinstance(url, Url):
            yield from url_secrets(url.reveal())
            if url.userinfo is not None:
                yield url.userinfo
