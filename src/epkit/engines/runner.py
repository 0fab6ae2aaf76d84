"""Runs an engine to its end on its own event loop, and measures the load generator meanwhile.

The health of the generator is measured: a heartbeat shows how late the loop is, and the CPU time of the process shows
the cost of the run. Ctrl-C and SIGTERM end a run early, but never lose its samples. After the first signal, requests in
flight are completed; after the second, they are aborted.
"""

import asyncio
import gc
import signal
import time
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from epkit.engines.base import Driver, Engine, Traffic
from epkit.process import collections_off, outside_loop, signals_to

BEAT_NS: Final = 10_000_000
MOST_BEATS: Final = 1_000_000
TICK_BEATS: Final = 20
GARBAGE: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Measurements of the generator during a run.

    Args:
        cpu_s: CPU time of this process, user and system.
        drifts_ns: how late each heartbeat was.
        stopped_by: the signal that ended the run early, or None.
    """

    traffic: Traffic
    cpu_s: float
    drifts_ns: np.ndarray
    stopped_by: signal.Signals | None


def run(engine: Engine, driver: Driver, slots: int, *, tick: Callable[[], None] | None = None) -> Ran:
    """Run *engine* for *driver* on a new event loop (uvloop's if installed), in a thread if this thread has a loop.

    Args:
        tick: called about five times a second, for a progress display; must be quick.

    Raises:
        EndpointError: the host has no address.
        BaseException: any error that the driver, a sink or *tick* raised.
    """

    def work() -> Ran:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(attend(engine, driver, slots, tick=tick))

    return outside_loop(work)


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
        barrier: awaited when everything is ready, right before the engine runs.
    """
    heart = _Heart(tick, engine)
    caught: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        engine.stop(drain=not caught)
        caught.append(number)

    with signals_to(stop, asyncio.get_running_loop()), collections_off():
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
    """Return the signal behind an interrupt outside of a run: SIGINT, unless the interrupt names another one."""
    return signal.Signals(getattr(interrupt, "number", signal.SIGINT))


class _Heart:
    """Beats every 10 ms, and records how late each beat was."""

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
                # Every other value is enough, in half the memory. The latest value is not part of a pair yet.
                del self.drifts[::2]
            if gc.get_count()[0] > GARBAGE:
                gc.collect(0)
            if self._tick is not None and count % TICK_BEATS == 0:
                try:
                    self._tick()
                except BaseException as error:  # noqa: BLE001 - it ends the run
                    self._engine.crash(error)
                    return


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the factory of event loops: uvloop's, if it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)
