"""A worker: a process that does its part of a run or of a job for the process that started it.

It sends a greeting, and then does the jobs that it receives, one after the other, until its input ends. Messages travel
as frames of typed values (`epkit.engines.workers.values`). A job is a value with a method `work(channel)`, which raises
an `EpkitError` if the job cannot be done. If the frames pass through other programs, they are sealed
(`epkit.engines.workers.sealing`): the process gets the public key of the only sender whose jobs it accepts, and sends
its own public key first.
"""

import asyncio
import contextlib
import gc
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from epkit.engines.workers.crew import HelloMessage, RefusedMessage
from epkit.engines.workers.processes import FrameWriter, read_frames
from epkit.engines.workers.values import MalformedError, Messages
from epkit.errors import EpkitError

if TYPE_CHECKING:
    from epkit.engines.workers.sealing import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerKind:
    """A kind of work for workers.

    Args:
        module: the module that the processes run; it calls `main`.
        messages: the messages to and from the workers.
    """

    module: str
    messages: Messages


class Channel:
    """The messages to and from a worker.

    Messages wait until `get` takes them or there is a listener.
    """

    def __init__(self, messages: Messages, key: bytes | None = None) -> None:
        """Start to read.

        Args:
            messages: the messages that may arrive.
            key: the public key of the only allowed sender; None if nobody else can send.
        """
        # Only frames may reach the process that started this one, so output of any other code goes to stderr.
        stream = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._writer = FrameWriter(stream)
        self._messages = messages
        self._seal = None if key is None else self._sealed_for(key)
        self._sending = Lock()
        self._waiting: SimpleQueue[Any] = SimpleQueue()
        self._lock = Lock()
        self._listener: Callable[[Any], None] | None = None
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, message: object) -> None:
        """Send a message; never waits."""
        frame = self._messages.pack(message)
        with self._sending:  # sealed frames are numbered
            self._writer.send(frame if self._seal is None else self._seal.close(frame))

    def get(self) -> Any:
        """Wait for a message; None after the last one."""
        return self._waiting.get()

    @contextlib.contextmanager
    def heard_by(self, listener: Callable[[Any], None]) -> Any:
        """Pass messages to *listener* on the running loop. When no more can arrive, the process ends."""
        loop = asyncio.get_running_loop()

        def hear(message: Any) -> None:
            if message is None:  # the other side is gone
                loop.call_soon_threadsafe(os._exit, 0)
            else:
                loop.call_soon_threadsafe(listener, message)

        with self._lock:
            while not self._waiting.empty():
                hear(self._waiting.get())
            self._listener = hear
        try:
            yield
        finally:
            with self._lock:
                self._listener = None

    def close(self) -> None:
        """Send the waiting messages, and close the output."""
        self._writer.close(timeout_s=10.0)

    def _sealed_for(self, key: bytes) -> "Seal":
        from nacl.public import PrivateKey  # late: workers of this machine do not need it

        from epkit.engines.workers.sealing import Seal

        mine = PrivateKey.generate()
        self._writer.send(bytes(mine.public_key))
        return Seal(mine, key, is_worker=True)

    def _read(self) -> None:
        try:
            for frame in read_frames(sys.stdin.buffer):
                self._take(self._messages.unpack(frame if self._seal is None else self._seal.open(frame)))
        except MalformedError as error:
            # Later frames cannot be trusted either; the last line on stderr is the reason why the worker is lost.
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            os._exit(1)
        self._take(None)

    def _take(self, message: Any) -> None:
        with self._lock:
            if self._listener is not None:
                self._listener(message)
                if message is not None:
                    return
            self._waiting.put(message)


def main(messages: Messages) -> None:
    """Do jobs until the input ends.

    Args:
        messages: the messages that may arrive. The process's optional argument is the public key of their sender.
    """
    channel = Channel(messages, bytes.fromhex(sys.argv[1]) if len(sys.argv) > 1 else None)
    channel.send(HelloMessage(platform.node()))
    while (job := channel.get()) is not None:
        if not hasattr(job, "work"):
            continue  # a late message for a finished job
        try:
            job.work(channel)
        except EpkitError as error:
            channel.send(RefusedMessage(error))
        del job
        gc.collect()
    channel.close()
