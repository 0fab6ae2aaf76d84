"""Tokens instead of keys: the first one, and its replacements during a run."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from epkit.core.hosting.deployments import AZURE
from epkit.core.http.request import Request, with_authorization
from epkit.core.http.secret import Secret
from epkit.endpoint.config import TargetSpec
from epkit.endpoint.keys import Key
from epkit.endpoint.tokens import Keeper, Renewal, TokenSource, aad_source, in_time
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.target.target import Target


def begin(spec: TargetSpec, key: Key, context: Context) -> tuple[Renewal, Key]:
    """Get the first token of a target with `auth = "aad"` or `auth = "aml_token"`.

    Raises:
        UsageError: an SDK or a login is missing, or `epkit.toml` does not name the issuer of the tokens.
        BackendError: the backend refused.
    """
    try:
        source = aad_source() if spec.auth == "aad" else _aml_source(spec, context)
        first = source()
    except UsageError as error:
        raise UsageError(
            f'{spec.place}: auth = "{spec.auth}": {error}; '
            "or give a token with --key-file or -H 'Authorization: Bearer …'"
        ) from None
    return Renewal(source=source, first=first), replace(key, authorization=bearer(first.text))


@contextlib.contextmanager
def renewing(target: Target, context: Context, use: Callable[[Secret], None]) -> Iterator[None]:
    """Renew the target's token before it expires, while the block lasts; a key stays as it is.

    Args:
        use: receives each new value of Authorization, on another thread.
    """
    if target.renewal is None:
        yield
        return

    def replaced(text: Secret) -> None:
        value = bearer(text)
        # Before the first request with the new value: a reply that echoes it must be masked.
        target.secrets.extend((text, value))
        context.know((text, value))
        use(value)

    with Keeper(target.renewal.source, target.renewal.first, replaced, context.note):
        yield


def authorized(requests: Sequence[Request], value: Secret) -> tuple[Request, ...]:
    """Build the same requests with another Authorization."""
    return tuple(with_authorization(request, value.reveal()) for request in requests)


def bearer(text: Secret) -> Secret:
    """Return the value of Authorization for a token."""
    return Secret(f"Bearer {text.reveal()}")


def _aml_source(spec: TargetSpec, context: Context) -> TokenSource:
    from epkit.flows.azure import open_azure  # only for targets with such tokens

    for name in AZURE:
        if name == spec.backend:
            backend = open_azure(name, context, workspace=spec.workspace)
            return in_time(partial(backend.token, spec.service or spec.name or ""))
    raise UsageError('which backend issues the tokens? backend = "azureml" or backend = "azureml-v1"')
