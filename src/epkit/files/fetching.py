"""Downloads tables from elsewhere, with limits on time and size.

A large table may take its time, so what is bounded is not the time of the whole but of each piece: a server that
sends a byte a second, or hangs, is given up.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from epkit.core.http.masking import mask_url
from epkit.errors import UsageError
from epkit.files import remote

WINDOW_S: Final = 60.0
"""How long it may take until another `WINDOW_BYTES` are here; the first ones too, with the connection and a listing."""

WINDOW_BYTES: Final = 64 << 10
"""1 KiB/s: a table at this speed helps nobody, but it still comes."""

LOOK_S: Final = 0.25

Fetch = Callable[[str, Path], Path]


def fetch(url: str, directory: Path, *, by: Fetch = remote.fetch, window_s: float = WINDOW_S) -> Path:
    """Bring a file here, or the Parquet files of a directory.

    Args:
        url: as `remote.fetch` has it.
        directory: an empty one, to put it into.
        by: does it, on a thread that is left to itself when it is given up.

    Raises:
        UsageError: as `remote.fetch`, or it does not come on.
    """
    outcome: SimpleQueue[Path | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put(by(url, directory))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            outcome.put(error)

    threading.Thread(target=work, name="fetch", daemon=True).start()
    seen, since = 0, time.monotonic()
    while True:
        try:
            result = outcome.get(timeout=min(LOOK_S, window_s))
        except Empty:
            now, size = time.monotonic(), _size(directory)
            if size - seen >= WINDOW_BYTES:
                seen, since = size, now
            elif now - since > window_s:
                raise UsageError(
                    f"{mask_url(url)}: given up after {size:,} bytes: under {WINDOW_BYTES >> 10} KiB came in "
                    f"{window_s:g} s: fetch it by other means, and name the file"
                ) from None
            continue
        if isinstance(result, BaseException):
            raise result
        return result


def _size(directory: Path) -> int:
    """Return how many bytes are in the files below a directory, some of which may come and go."""
    size = 0
    for path in directory.rglob("*"):
        try:
            size += path.stat().st_size
        except OSError:
            continue
    return size
