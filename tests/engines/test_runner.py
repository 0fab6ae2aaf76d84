"""The runner: an engine runs to its end or to a signal, and the load generator is monitored meanwhile."""

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import pytest

from epkit.engines import runner
from epkit.engines.base import Driver, Traffic
from epkit.errors import EndpointError

Work = Callable[["FakeEngine"], Awaitable[None]]
PATIENCE_S = 20


@dataclass
class FakeEngine:
    """An engine whose behaviour a test sets; it records how it was stopped."""

    work: Work
    name: str = "fake"
    stops: list[bool] = field(default_factory=list)
    slots: int = 0
    crashed: BaseException | None = None
    traffic: Traffic = field(default_factory=lambda: Traffic(connections=3))

    async def run(self, driver: Driver, slots: int) -> Traffic:
        self.slots = slots
        await asyncio.wait_for(self.work(self), PATIENCE_S)
        if self.crashed is not None:
            raise self.crashed
        return self.traffic

    def stop(self, *, drain: bool) -> None:
        self.stops.append(drain)

    def crash(self, error: BaseException) -> None:
        self.crashed = error


class NoDriver:
    def begin(self) -> None: ...

    def next(self, now: int) -> None: ...

    def done(self, exchange: object) -> None: ...


def run(work: Work, *, tick: Callable[[], None] | None = None) -> tuple[runner.Ran, FakeEngine]:
    engine = FakeEngine(work)
    return runner.run(engine, NoDriver(), 7, tick=tick), engine


async def nothing(_engine: FakeEngine) -> None:
    await asyncio.sleep(0)


async def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1000 * PATIENCE_S):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came")


def until(condition: Callable[[], bool]) -> Work:
    return lambda _engine: wait_for(condition)


@pytest.fixture(params=["uvloop", "asyncio"])
def loop_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both loops: uvloop's if it is installed, and asyncio's as without uvloop."""
    kind: str = request.param
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    else:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    return kind


@pytest.fixture
def fast_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BEAT_NS", 200_000)


@pytest.fixture(autouse=True)
def _handlers_stay() -> Iterator[None]:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_what_the_engine_counted_is_handed_on() -> None:
    ran, engine = run(nothing)

    assert engine.traffic is ran.traffic
    assert 7 == engine.slots
    assert ran.stopped_by is None


def test_uvloop_is_used_where_there_is_one_and_asyncio_where_not(loop_kind: str) -> None:
    modules = []

    async def look(_engine: FakeEngine) -> None:
        modules.append(type(asyncio.get_running_loop()).__module__.partition(".")[0])

    run(look)

    assert [loop_kind] == modules


def test_the_cpu_time_is_that_of_the_run_alone() -> None:
    spin_s = 0.05

    def spin() -> None:
        end = time.process_time() + spin_s
        while time.process_time() < end:
            pass

    async def work(_engine: FakeEngine) -> None:
        spin()

    spin()
    before = time.process_time()
    ran, _ = run(work)
    spin()

    assert spin_s <= ran.cpu_s < time.process_time() - before - spin_s


def test_a_loop_that_is_held_up_shows_in_the_heartbeat() -> None:
    async def work(_engine: FakeEngine) -> None:
        await asyncio.sleep(0.03)
        time.sleep(0.1)  # noqa: ASYNC251 - this is the hold-up
        await asyncio.sleep(0.03)

    ran, _ = run(work)

    assert len(ran.drifts_ns) >= 2
    assert ran.drifts_ns.min() >= 0
    assert ran.drifts_ns.max() > 80_000_000


def test_a_run_without_a_beat_has_no_drifts() -> None:
    assert [] == run(nothing)[0].drifts_ns.tolist()


@pytest.mark.usefixtures("fast_beats")
def test_the_heartbeat_of_a_long_run_is_thinned_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MOST_BEATS", 16)
    monkeypatch.setattr(runner, "TICK_BEATS", 1)
    beats = []

    ran, _ = run(until(lambda: len(beats) >= 60), tick=lambda: beats.append(1))

    assert 8 <= len(ran.drifts_ns) < 16


@pytest.mark.usefixtures("fast_beats")
def test_a_display_is_told_each_so_many_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TICK_BEATS", 5)
    ticks = []

    ran, _ = run(until(lambda: len(ticks) >= 4), tick=lambda: ticks.append(1))

    assert len(ran.drifts_ns) // 5 == len(ticks)


@pytest.mark.usefixtures("fast_beats")
@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(28, "no space left on device")])
def test_what_a_tick_raises_ends_the_run_at_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(runner, "TICK_BEATS", 1)
    ticks = []

    def tick() -> None:
        ticks.append(1)
        raise error

    async def work(engine: FakeEngine) -> None:
        await wait_for(lambda: engine.crashed is not None)

    with pytest.raises(type(error)):
        run(work, tick=tick)

    assert [1] == ticks


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_handler_that_was_there_is_there_again(loop_kind: str) -> None:
    def handler(*_: object) -> None: ...

    old = signal.signal(signal.SIGTERM, handler)
    try:
        run(nothing)

        assert handler is signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, old)


def test_an_interrupt_outside_of_a_run_is_ctrl_c_unless_it_says_otherwise() -> None:
    class Terminated(KeyboardInterrupt):
        number = signal.SIGTERM

    assert signal.SIGINT is runner.number_of(KeyboardInterrupt())
    assert signal.SIGTERM is runner.number_of(Terminated())


def interrupted_by(*numbers: signal.Signals) -> Work:
    """Send each signal after the one before was handled."""

    async def work(engine: FakeEngine) -> None:
        for i, number in enumerate(numbers, start=1):
            os.kill(os.getpid(), number)
            await wait_for(lambda: len(engine.stops) == i)  # noqa: B023 - awaited right here

    return work


needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_what_is_in_flight_end(number: signal.Signals, loop_kind: str) -> None:
    ran, engine = run(interrupted_by(number))

    assert [True] == engine.stops
    assert number is ran.stopped_by


@needs_signals
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_and_the_first_is_the_reason(second: signal.Signals, loop_kind: str) -> None:
    ran, engine = run(interrupted_by(signal.SIGINT, second, second))

    assert [True, False, False] == engine.stops
    assert ran.stopped_by is signal.SIGINT


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_told_to_end_still_says_what_it_has(number: signal.Signals) -> None:
    script = """
import asyncio
from epkit.engines import runner
from epkit.engines.base import Traffic

class Engine:
    async def run(self, driver, slots):
        self.over = asyncio.Event()
        print("ready", flush=True)
        await asyncio.wait_for(self.over.wait(), 20)
        return Traffic()

    def stop(self, *, drain):
        self.over.set()

print(runner.run(Engine(), None, 1).stopped_by.name, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            said, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()

    assert f"{number.name}\n" == said
    assert 0 == process.returncode


def test_a_thread_that_is_not_the_main_one_runs_without_signals(loop_kind: str) -> None:
    rans = []
    thread = threading.Thread(target=lambda: rans.append(run(nothing)))
    thread.start()
    thread.join(PATIENCE_S)
    ((ran, engine),) = rans

    assert ran.stopped_by is None
    assert [] == engine.stops


def test_a_system_without_such_signals_runs_all_the_same() -> None:
    class Loop(asyncio.SelectorEventLoop):
        def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
            raise NotImplementedError

        def remove_signal_handler(self, sig: int) -> bool:
            raise AssertionError("nothing was added")

    engine = FakeEngine(nothing)
    with asyncio.Runner(loop_factory=Loop) as loops:
        ran = loops.run(runner.attend(engine, NoDriver(), 1))

    assert ran.stopped_by is None


def test_an_engine_that_cannot_begin_says_so(loop_kind: str) -> None:
    async def work(_engine: FakeEngine) -> None:
        raise EndpointError("no address")

    with collector(enabled=True):  # an earlier test may have changed it
        with pytest.raises(EndpointError, match="no address"):
            run(work)
        assert gc.isenabled()


@contextlib.contextmanager
def collector(enabled: bool) -> Iterator[None]:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        yield
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.usefixtures("unfrozen")
def test_the_collector_rests_during_a_run_and_is_left_as_it_was(enabled: bool, fails: bool) -> None:
    during = []

    async def work(_engine: FakeEngine) -> None:
        during.append((gc.isenabled(), gc.get_freeze_count() > 0))
        if fails:
            raise EndpointError("no address")

    with collector(enabled):
        with contextlib.suppress(EndpointError):
            run(work)
        after = gc.isenabled(), gc.get_freeze_count()

    assert [(False, True)] == during
    assert (enabled, 0) == after


@pytest.mark.usefixtures("fast_beats")
def test_what_a_run_leaves_behind_is_collected_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GARBAGE", 100)
    begun = False
    young = []

    def note(phase: str, info: dict[str, int]) -> None:
        if begun and phase == "start":
            young.append(info["generation"])

    async def work(_engine: FakeEngine) -> None:
        nonlocal begun
        begun = True
        kept = []
        while not young:
            kept.extend([] for _ in range(200))
            await asyncio.sleep(0.001)
        begun = False

    gc.callbacks.append(note)
    try:
        run(work)
    finally:
        gc.callbacks.remove(note)

    assert {0} == set(young)
