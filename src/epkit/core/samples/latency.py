"""The parts of a request: from rows of clock points to series of nanoseconds, by the report's names."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from epkit.core.samples.rows import Failure

WHOLE: Final = np.array([f not in (Failure.CONNECT, Failure.TLS, Failure.TIMEOUT, Failure.TRANSPORT) for f in Failure])
"""By failure: whether the whole reply arrived, whatever it said."""


def _since(point: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: np.asarray(rows["end"] - rows[point])


def _connect(rows: np.ndarray) -> np.ndarray:
    new = rows[rows["connected"] > rows["start"]]
    return np.asarray(new["tcp"] - new["start"])


def _tls(rows: np.ndarray) -> np.ndarray:
    # Without TLS a connection is ready the moment TCP is: a request over plain HTTP has no handshake of 0 ms.
    shaken = rows[rows["connected"] > rows["tcp"]]
    return np.asarray(shaken["connected"] - shaken["tcp"])


def _waiting(rows: np.ndarray) -> np.ndarray:
    # A server may answer before it has read everything; ab clamps this at 0 too.
    return np.asarray(np.maximum(rows["first"] - rows["sent"], 0))


def _server(rows: np.ndarray) -> np.ndarray:
    spent = rows["server"]
    return np.asarray(spent[spent >= 0])


def _network(rows: np.ndarray) -> np.ndarray:
    timed = rows[rows["server"] >= 0]
    # Two clocks: a server that rounds up to whole milliseconds may claim more than the request took.
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
"""How each latency is taken from the rows that it describes."""


def series(name: str, block: np.ndarray) -> np.ndarray:
    """Take one latency from a block.

    Args:
        name: a key of `PARTS`.
        block: rows of `SAMPLE`, in order of completion.

    Returns:
        int64 ns in the same order: of the failed requests for `failed`, of the successful ones for every
        other name; connect and tls of new connections alone, server and network of replies that tell a
        server's time.
    """
    wanted = (block["failure"] != 0) == (name == "failed")
    return PARTS[name](block if wanted.all() else block[wanted])
