"""The agent inside a Dask worker: it starts a worker process of epkit, and passes frames between it and the user.

This process makes the load. Dask's own process does not, because it also runs heartbeats and other people's tasks.
Frames may contain keys, and pass through the scheduler. So the process and the user's machine seal them
(`epkit.engines.workers.sealing`): the agent cannot read them, and unpickles nothing.

An agent that gets no requests ends its process, because the user's command has ended.
"""

import asyncio
import contextlib
import platform
import threading
import time
import weakref
from collections import deque
from typing import Any, Final

from epkit.engines.workers.crew import place_of
from epkit.engines.workers.processes import WorkerProcess

FORSAKEN_S: Final = 10.0
"""A process ends if there is no request for this time."""

GATHER_S: Final = 0.005
"""How long an answer waits for further frames."""

MOST_BYTES: Final = 8 << 20
"""Greatest size of an answer, unless a single frame is larger."""


def start(name: str, module: str, key: bytes, dask_worker: Any) -> dict[str, Any]:
    """Start an agent in a Dask worker; Dask calls this there (`Client.run`).

    Args:
        name: name of the handler to which the Dask worker then answers.
        module: module that the agent's process runs.
        key: the user's public key; the process accepts only frames that this key authenticates.
        dask_worker: the worker; Dask supplies it.

    Returns:
        `host` and `place`; agents with the same place share a machine and its network.
    """
    import nacl  # noqa: F401 - the process needs it: a worker without it fails here

    agent = Agent(module, key, lambda: dask_worker.handlers.pop(name, None))
    dask_worker.handlers[name] = agent.answer
    return {"host": platform.node(), "place": list(place_of())}


class Agent:
    """Passes frames to a worker process, and keeps its frames until they are requested."""

    def __init__(self, module: str, key: bytes, forget: Any) -> None:
        """Start the process.

        Args:
            module: module that the process runs.
            key: the user's public key.
            forget: called when the process has ended for good.
        """
        self._forget = forget
        self._frames: deque[bytes] = deque()
        self._why: str | None = None  # why the process ended
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self.asked_at = time.monotonic()
        self._process = WorkerProcess(module, self._arrived, self._ended, arguments=(key.hex(),))
        threading.Thread(target=_watch, args=(weakref.ref(self), self._process, forget), daemon=True).start()

    async def answer(self, verb: str, sealed: tuple[bytes, ...] = (), wait_s: float = 0.0) -> Any:
        """Answer a request.

        Args:
            verb: `clock`, `post` (frames), `poll` (for frames) or `close`.
            sealed: frames to pass on.
            wait_s: how long a poll waits for the first one.

        Returns:
            For the four verbs: the time in ns, None, `(frames, why it ended or None)`, None.
        """
        self.asked_at = time.monotonic()
        match verb:
            case "clock":
                return time.perf_counter_ns()
            case "post":
                for frame in sealed:
                    self._process.send(frame)
                return None
            case "poll":
                return await self._poll(wait_s)
            case _:
                await asyncio.get_running_loop().run_in_executor(None, self._process.close)
                self._forget()
                return None

    async def _poll(self, wait_s: float) -> tuple[list[bytes], str | None]:
        self._loop = asyncio.get_running_loop()
        self._news.clear()
        if self._frames or self._why is not None:
            self._news.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        if wait_s:
            await asyncio.sleep(GATHER_S)
        why = self._why  # read before the frames: then all frames are there
        taken: list[bytes] = []
        size = 0
        while self._frames and (not taken or size + len(self._frames[0]) <= MOST_BYTES):
            taken.append(self._frames.popleft())
            size += len(taken[-1])
        return taken, None if self._frames else why

    def _arrived(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._tell()

    def _ended(self, why: str) -> None:
        self._why = why
        self._tell()

    def _tell(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the Dask worker has ended
                self._loop.call_soon_threadsafe(self._news.set)


def _watch(agent: "weakref.ref[Agent]", process: WorkerProcess, forget: Any) -> None:
    """End the process of an agent that is deleted or gets no requests."""
    while (alive := agent()) is not None and time.monotonic() - alive.asked_at < FORSAKEN_S:
        del alive
        time.sleep(1.0)
    process.kill()
    forget()
