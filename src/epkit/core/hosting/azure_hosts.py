"""The hosts that may get a token of Azure: Azure ML's own, and those that a project names."""

from collections.abc import Collection
from typing import Final

from epkit.core.http.url import DEFAULT_PORT, Url

SUFFIXES: Final = (".azureml.ms", ".azureml.net", ".ml.azure.com")
"""Ends of Azure ML's own host names: services and published pipelines, older services, batch endpoints and studio."""


def is_azure(url: Url) -> bool:
    """Tell whether a URL's host is one of Azure ML's own; its scheme and port do not matter."""
    return url.unix is None and _bare(url.host).endswith(SUFFIXES)


def takes_token(url: Url, named: Collection[str] = ()) -> bool:
    """Tell whether a token of Azure may be sent to a URL: over TLS, to an Azure host's default port or to a named host.

    Args:
        named: hosts in lower case, without a port: a certificate is for a host, not for a port.
    """
    if url.scheme != "https" or url.unix is not None:
        return False
    own = is_azure(url) and url.port == DEFAULT_PORT["https"]
    return own or _bare(url.host) in {_bare(each) for each in named}


def _bare(host: str) -> str:
    """Return a host without the final dot of a complete DNS name."""
    return host.removesuffix(".")
