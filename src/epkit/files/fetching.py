"""Downloads tables from other machines, with limits on time and size.

The download of a large table may take long. So the limit applies to the time of each piece, not to the total time.
epkit gives up a server that hangs or sends one byte per second.
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
"""Greatest time for each `WINDOW_BYTES`. The first window includes the connection and a directory listing."""

WINDOW_BYTES: Final = 64 << 10
"""At least 1 KiB/s; a slower download is of no use."""

LOOK_S: Final = 0.25

Fetch = Callable[[str, Path], Path]


def fetch(url: str, directory: Path, *, by: Fetch = remote.fetch, window_s: float = WINDOW_S) -> Path:
    """Download a file, or the Parquet files of a directory.

    Args:
        url: see `remote.fetch`.
        directory: an empty directory for the files.
        by: the function that downloads. It runs on a thread, which keeps running if the download is given up.

    Raises:
        UsageError: see `remote.fetch`; or the download stalls.
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
    """Return the total size in bytes of the files below a directory; files may appear and disappear meanwhile."""
    size = 0
    for path in directory.rglob("*"):
        try:
            size += path.stat().st_size
        except OSError:
            continue
    return size
