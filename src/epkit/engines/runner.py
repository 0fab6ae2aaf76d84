"""Runs an engine to its end on an event loop of its own, and watches the generator meanwhile.

The generator's health is measured, not assumed: a heartbeat tells how late the loop is, the process's CPU time what
the run cost. Ctrl-C and SIGTERM end a run early but never without its samples: once, and what is in flight is
waited for; twice, and it is given up at once.
"""

import asyncio
import contextlib
import gc
import signal
import threading
import time
from array import array
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from epkit.engines.base import Driver, Engine, Traffic

BEAT_NS: Final = 10_000_000
MOST_BEATS: Final = 1_000_000
TICK_BEATS: Final = 20
GARBAGE: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run was like for its generator.

    Args:
        cpu_s: CPU time of this process, user and system.
        drifts_ns: how late each heartbeat was.
        stopped_by: the signal that ended it early, or None.
    """

    traffic: Traffic
    cpu_s: float
    drifts_ns: np.ndarray
    stopped_by: signal.Signals | None


def run(engine: Engine, driver: Driver, slots: int, *, tick: Callable[[], None] | None = None) -> Ran:
    """Run *engine* for *driver* on a new event loop, uvloop's where there is one.

    Args:
        tick: called some five times a second, for a progress display; must be quick.

    Raises:
        EndpointError: the host has no address.
        BaseException: whatever the driver, one of its sinks or *tick* raised.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(attend(engine, driver, slots, tick=tick))


async def attend(
    engine: Engine,
    driver: Driver,
    slots: int,
    *,
    tick: Callable[[], None] | None = None,
    barrier: Callable[[], Awaitable[None]] | None = None,
) -> Ran:
    """Run *engine* on the running loop; see `run`.

    Args:
        barrier: is waited for when all is ready, right before the engine runs.
    """
    heart = _Heart(tick, engine)
    with _signals(engine) as caught, _no_collections():
        if barrier is not None:
            await engine.prepare()
            await barrier()
        beating = asyncio.create_task(heart.beat())
        try:
            cpu = time.process_time()
            traffic = await engine.run(driver, slots)
            cpu = time.process_time() - cpu
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
    return Ran(
        traffic=traffic,
        cpu_s=cpu,
        drifts_ns=np.array(heart.drifts, dtype=np.int64),
        stopped_by=caught[0] if caught else None,
    )


def number_of(interrupt: KeyboardInterrupt) -> signal.Signals:
    """Return the signal that an interrupt outside of a run came of: SIGINT, unless it says another."""
    return signal.Signals(getattr(interrupt, "number", signal.SIGINT))


class _Heart:
    """Beats every 10 ms and keeps how late each beat was."""

    def __init__(self, tick: Callable[[], None] | None, engine: Engine) -> None:
        self.drifts = array("q")
        self._tick, self._engine = tick, engine

    async def beat(self) -> None:
        clock = time.perf_counter_ns
        count = 0
        while True:
            due = clock() + BEAT_NS
            await asyncio.sleep(BEAT_NS / 1e9)
            self.drifts.append(max(0, clock() - due))
            count += 1
            if len(self.drifts) >= MOST_BEATS:
                # Every other one tells the same story in half the memory; the latest belongs to none of the others.
                del self.drifts[::2]
            if gc.get_count()[0] > GARBAGE:
                gc.collect(0)
            if self._tick is not None and count % TICK_BEATS == 0:
                try:
                    self._tick()
                except BaseException as error:  # noqa: BLE001 - it ends the run
                    self._engine.crash(error)
                    return


@contextlib.contextmanager
def _signals(engine: Engine) -> Iterator[list[signal.Signals]]:
    """Turn SIGINT and SIGTERM into a stop of the engine, where this thread may handle signals."""
    caught: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        engine.stop(drain=not caught)
        caught.append(number)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not on Windows, where Ctrl-C is a KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            handler = signal.getsignal(number)
            loop.add_signal_handler(number, stop, number)
            before[number] = handler
    try:
        yield caught
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            # A loop leaves the system's own handling behind, not what there was: SIGTERM would kill in silence.
            signal.signal(number, handler)


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the collector from pausing the run; what the run itself leaves behind is young and collected apart."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
        gc.unfreeze()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes event loops: uvloop, where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)
