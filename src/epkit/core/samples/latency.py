"""The parts of a request: turns rows of points in time into series of nanoseconds, by the report's names."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from epkit.core.samples.rows import Failure

WHOLE: Final = np.array([f not in (Failure.CONNECT, Failure.TLS, Failure.TIMEOUT, Failure.TRANSPORT) for f in Failure])
"""For each kind of failure, whether a complete reply arrived, whatever its content."""


def _since(point: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: np.asarray(rows["end"] - rows[point])


def _connect(rows: np.ndarray) -> np.ndarray:
    new = rows[rows["connected"] > rows["start"]]
    return np.asarray(new["tcp"] - new["start"])


def _tls(rows: np.ndarray) -> np.ndarray:
    # Without TLS a connection is ready when TCP is: a plain HTTP request has no handshake, not one of 0 ms.
    shaken = rows[rows["connected"] > rows["tcp"]]
    return np.asarray(shaken["connected"] - shaken["tcp"])


def _waiting(rows: np.ndarray) -> np.ndarray:
    # A server may answer before it has read everything; ab replaces a negative value by 0 too.
    return np.asarray(np.maximum(rows["first"] - rows["sent"], 0))


def _server(rows: np.ndarray) -> np.ndarray:
    spent = rows["server"]
    return np.asarray(spent[spent >= 0])


def _network(rows: np.ndarray) -> np.ndarray:
    timed = rows[rows["server"] >= 0]
    # These are two clocks: a server that rounds up to whole milliseconds may report more than the whole request.
    return np.asarray(np.maximum(timed["end"] - timed["start"] - timed["server"], 0))


PARTS: Final[Mapping[str, Callable[[np.ndarray], np.ndarray]]] = {
    "service": _since("start"),
    "response": _since("due"),
    "connect": _connect,
    "tls": _tls,
    "waiting": _waiting,
    "processing": _since("connected"),
    "transfer": _since("first"),
    "server": _server,
    "network": _network,
    "failed": _since("start"),
}
"""For each latency, the function that computes it from rows."""


def series(name: str, block: np.ndarray) -> np.ndarray:
    """Compute one latency from a block.

    Args:
        name: a key of `PARTS`.
        block: rows of `SAMPLE`, in order of completion.

    Returns:
        int64 ns in the same order: for `failed`, of the failed requests; otherwise of the successful ones, for connect
        and tls only of new connections, for server and network only of replies with a server time.
    """
    failed = block["failure"]
    if not failed.any():
        return PARTS[name](block if name != "failed" else block[:0])
    return PARTS[name](block[(failed != 0) == (name == "failed")])
