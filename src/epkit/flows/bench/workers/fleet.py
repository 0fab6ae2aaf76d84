"""Runs one plan on several workers.

Each worker gets its share of the plan and a start time on its own clock. All count time from that moment, so the data
of several workers can be merged without conversion. Rows are merged in order of completion and go to the same sinks
as those of one process. If a worker is lost, the report names it, and the others go on.
"""

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from queue import Empty
from typing import Final

import numpy as np

from epkit.core.http.request import Request
from epkit.core.load.shares import most_workers, split
from epkit.core.report.live import Live
from epkit.core.report.summary import EXACT
from epkit.core.report.workers import WorkerRecord
from epkit.core.samples.latency import series
from epkit.core.samples.merging import Merger
from epkit.core.samples.rows import SAMPLE
from epkit.engines.workers.crew import Crew, LostMessage, Member, RefusedMessage
from epkit.engines.workers.values import MalformedError
from epkit.errors import EndpointError
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.workers.checking import Bounds, check_digest, check_facts, check_gate, check_rows
from epkit.flows.bench.workers.gathered import WorkerPart, gathered
from epkit.flows.bench.workers.messages import (
    AdmitMessage,
    DigestMessage,
    DocumentMessage,
    EndedMessage,
    GateMessage,
    GoMessage,
    NoteMessage,
    ReadyMessage,
    ReplaceMessage,
    RowsMessage,
    StopMessage,
)
from epkit.flows.bench.workers.work import BenchWork
from epkit.process import signals_to

TICK_S: Final = 0.2
READY_S: Final = 60.0
"""Longest time until all workers are ready to start."""

SILENT_S: Final = 30.0
"""A worker that sends nothing for this time is lost: a healthy one sends five times a second."""

ABRUPT_S: Final = 5.0
"""The same for a run that must end at once."""


class Fleet:
    """Workers that share the plan of a run: a `LoadGenerator`."""

    def __init__(
        self,
        crew: Crew,
        work: BenchWork,
        measured: Measurement,
        *,
        all_rows: bool,
        live: Live | None,
        say: Callable[[str], None],
    ) -> None:
        """Prepare a run.

        work: the work of the whole run.
        measured: takes the rows, and the counts of the rows that are not sent.
        all_rows: whether the sinks want every row, however many there are.
        live: gets the counts of the rows that are not sent.
        say: prints the lines that `-v` adds.
        """
        self._crew, self._work, self._measured, self._live, self._say = crew, work, measured, live, say
        members = crew.members[: most_workers(work.plan.phases)]
        shares = split(work.plan, len(members))
        self._exact = None if all_rows else EXACT // len(members)
        self._parts = {member: WorkerPart(member, share) for member, share in zip(members, shares, strict=True)}
        self._merger = Merger(self._parts, self._hand_on)
        self._requests = work.load.requests
        self._running = self._ended_by_rule = False
        self._caught: list[signal.Signals] = []
        self._document: int | None = None
        self._admitted = 0
        self._turned = 0.0
        self._numbers: dict[str, int] = {"": 0}
        self._began = 0
        self._started_at = datetime.now(UTC)
        self._gaps: dict[int, int] = {}

    @property
    def workers(self) -> int:
        """The number of workers that share the plan."""
        return len(self._parts)

    def facts(self) -> RunFacts:
        """Return what is known so far."""
        known = gathered(
            tuple(self._parts.values()),
            began=self._began,
            started_at=self._started_at,
            begins=self._measured.times.begins,
        )
        return replace(
            known,
            engine=known.engine or self._work.engine,
            gaps=dict(self._gaps),
            planned_end_ns=None if self._ended_by_rule else known.planned_end_ns,
            deployments=tuple(self._numbers),
            stopped_by=self._caught[0] if self._caught else None,
        )

    def flush(self) -> None:
        """Do nothing: workers send their rows on their own."""

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on; may be called from any thread."""
        self._requests = tuple(requests)
        if self._running:
            self._tell(ReplaceMessage(self._requests))

    def end(self, *, drain: bool) -> None:
        """End the run early."""
        self._ended_by_rule = True
        self._tell(StopMessage(drain, planned=True))

    def records(self) -> tuple[WorkerRecord, ...]:
        """Return the report's records of the workers."""
        return tuple(part.record() for part in self._parts.values())

    def run(self, tick: Callable[[], None]) -> RunFacts:
        """Run the plan to its end.

        Raises:
            EpkitError: the run cannot start.
        """
        self._begin()
        with signals_to(lambda number: self._crew.inbox.put((None, number))):
            self._turned = time.monotonic()
            due = self._turned + TICK_S
            while not all(part.is_over for part in self._parts.values()):
                with suppress(Empty):
                    self._hear(*self._crew.inbox.get(timeout=max(0.0, due - time.monotonic())))
                if time.monotonic() >= due:
                    due = time.monotonic() + TICK_S
                    self._miss_the_silent()
                    tick()
        self._running = False
        for part in self._parts.values():
            if part.lost is None:
                part.drift = part.member.clock.drifted(part.member.compare_clocks())
        return self.facts()

    def _hand_on(self, block: np.ndarray) -> None:
        for sink in self._measured.sinks:
            sink(block)

    def _begin(self) -> None:
        """Give each worker a share, and all workers a start time."""
        load, ids = replace(self._work.load, requests=self._requests), self._work.ids
        for share, part in enumerate(self._parts.values()):
            own = None if ids is None else replace(ids, share=share, shares=len(self._parts))
            part.member.send(replace(self._work, plan=part.plan, load=load, exact=self._exact, ids=own))
        self._running = True
        deadline = time.monotonic() + READY_S
        while not all(part.ready for part in self._parts.values()):
            try:
                member, message = self._crew.inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                names = ", ".join(part.member.name for part in self._parts.values() if not part.ready)
                raise EndpointError(f"{names}: not ready to begin after {READY_S:.0f} s") from None
            match message:
                case RefusedMessage(error):
                    raise error
                case LostMessage(why) if member in self._parts:
                    self._crew.lose(member)
                    raise EndpointError(f"{member.name} was lost before the run began: it {why}")
                case ReadyMessage() if member in self._parts:
                    self._parts[member].ready = True
        self._began = time.perf_counter_ns() + self._crew.lead_ns
        self._started_at = datetime.now(UTC) + timedelta(microseconds=self._crew.lead_ns / 1000)
        self._measured.times.enter(0)
        for part in self._parts.values():
            part.heard_at = time.monotonic()
            part.member.send(GoMessage(self._began + part.member.clock.offset_ns))

    def _hear(self, member: Member | None, message: object) -> None:
        if isinstance(message, signal.Signals):
            self._tell(StopMessage(drain=not self._caught))
            self._caught.append(message)
            return
        part = self._parts.get(member) if member is not None else None
        if part is None or part.is_over:
            return
        part.heard_at = time.monotonic()
        try:
            self._hear_part(part, message)
        except MalformedError as error:
            self._miss(part, f"sent an invalid message: {error}")

    @property
    def _bounds(self) -> Bounds:
        now_ns = time.perf_counter_ns() - self._began
        return Bounds(phases=len(self._work.plan.phases), payloads=len(self._requests), now_ns=now_ns)

    def _hear_part(self, part: WorkerPart, message: object) -> None:
        """Handle a message of a worker.

        Raises:
            MalformedError: the message is not possible.
        """
        match message:
            case RowsMessage():
                self._take_rows(part, message)
            case DigestMessage():
                self._take_digest(part, message)
            case RunFacts():
                check_facts(message, self._bounds)
                part.facts = message
            case GateMessage():
                check_gate(message, self._bounds)
                part.gate = message
                self._open_gate()
            case NoteMessage(line):
                self._say(line)
            case EndedMessage(facts):
                check_facts(facts, self._bounds)
                part.facts, part.has_ended = facts, True
                if facts.stopped_by is not None and not self._caught:
                    part.lost = f"was ended by {facts.stopped_by.name}"
                self._merger.end(part.member)
            case LostMessage(why):
                self._miss(part, why)

    def _miss(self, part: WorkerPart, why: str) -> None:
        """Go on without a worker."""
        part.lost = why
        self._crew.lose(part.member)
        self._merger.end(part.member)
        self._open_gate()

    def _miss_the_silent(self) -> None:
        limit_s = SILENT_S if len(self._caught) < 2 else ABRUPT_S
        turned, self._turned = self._turned, time.monotonic()
        if self._turned - turned > limit_s / 2:
            # Ctrl-Z stopped this process, or a terminal blocked it; the workers' messages are still in the queue.
            for part in self._parts.values():
                part.heard_at = self._turned
        for part in self._parts.values():
            if not part.is_over and time.monotonic() - part.heard_at > limit_s:
                self._miss(part, f"has sent nothing for {limit_s:.0f} s")

    def _note_begins(self, begins: tuple[int, ...]) -> None:
        times = self._measured.times
        for begin in begins[len(times.begins) :]:
            times.enter(begin)

    def _known(self, deployments: tuple[str, ...]) -> list[int]:
        """Return the numbers that a worker's deployments have here."""
        for name in deployments:
            if name not in self._numbers and len(self._numbers) < 256:
                self._numbers[name] = len(self._numbers)
        return [self._numbers.get(name, 0) for name in deployments]

    def _take_rows(self, part: WorkerPart, message: RowsMessage) -> None:
        block = check_rows(message, self._bounds)
        self._note_begins(message.begins)
        known = self._known(message.deployments)
        if len(block):
            part.ended_ns = max(part.ended_ns, int(block["end"].max()))
            if known != list(range(len(known))):
                block["deployment"] = np.array(known, dtype=np.uint8)[block["deployment"]]
            inside = block if self._first_begin is None else block[block["due"] >= self._first_begin]
            if len(inside):
                part.counters.add(inside)
                part.service.add(series("service", inside))
        self._merger.add(part.member, block, message.complete_ns)
        document = self._measured.summary.counters.document if self._document is None else None
        if document is not None:
            self._document = document
            self._tell(DocumentMessage(document))

    @property
    def _first_begin(self) -> int | None:
        """When the measured phases began; None if all phases are measured."""
        plan, begins = self._work.plan, self._measured.times.begins
        first = len(plan.phases) - len(plan.measured)
        return None if not first else begins[first] if len(begins) > first else 2**63 - 1

    def _take_digest(self, part: WorkerPart, message: DigestMessage) -> None:
        check_digest(message, self._bounds)
        self._note_begins(message.begins)
        known = self._known(message.deployments)
        part.ended_ns = max(part.ended_ns, message.ended_ns)
        part.counters.merge(message.whole.counters, known)
        part.service.merge(message.whole.later("service"))
        if self._live is not None:
            self._live.merge(message.whole, message.complete_ns)
        self._measured.summary.merge(message.whole, known)
        for mine, more in zip(self._measured.parts, message.parts, strict=True):
            mine.merge(more, known)
        self._merger.add(part.member, np.empty(0, dtype=SAMPLE), message.complete_ns)

    def _open_gate(self) -> None:
        """Let all workers go on, when all have arrived."""
        parts = [part for part in self._parts.values() if not part.is_over]
        gates = [part.gate for part in parts if part.gate is not None]
        if not parts or len(gates) < len(parts) or any(gate.place <= self._admitted for gate in gates):
            return
        self._admitted = gates[0].place
        last = max(gate.at_ns for gate in gates)
        begin = max(last, time.perf_counter_ns() - self._began) + self._crew.lead_ns
        self._gaps[self._admitted - 1] = begin - last
        for part in parts:
            part.member.send(AdmitMessage(begin))

    def _tell(self, message: object) -> None:
        for part in self._parts.values():
            if not part.is_over:
                part.member.send(message)
