"""Files that workers on other machines lack: they are sent as bytes, and written there."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from epkit.core.http.destination import Destination
from epkit.errors import UsageError
from epkit.reading import CERTIFICATES, PAYLOAD, read_whole


def read(destination: Destination, *others: str | None) -> Mapping[str, bytes]:
    """Read the files that a destination names, and further files.

    Raises:
        UsageError: a file cannot be read, or is too large.
    """
    found = {}
    certificates = [(name, CERTIFICATES) for name in (destination.tls.cacert, destination.tls.client_cert)]
    for name, bound in (*certificates, *((other, PAYLOAD) for other in others)):
        if name is not None:
            try:
                found[name] = read_whole(Path(name), bound, name=name)
            except OSError as error:
                raise UsageError(f"{name}: cannot be read: {error.strerror}") from None
    return found


@contextlib.contextmanager
def unpacked(files: Mapping[str, bytes]) -> Iterator[Callable[[str | None], str | None]]:
    """Write files that arrived with the work, readable only by their owner, and keep them while the block lasts.

    Yields:
        A function that returns the local name of a file. Names of other files, and None, are returned unchanged.
    """
    names: dict[str | None, str | None] = {}
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="epkit-"))) if files else Path()
        for number, (name, data) in enumerate(files.items()):
            path = directory / str(number)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            names[name] = str(path)
        yield lambda name: names.get(name, name)


def renamed(destination: Destination, here: Callable[[str | None], str | None]) -> Destination:
    """Return a destination with the local names of its files."""
    tls = destination.tls
    return replace(destination, tls=replace(tls, cacert=here(tls.cacert), client_cert=here(tls.client_cert)))
