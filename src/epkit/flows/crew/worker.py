"""A worker: a process that does its part of a run or of a job for the one that started it.

It says hello, and then does the jobs that it is sent, one after the other, until its input ends. Messages travel as
frames of typed values (`epkit.engines.workers.values`); a job is a value with a method `work(channel)`, which raises an
`EpkitError` where it cannot be done. Where frames pass through others' hands they are sealed
(`epkit.engines.workers.sealing`): the process is then given the public key of who alone may give it work, and says its
own first.
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
    """What workers are for.

    Args:
        module: that their processes run; it calls `main`.
        messages: that go to them and come back.
    """

    module: str
    messages: Messages


class Channel:
    """What a worker hears and says.

    Messages wait until somebody takes them, or listens.
    """

    def __init__(self, messages: Messages, key: bytes | None = None) -> None:
        """Begin to read.

        Args:
            messages: that may come.
            key: public key of who alone may send some; None where nobody else can.
        """
        # Whatever prints something, nothing but frames goes to the process that started this.
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
        """Say something; never waits."""
        frame = self._messages.pack(message)
        with self._sending:  # sealed frames are numbered
            self._writer.send(frame if self._seal is None else self._seal.close(frame))

    def get(self) -> Any:
        """Wait for a message; None when there will be none."""
        return self._waiting.get()

    @contextlib.contextmanager
    def heard_by(self, listener: Callable[[Any], None]) -> Any:
        """Have messages go to *listener*, on the running loop; the process ends where there will be no more."""
        loop = asyncio.get_running_loop()

        def hear(message: Any) -> None:
            if message is None:  # nobody is there to tell
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
        """Say what there is to be said, and no more."""
        self._writer.close(timeout_s=10.0)

    def _sealed_for(self, key: bytes) -> "Seal":
        from nacl.public import PrivateKey  # workers of this machine do without

        from epkit.engines.workers.sealing import Seal

        mine = PrivateKey.generate()
        self._writer.send(bytes(mine.public_key))
        return Seal(mine, key, is_worker=True)

    def _read(self) -> None:
        try:
            for frame in read_frames(sys.stdin.buffer):
                self._take(self._messages.unpack(frame if self._seal is None else self._seal.open(frame)))
        except MalformedError as error:
            # What else comes cannot be trusted either; the last line says why this worker is gone.
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
    """Do jobs until there are no more.

    Args:
        messages: that may come. The process's one argument, where it has one, is the key that they are sealed with.
    """
    channel = Channel(messages, bytes.fromhex(sys.argv[1]) if len(sys.argv) > 1 else None)
    channel.send(HelloMessage(platform.node()))
    while (job := channel.get()) is not None:
        if not hasattr(job, "work"):
            continue  # a message of a job that is over
        try:
            job.work(channel)
        except EpkitError as error:
            channel.send(RefusedMessage(error))
        del job
        gc.collect()
    channel.close()
