"""Reads the log of a run at epkit's own server, each time from the end of the last reading."""

from collections.abc import Callable
from typing import Final

from epkit.core.http.masking import clean, mask_text
from epkit.core.pipeline import triggered, wires
from epkit.core.pipeline.triggered import LogPiece
from epkit.errors import EndpointError
from epkit.flows.pipeline.triggering.asking import RemotePipeline, is_well, refuse
from epkit.flows.target.client import SingleRequest

LINE: Final = 2000
"""Greatest length of a line, in characters."""

MOST_BYTES: Final = 256 << 20
"""Greatest size of a log that is read: a log without end must not keep the terminal busy forever."""


class LogReader:
    """Reads a log piece by piece, and shows its whole lines.

    Attributes:
        there: False after the server has answered that there is no such log.
    """

    def __init__(self, remote: RemotePipeline, run: str, show: Callable[[list[str]], None]) -> None:
        """Prepare.

        Args:
            show: called with lines, masked and safe for a terminal.
        """
        self._remote, self._show = remote, show
        self._path = f"{wires.own_jobs_path(remote.wire, remote.url.path)}/{run}/log"
        self._offset = 0
        self._rest = ""
        self.there = True

    def read(self, *, last: bool) -> None:
        """Show what is new. If it cannot be fetched now, the next call fetches it.

        Args:
            last: whether nothing follows; then a line without its end is shown too.

        Raises:
            EndpointError: the answer is not a piece of a log.
        """
        while self.there and self._offset < MOST_BYTES:
            reply = self._ask()
            if not is_well(reply):
                self.there = bool(reply.failure) or reply.status not in (404, 405, 501)
                break
            if not self._take(reply):
                break
        if last and self._rest:
            self._say("\n")

    def all(self) -> None:
        """Show the whole log.

        Raises:
            UsageError, EndpointError, BackendError: there is no log; one line.
        """
        reply = self._ask()
        if not is_well(reply):
            refuse(self._remote.asker, self._remote.url, reply)
        self._take(reply)
        self.read(last=True)

    def _ask(self) -> SingleRequest:
        return self._remote.asker.ask("GET", f"{self._path}?offset={self._offset}")

    def _take(self, reply: SingleRequest) -> bool:
        """Show a piece, and tell whether it contained anything."""
        piece = self._piece(reply)
        on = piece.next > self._offset
        if on:
            self._offset = piece.next
            self._say(piece.text)
        return on

    def _piece(self, reply: SingleRequest) -> LogPiece:
        try:
            return triggered.read_log(triggered.parse(reply.text))
        except ValueError as error:
            raise EndpointError(f"{self._remote.url.shown}: {reply.status}: {error}: check the URL") from None

    def _say(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > 10 * LINE:  # too long for a line of a log: it is shown as one
            lines, self._rest = [*lines, self._rest], ""
        if lines:
            self._show([clean(mask_text(line, self._remote.asker.secrets), LINE) for line in lines])
