"""Writes the contracts that the embedded endpoint returns: `python -m epkit.bank.contracts DIRECTORY`."""

import sys
import urllib.request
from pathlib import Path
from typing import Final

from epkit.endpoint.embedded import Embedded, start

FILES: Final = {"bank.swagger2.json": "2", "bank.openapi3.json": "3"}
"""File names, and the version to request from the server."""


def fetch(endpoint: Embedded, version: str) -> bytes:
    """Return the contract of a running endpoint, with exactly the bytes that the server writes.

    Args:
        endpoint: a running endpoint.
        version: `2` for Swagger 2.0, `3` for OpenAPI 3.0.

    Raises:
        OSError: the endpoint does not answer.
    """
    headers = {"Authorization": f"Bearer {endpoint.key.reveal()}"}
    request = urllib.request.Request(f"{endpoint.swagger}?version={version}", headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - loopback
        body: bytes = reply.read()
    return body


def main(directory: Path) -> None:
    """Write both contracts into *directory*."""
    with start() as endpoint:
        for name, version in FILES.items():
            (directory / name).write_bytes(fetch(endpoint, version))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
