"""Worker processes on this machine, and the frames that carry messages to and from them.

A worker is a Python process that reads frames from its standard input and writes frames to its standard output. It has
its own session, so Ctrl-C at the terminal reaches only the parent. It ends when its input ends, so no worker remains,
however the parent ends. Threads do the reading and writing, so nothing else waits for a pipe.
"""

import contextlib
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import IO, Final

from epkit.engines.wire.lanes import VARIABLE
from epkit.process import child_environment

HEAD: Final = struct.Struct("<Q")
LAST_LINES: Final = 20
MOST_BYTES: Final = 1 << 30
"""Greatest size of a frame: a longer one is not epkit's, and nothing after it can be read."""

GRACE_S: Final = 5.0
"""How long a worker may take to end by itself."""


def read_frames(stream: IO[bytes]) -> Iterator[bytes]:
    """Read frames until the other side ends. An incomplete frame, or one that is too long, ends the reading."""
    while len(head := stream.read(HEAD.size)) == HEAD.size:
        (length,) = HEAD.unpack(head)
        if length > MOST_BYTES:
            return
        frame = stream.read(length)
        if len(frame) < length:
            return
        yield frame


class FrameWriter:
    """Writes frames in its own thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def send(self, frame: bytes) -> None:
        """Queue a frame. A frame that cannot be written is dropped: the other side has ended."""
        self._queue.put(frame)

    def close(self, timeout_s: float | None = None) -> None:
        """Write the queued frames, and close the stream."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (frame := self._queue.get()) is not None:
                self._stream.write(HEAD.pack(len(frame)))
                self._stream.write(frame)
                if self._queue.empty():
                    self._stream.flush()
        with contextlib.suppress(OSError, ValueError):
            self._stream.close()


class WorkerProcess:
    """One worker."""

    def __init__(
        self,
        module: str,
        arrived: Callable[[bytes], None],
        ended: Callable[[str], None],
        *,
        arguments: Sequence[str] = (),
    ) -> None:
        """Start the process.

        Args:
            module: the module to run, as for `python -m`.
            arrived: called with each frame, by a thread; it may be called before this returns.
            ended: called once with the reason of the end, after the last frame, by the same thread.
            arguments: arguments of the module; other users of the machine can read them.
        """
        # -P: a file in the working directory must not replace a module.
        self._process = subprocess.Popen(  # noqa: S603 - this Python, a module of ours
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=child_environment("PYTHONWARNINGS", VARIABLE),  # keys come through the pipe, not the environment
        )
        assert self._process.stdin is not None
        self._writer = FrameWriter(self._process.stdin)
        self._arrived, self._ended = arrived, ended
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._errors = threading.Thread(target=self._listen, daemon=True)
        self._heard = threading.Thread(target=self._read, daemon=True)
        for thread in (self._errors, self._heard):
            thread.start()

    def send(self, frame: bytes) -> None:
        """Send it a frame."""
        self._writer.send(frame)

    def close(self) -> None:
        """End it by closing its input, if necessary by force."""
        self._writer.close(timeout_s=GRACE_S)
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._heard.join(GRACE_S)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._writer.close(timeout_s=GRACE_S)

    def _why(self) -> str:
        """Return how it ended: signal or exit code, and the last line of its output."""
        code = self._process.poll()
        how = "is gone" if code is None else f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        words = next((line for line in reversed(self._last) if line.strip()), "")
        return f"{how}: {words}" if words else how

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError), self._process.stdout as stdout:
            for frame in read_frames(stdout):
                self._arrived(frame)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        self._errors.join(GRACE_S)
        self._ended(self._why())

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            for line in stderr:
                self._last.append(line.decode("utf-8", "replace").rstrip())
