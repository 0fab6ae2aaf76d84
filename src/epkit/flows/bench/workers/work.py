"""A worker's part of a run of `epkit bench`: its share of the plan, and the messages during the run.

Each second, the worker also sends the facts that the samples (`epkit.flows.bench.workers.streaming`) do not contain.
If a worker is lost, only its last second is missing.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from epkit.core.http.destination import Destination
from epkit.core.http.request_ids import RequestIds
from epkit.core.http.secret import Secret
from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import Plan
from epkit.core.replies.judging import Depth
from epkit.engines import runner
from epkit.engines.base import Engine
from epkit.engines.driver import Judging
from epkit.engines.phased import Phased
from epkit.engines.runner import Ran
from epkit.flows.bench import checks
from epkit.flows.bench.driving import DrivenPlan
from epkit.flows.bench.workers.messages import (
    AdmitMessage,
    DocumentMessage,
    EndedMessage,
    GateMessage,
    GoMessage,
    NoteMessage,
    ReadyMessage,
    ReplaceMessage,
    StopMessage,
)
from epkit.flows.bench.workers.streaming import Stream
from epkit.flows.crew.carried import renamed, unpacked
from epkit.flows.target.requests import Requests
from epkit.flows.target.transport import engine_class
from epkit.flows.target.verbose import make_log

if TYPE_CHECKING:
    from epkit.core.contract.contract import ParsedContract
    from epkit.flows.crew.worker import Channel

REPORT_EVERY_NS: Final = 1_000_000_000
SPIN_NS: Final = 1_500_000
"""The last part of the wait for the start of a run is a busy wait, because timers are too coarse."""
BRINK_NS: Final = 400_000
"""An engine needs at most this long to get ready; the driver's `begin` waits for the rest, and the first request is on
time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchWork:
    """A worker's part of a run.

    Args:
        plan: the worker's share of the plan.
        load: the requests; they contain credentials, so they are not in the repr.
        files: content of the files that the destination and the checks name, if they are not on this machine.
        contract: the document of the contract for the check of replies, and the path in it.
        exact: the number of samples that are sent as they are; None means all samples.
        secrets: texts that `-v` must not show.
        ids: the ids of the worker's requests, if they have some.
    """

    plan: Plan
    load: Requests = field(repr=False)
    destination: Destination = field(repr=False)
    engine: str
    depth: Depth
    expect: str | None
    contract: tuple[Mapping[str, Any], str] | None = field(repr=False)
    exact: int | None
    verbosity: int
    secrets: tuple[str, ...] = field(repr=False)
    ids: RequestIds | None = None
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def work(self, channel: "Channel") -> None:
        """Run this part.

        Raises:
            EpkitError: the run cannot start.
        """
        with unpacked(self.files) as here:
            destination = renamed(self.destination, here)
            job = replace(self, destination=destination, expect=here(self.expect))
            make = engine_class(job.engine)
            engine: Engine = make(destination, timeout_ns=self.plan.timeout_ns, keepalive=self.plan.keepalive)
            share = _Share(job, engine, channel)
        share.run()

    def make_check(self) -> Any:
        """Make the check of replies that runs in parallel with the run, if there is one."""

        def find() -> "ParsedContract":
            from epkit.core.contract.contract import parse

            assert self.contract is not None
            document, path = self.contract
            return parse(document, path=path)

        return checks.make_check(self.depth, self.expect, self.load, find)


class _Share:
    """A run of a share, and its messages during the run."""

    def __init__(self, job: BenchWork, engine: Engine, channel: "Channel") -> None:
        self._job, self._channel = job, channel
        secrets = [Secret(text) for text in job.secrets]
        log = make_log(job.verbosity, job.load.requests[0], secrets, lambda line: channel.send(NoteMessage(line)))
        times = PhaseTimes()
        self._stream = Stream(job.plan, job.exact, channel, times)
        self._driven = DrivenPlan(
            job.plan,
            job.load,
            engine,
            Judging(sinks=(self._add,), depth=job.depth, log=log, place=job.load.place, strict=job.load.strict),
            times,
            check=job.make_check(),
            gate=self._wait_at,
            ids=job.ids,
        )
        self._driver = self._driven.driver
        self._stream.deployments = self._driver.deployments
        self._report_at = 0

    def run(self) -> None:
        """Wait for the start time, and run the share."""
        with asyncio.Runner(loop_factory=runner.loop_factory()) as loop:
            ran = loop.run(self._attend())
        self._driven.settle()
        facts = self._driven.facts(ran)
        self._stream.ship(facts.ended_ns)
        self._channel.send(EndedMessage(facts))

    async def _attend(self) -> Ran:
        self._go: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with self._channel.heard_by(self._hear):
            return await runner.attend(
                self._driven.engine, self._driver, self._job.plan.slots, tick=self._tick, barrier=self._barrier
            )

    async def _barrier(self) -> None:
        """Report that this worker is ready, and start at the time that all workers get."""
        self._channel.send(ReadyMessage())
        at = await self._go
        self._driver.began_at = at
        await asyncio.sleep(max(0, at - SPIN_NS - time.perf_counter_ns()) / 1e9)
        while time.perf_counter_ns() < at - BRINK_NS:
            pass
        self._driven.begin()

    def _hear(self, message: object) -> None:
        driver, engine = self._driver, self._driven.engine
        match message:
            case GoMessage(at_ns) if not self._go.done():
                self._go.set_result(at_ns)
            case AdmitMessage(begin_ns) if isinstance(driver, Phased):
                driver.admit(begin_ns)
                engine.wake()
            case StopMessage(drain, planned=True):
                self._driven.end(drain=drain)
            case StopMessage(drain):
                engine.stop(drain=drain)
            case ReplaceMessage(requests):
                self._driven.replace(requests)
            case DocumentMessage(size):
                self._stream.document = size

    def _wait_at(self, place: int) -> None:
        self._driver.flush()
        now = time.perf_counter_ns() - self._driver.began
        self._stream.ship(now)
        self._channel.send(GateMessage(place, now))

    def _add(self, block: np.ndarray) -> None:
        self._stream.add(block)
        if self._stream.is_full:
            self._stream.ship(int(block["end"].max()))

    def _tick(self) -> None:
        if not self._driver.began:
            return
        self._driver.flush()
        now = time.perf_counter_ns()
        self._stream.ship(now - self._driver.began, now=now)
        if now >= self._report_at:
            self._report_at = now + REPORT_EVERY_NS
            self._channel.send(self._driven.facts())
