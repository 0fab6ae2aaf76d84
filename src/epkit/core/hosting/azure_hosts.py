"""The hosts that may get a token of Azure's: Azure ML's own, and those that a project names."""

from collections.abc import Collection
from typing import Final

from epkit.core.http.url import DEFAULT_PORT, Url

SUFFIXES: Final = (".azureml.ms", ".azureml.net", ".ml.azure.com")
"""What Azure ML's own hosts end with: services and published pipelines, older services, batch endpoints and studio."""


def is_azure(url: Url) -> bool:
    """Tell whether a URL's host is one of Azure ML's own, whatever its scheme and port."""
    return url.unix is None and _bare(url.host).endswith(SUFFIXES)


def takes_token(url: Url, named: Collection[str] = ()) -> bool:
    """Tell whether a token of Azure's may go to a URL: over TLS, to Azure's own port, or to a host that is named.

    Args:
        named: hosts in lower case, without a port: a certificate is a host's, and no port's.
    """
    if url.scheme != "https" or url.unix is not None:
        return False
    own = is_azure(url) and url.port == DEFAULT_PORT["https"]
    return own or _bare(url.host) in {_bare(each) for each in named}


def _bare(host: str) -> str:
    """Return a host without the dot that ends a whole name of the DNS."""
    return host.removesuffix(".")
