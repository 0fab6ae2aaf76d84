"""Workers that run one plan together, seen as the engine and the driver that a run needs.

Each gets its share of the plan and a time to begin, on its own clock; all count time from that moment, so that what one
says can be put beside what another does as it stands. Rows are merged in order of completion and go to the same sinks
as those of one process. A worker that is lost is missed by name; the others go on.
"""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from queue import Empty
from typing import TYPE_CHECKING, Final

import numpy as np

from epkit.core.http.masking import mask_text
from epkit.core.http.request import Request
from epkit.core.http.secret import Secret
from epkit.core.load.shares import most_workers, split
from epkit.core.report.summary import EXACT
from epkit.core.samples.latency import series
from epkit.core.samples.merging import Merger
from epkit.core.samples.rows import SAMPLE
from epkit.engines.base import Traffic
from epkit.engines.driver import Sink
from epkit.engines.runner import Ran
from epkit.engines.workers.crew import Crew, LostMessage, Member, RefusedMessage
from epkit.errors import EndpointError
from epkit.flows.bench.workers.gathered import Gathered, WorkerPart
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
    WorkerFacts,
)
from epkit.flows.bench.workers.work import BenchWork
from epkit.process import signals_to

if TYPE_CHECKING:
    from epkit.core.report.live import Live
    from epkit.flows.bench.measurement import Measurement

TICK_S: Final = 0.2
READY_S: Final = 60.0
"""How long workers may take until all are ready to begin."""

SILENT_S: Final = 30.0
"""A worker that has said nothing for so long is lost: it has something to say five times a second."""

ABRUPT_S: Final = 5.0
"""The same for a run that was told to end at once."""


class Fleet(Gathered):
    """The engine and the driver of a run of several workers: the attributes of both mean what they mean there."""

    def __init__(
        self, crew: Crew, work: BenchWork, *, all_rows: bool, live: "Live | None", say: Callable[[str], None]
    ) -> None:
        """Prepare a run.

        Args:
            work: the whole of it.
            all_rows: whether the sinks want every row, however many there are.
            live: is told of what is not sent as rows.
            say: prints what `-v` shows.
        """
        self.name = work.engine
        self.traffic = Traffic()
        self._crew, self._work, self._live, self._say = crew, work, live, say
        members = crew.members[: most_workers(work.plan)]
        shares = split(work.plan, len(members))
        exact = None if all_rows else EXACT // len(members)
        self._exact = exact
        self.parts = {member: WorkerPart(member, share) for member, share in zip(members, shares, strict=True)}
        self._requests = work.load.requests
        self._running = False
        self._caught: list[signal.Signals] = []
        self._document: int | None = None
        self._admitted = 0
        self._turned = 0.0
        self._numbers: dict[str, int] = {"": 0}
        # A driver's:
        self.began = 0
        self.started_at = datetime.now(UTC)
        self.deployments: list[str] = [""]
        self.gaps: dict[int, int] = {}
        self.begins: list[int] = [0]
        self.ended_by_rule = False

    def drive(self, sinks: list[Sink], begins: list[int]) -> "Fleet":
        """Become the driver of a measurement."""
        self.begins = begins

        def all_sinks(block: np.ndarray) -> None:
            for sink in sinks:
                sink(block)

        self._merger = Merger(self.parts, all_sinks)
        return self

    # What a driver is asked, while the run goes on and when it is over.

    def flush(self) -> None:
        """Nothing waits here: workers send what they have by themselves."""

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on; from any thread."""
        self._requests = tuple(requests)
        if self._running:
            self._tell(ReplaceMessage(self._requests))

    def stop(self, *, drain: bool | None = None) -> None:
        """End the run: as a driver, by a rule of its own; as an engine, by a signal."""
        self.ended_by_rule |= drain is None
        self._tell(StopMessage(drain is not False, planned=drain is None))

    def wake(self) -> None:
        """Nothing rests here."""

    # The run.

    def run(self, measured: "Measurement", tick: Callable[[], None] | None) -> Ran:
        """Run.

        Args:
            measured: whose driver this is.
            tick: called some five times a second.

        Raises:
            EpkitError: it cannot be begun.
        """
        self._begin()
        with signals_to(lambda number: self._crew.inbox.put((None, number))):
            self._turned = time.monotonic()
            due = self._turned + TICK_S
            while not all(part.is_over for part in self.parts.values()):
                try:
                    member, message = self._crew.inbox.get(timeout=max(0.0, due - time.monotonic()))
                    self._hear(member, message, measured)
                except Empty:
                    pass
                if time.monotonic() >= due:
                    due = time.monotonic() + TICK_S
                    self._miss_the_silent()
                    if tick is not None:
                        tick()
        self._running = False
        for part in self.parts.values():
            if part.lost is None:
                part.drift = part.member.clock.drifted(part.member.compare_clocks())
        return self._ran()

    def _begin(self) -> None:
        """Give everyone a share, and all a time to begin."""
        for part in self.parts.values():
            load = replace(self._work.load, requests=self._requests)
            part.member.send(replace(self._work, plan=part.plan, load=load, exact=self._exact))
        self._running = True
        deadline = time.monotonic() + READY_S
        while not all(part.ready for part in self.parts.values()):
            try:
                member, message = self._crew.inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                names = ", ".join(part.member.name for part in self.parts.values() if not part.ready)
                raise EndpointError(f"{names}: not ready to begin after {READY_S:.0f} s") from None
            match message:
                case RefusedMessage(error):
                    raise error
                case LostMessage(why) if member in self.parts:
                    self._crew.lose(member)
                    raise EndpointError(f"{member.name} was lost before the run began: it {why}")
                case ReadyMessage() if member in self.parts:
                    self.parts[member].ready = True
        self.began = time.perf_counter_ns() + self._crew.lead_ns
        self.started_at = datetime.now(UTC) + timedelta(microseconds=self._crew.lead_ns / 1000)
        if not self.begins:
            self.begins.append(0)
        for part in self.parts.values():
            part.heard_at = time.monotonic()
            part.member.send(GoMessage(self.began + part.member.clock.offset_ns))

    def _hear(self, member: Member | None, message: object, measured: "Measurement") -> None:
        if isinstance(message, signal.Signals):
            self.stop(drain=not self._caught)
            self._caught.append(message)
            return
        part = self.parts.get(member) if member is not None else None
        if part is None or part.is_over:
            return
        part.heard_at = time.monotonic()
        match message:
            case RowsMessage():
                self._take_rows(part, message, measured)
            case DigestMessage():
                self._take_digest(part, message, measured)
            case WorkerFacts():
                part.facts = message
            case GateMessage():
                part.gate = message
                self._open_gate()
            case NoteMessage(line):
                self._say(line)
            case EndedMessage(facts, ran):
                part.facts, part.ran = facts, ran
                if ran.stopped_by is not None and not self._caught:
                    part.lost = f"was ended by {ran.stopped_by.name}"
                self._merger.end(part.member)
            case LostMessage(why):
                self._miss(part, why)

    def _miss(self, part: WorkerPart, why: str) -> None:
        """Go on without a worker."""
        part.lost = mask_text(why, [Secret(text) for text in self._work.secrets])  # a worker's last words may quote
        self._crew.lose(part.member)
        self._merger.end(part.member)
        self._open_gate()

    def _miss_the_silent(self) -> None:
        limit_s = SILENT_S if len(self._caught) < 2 else ABRUPT_S
        turned, self._turned = self._turned, time.monotonic()
        if self._turned - turned > limit_s / 2:
            # It was us: stopped with Ctrl-Z, or held up by a terminal. What they said meanwhile is still to be heard.
            for part in self.parts.values():
                part.heard_at = self._turned
        for part in self.parts.values():
            if not part.is_over and time.monotonic() - part.heard_at > limit_s:
                self._miss(part, f"has said nothing for {limit_s:.0f} s")

    def _note_begins(self, begins: tuple[int, ...]) -> None:
        if len(begins) > len(self.begins):
            self.begins.extend(begins[len(self.begins) :])

    def _known(self, deployments: tuple[str, ...]) -> list[int]:
        """Return what a worker's deployments are called here."""
        for name in deployments:
            if name not in self._numbers and len(self._numbers) < 256:
                self._numbers[name] = len(self._numbers)
                self.deployments.append(name)
        return [self._numbers.get(name, 0) for name in deployments]

    def _take_rows(self, part: WorkerPart, message: RowsMessage, measured: "Measurement") -> None:
        self._note_begins(message.begins)
        block = np.frombuffer(bytearray(message.data), dtype=SAMPLE)
        known = self._known(message.deployments)
        if len(block):
            part.ended_ns = max(part.ended_ns, int(block["end"].max()))
            if known != list(range(len(known))):
                block["deployment"] = np.array(known, dtype=np.uint8)[block["deployment"]]
            inside = block if self._first_begin is None else block[block["due"] >= self._first_begin]
            if len(inside):
                part.counters.add(inside)
                part.service.add(series("service", inside))
        self._merger.add(part.member, block, message.told_ns)
        document = measured.summary.counters.document if self._document is None else None
        if document is not None:
            self._document = document
            self._tell(DocumentMessage(document))

    @property
    def _first_begin(self) -> int | None:
        """When the measured phases began; None where all are."""
        plan = self._work.plan
        first = len(plan.phases) - len(plan.measured)
        return None if not first else self.begins[first] if len(self.begins) > first else 2**63 - 1

    def _take_digest(self, part: WorkerPart, message: DigestMessage, measured: "Measurement") -> None:
        self._note_begins(message.begins)
        known = self._known(message.deployments)
        part.ended_ns = max(part.ended_ns, message.ended_ns)
        part.counters.merge(message.whole.counters, known)
        part.service.merge(message.whole.later("service"))
        if self._live is not None:
            self._live.merge(message.whole, message.told_ns)
        measured.summary.merge(message.whole, known)
        for mine, more in zip(measured.parts, message.parts, strict=True):
            mine.merge(more, known)
        self._merger.add(part.member, np.empty(0, dtype=SAMPLE), message.told_ns)

    def _open_gate(self) -> None:
        """Let all go on, once all have come."""
        parts = [part for part in self.parts.values() if not part.is_over]
        gates = [part.gate for part in parts if part.gate is not None]
        if not parts or len(gates) < len(parts) or any(gate.place <= self._admitted for gate in gates):
            return
        self._admitted = gates[0].place
        last = max(gate.at_ns for gate in gates)
        begin = max(last, time.perf_counter_ns() - self.began) + self._crew.lead_ns
        self.gaps[self._admitted - 1] = begin - last
        for part in parts:
            part.member.send(AdmitMessage(begin))

    def _tell(self, message: object) -> None:
        for part in self.parts.values():
            if not part.is_over:
                part.member.send(message)

    def _ran(self) -> Ran:
        """Put together what the workers' generators were like."""
        facts = self._facts()
        runs = [part.ran for part in self.parts.values() if part.ran is not None]
        traffic = [each.traffic for each in facts]
        self.traffic = Traffic(
            connections=sum(each.connections for each in traffic),
            closed=sum(each.closed for each in traffic),
            retried=sum(each.retried for each in traffic),
            unsolicited=sum(each.unsolicited for each in traffic),
            tls=next((each.tls for each in traffic if each.tls), None),
        )
        return Ran(
            traffic=self.traffic,
            cpu_s=self.spent_s,
            drifts_ns=np.concatenate([np.empty(0, dtype=np.int64), *(ran.drifts_ns for ran in runs)]),
            stopped_by=self._caught[0] if self._caught else None,
        )
