"""The log of a run at epkit's own server, read from where the last reading ended."""

import codecs
from collections.abc import Callable
from typing import Final

from epkit.core.http.masking import clean, mask_text
from epkit.core.pipeline import wires
from epkit.flows.pipeline.triggering.asking import Published, is_well, refuse

LINE: Final = 2000
"""Characters of a line that are shown."""

MOST_BYTES: Final = 256 << 20
"""Of a log that are read: a server that never ends one does not keep a terminal forever."""


class LogReader:
    """Reads a log piece by piece, and shows its whole lines.

    Attributes:
        there: False once the server has said that it has no such log.
    """

    def __init__(self, published: Published, run: str, show: Callable[[list[str]], None]) -> None:
        """Prepare.

        Args:
            show: is called with lines, masked and harmless to a terminal.
        """
        self._published, self._show = published, show
        self._path = wires.log_path(published.wire, published.url.path, run)
        self._offset = 0
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.there = True

    def read(self, *, last: bool) -> None:
        """Show what is new; what cannot be had now is asked for at the next reading.

        Args:
            last: whether nothing follows: a line without its end is shown too.
        """
        while self.there and self._offset < MOST_BYTES and (piece := self._piece()):
            self._take(piece)
        if last and self._rest:
            self._say("\n")

    def all(self) -> None:
        """Show the whole log.

        Raises:
            UsageError, EndpointError, BackendError: there is none; one line.
        """
        reply = self._published.asker.ask("GET", f"{self._path}?offset=0")
        if not is_well(reply):
            refuse(self._published.asker, self._published.url, reply)
        self._take(reply.content)
        self.read(last=True)

    def _take(self, piece: bytes) -> None:
        self._offset += len(piece)
        self._say(self._decoder.decode(piece))

    def _piece(self) -> bytes:
        reply = self._published.asker.ask("GET", f"{self._path}?offset={self._offset}")
        if not is_well(reply):
            self.there = bool(reply.failure) or reply.status not in (404, 405, 501)
            return b""
        return reply.content

    def _say(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > 10 * LINE:  # no line of a log: it is shown as one
            lines, self._rest = [*lines, self._rest], ""
        if lines:
            self._show([clean(mask_text(line, self._published.asker.secrets), LINE) for line in lines])
