"""A worker: a process that does its part of a run or of a job for the one that started it.

    python -m epkit.flows.crew.worker

It says hello, and then does the jobs that it is sent, one after the other, until its input ends. Messages are pickled
values in frames (`epkit.engines.workers.processes`); a job is a value with a method `work(channel)`,
which raises an `EpkitError` where it cannot be done.
"""

import asyncio
import contextlib
import gc
import os
import pickle
import platform
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final

from epkit.engines.workers.crew import HelloMessage, RefusedMessage
from epkit.engines.workers.processes import FrameWriter, read_frames
from epkit.errors import EpkitError

MODULE: Final = "epkit.flows.crew.worker"


class Channel:
    """What a worker hears and says.

    Messages wait until somebody takes them, or listens.
    """

    def __init__(self) -> None:
        # Whatever prints something, nothing but frames goes to whoever started this.
        stream = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._writer = FrameWriter(stream)
        self._waiting: SimpleQueue[Any] = SimpleQueue()
        self._lock = Lock()
        self._listener: Callable[[Any], None] | None = None
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, message: object) -> None:
        """Say something; never waits."""
        self._writer.send(pickle.dumps(message, protocol=5))

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

    def _read(self) -> None:
        for frame in read_frames(sys.stdin.buffer):
            self._take(pickle.loads(frame))  # noqa: S301 - from who started this
        self._take(None)

    def _take(self, message: Any) -> None:
        with self._lock:
            if self._listener is not None:
                self._listener(message)
                if message is not None:
                    return
            self._waiting.put(message)


def main() -> None:
    """Do jobs until there are no more."""
    channel = Channel()
    channel.send(HelloMessage(platform.node()))
    while (job := channel.get()) is not None:
        if not hasattr(job, "work"):
            continue  # a word to a job that is over
        try:
            job.work(channel)
        except EpkitError as error:
            channel.send(RefusedMessage(error))
        del job
        gc.collect()
    channel.close()


if __name__ == "__main__":
    main()
