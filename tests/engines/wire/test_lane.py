"""The compiled lane: the same samples, counts and failures as on Python's path, and nothing lost when it ends."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from epkit.core.http.destination import Destination
from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import Phase
from epkit.core.samples.rows import Failure
from epkit.engines.base import Traffic
from epkit.engines.driver import BLOCK_ROWS, ClosedLoop, DriverBase, FirstFailure, Judging
from epkit.engines.phased import Phased
from epkit.engines.wire import lanes
from epkit.engines.wire import wire as module
from epkit.engines.wire.wire import WireEngine
from support.engine_harness import CALM_NS, PATIENCE_S, SHORT_NS, fast_loop, requests
from support.fault_server import FaultServer
from support.script_server import ScriptServer, Step

pytestmark = pytest.mark.skipif(lanes.lane_class() is None, reason="the lane is not compiled here")

GOOD: Final = b'{"result": ["yes", "no"]}'
OTHER: Final = b'{"result": ["no", "no"]}'
WRONG: Final = b'{"result": ["yes"]}'
ERROR: Final = b'{"error": "no such column"}'
POINTS: Final = ("due", "start", "tcp", "connected", "sent", "first", "end")


def reply(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: application/json", *lines])
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run has left."""

    rows: np.ndarray
    traffic: Traffic
    examples: dict[Any, FirstFailure]
    driver: DriverBase
    lent: int

    def counted(self) -> list[Any]:
        """Return what both paths must agree on: everything but the times."""
        columns = [name for name in self.rows.dtype.names or () if name not in POINTS]
        seen = [(e.failure, e.status, e.detail, e.body, e.payload, e.count) for e in self.examples.values()]
        return [self.rows[columns].tolist(), seen, self.traffic, self.driver.first_head, self.driver.sent]


class Counting(WireEngine):
    """The engine; it counts the rows that the lane has stored."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lent = 0

    async def run(self, driver: Any, slots: int) -> Traffic:
        begun: list[int] = []
        lend, settle = driver.lend, driver.settle

        def lending() -> Any:
            loan = lend()
            begun[:] = [] if loan is None else [loan[1]]
            return loan

        def settling(offset: int, left: int, payload: int) -> None:
            self.lent += offset - begun[0]
            settle(offset, left, payload)

        driver.lend, driver.settle = lending, settling
        return await super().run(driver, slots)


def drive(
    port: int,
    phases: Phase | Sequence[Phase],
    *,
    compiled: bool,
    payloads: int = 1,
    slots: int = 1,
    timeout_ns: int = CALM_NS,
    sinks: Sequence[Callable[[np.ndarray], None]] = (),
    interrupt: Callable[[WireEngine, Any], None] | None = None,
    after_s: float = 0.2,
    names: Sequence[str] | None = None,
    body: bytes = b'{"data": [1, 2]}',
) -> Result:
    """Run a load; *interrupt* is called with the engine and the driver *after_s* seconds after its start."""
    to = Destination(scheme="http", host="127.0.0.1", port=port)
    blocks: list[np.ndarray] = []
    judging = Judging(sinks=[lambda block: blocks.append(block.copy()), *sinks])
    kind: Any = ClosedLoop if isinstance(phases, Phase) else Phased
    sent = requests(to, names or ["ok"] * payloads, body=body)
    driver = kind(phases, sent, [2] * len(sent), judging, PhaseTimes())

    async def main() -> Traffic:
        if interrupt is not None:
            asyncio.get_running_loop().call_later(after_s, interrupt, engine, driver)
        return await asyncio.wait_for(engine.run(driver, slots), PATIENCE_S)

    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.setattr(module, "lane_class", lambda: None)
        engine = Counting(to, timeout_ns=timeout_ns)
        with asyncio.Runner(loop_factory=fast_loop) as runner:
            traffic = runner.run(main())
    driver.flush()
    rows = np.concatenate(blocks)
    for earlier, later in itertools.pairwise(POINTS):
        assert (rows[earlier] <= rows[later]).all(), (earlier, later)
    assert (np.diff(rows["end"]) >= 0).all(), "rows are in order of completion"
    return Result(
        rows=rows, traffic=traffic, examples=driver.examples, driver=driver, lent=engine.lent // rows.itemsize
    )


REPLIES: Final = [
    *[reply(GOOD)] * 6,
    *(reply(GOOD, "Date: now"), reply(OTHER), reply(WRONG), reply(ERROR), reply(b"", status="204 No Content")),
    *(
        reply(GOOD, status="500 Internal Server Error"),
        chunked(GOOD),
        chunked(OTHER),
        reply(GOOD.replace(b"yes", b"YES")),
    ),
    *(reply(GOOD) + reply(GOOD), reply(GOOD) + b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" + reply(GOOD)),
    *(reply(GOOD).replace(b"\r\n", b"\n"), reply(GOOD, "X: " + "y" * 999)),
]
LAST: Final = [reply(GOOD)[:-3], b"nonsense\r\n\r\n", reply(GOOD, "Connection: close")]
"""Replies after which the server closes the connection."""


LONGER: Final = GOOD + b"     "
BEGINS_LIKE_GOOD: Final = [reply(LONGER)[:-5], reply(LONGER)[-5:]]
"""The first piece ends like a whole good reply, but its header announces more."""


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """A reply, cut at up to two places."""
    whole = draw(st.sampled_from([*REPLIES, *LAST]))
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=2))) if draw(st.booleans()) else []
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    return Step(pieces, closes=whole in LAST)


@given(script=st.lists(steps(), min_size=1, max_size=12), payloads=st.integers(1, 3))
@example(script=[Step([reply(GOOD)])] * 8, payloads=1)
@example(script=[Step([reply(GOOD)]), Step([reply(OTHER)])] * 6, payloads=2)
@example(script=[Step([reply(GOOD)])] * 4 + [Step([reply(GOOD)[:20], reply(GOOD)[20:]])] * 2, payloads=1)
@example(script=[Step([reply(GOOD)])] * 4 + [Step([reply(GOOD)[:-3]], closes=True)], payloads=1)
@example(script=[*[Step([reply(GOOD)]), Step([reply(LONGER)])] * 3, Step(BEGINS_LIKE_GOOD)], payloads=2)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_both_paths_give_the_same(script: list[Step], payloads: int) -> None:
    found = []
    for compiled in (False, True):
        with ScriptServer(script) as server:
            phase = Phase(concurrency=1, requests=len(script))
            found.append(drive(server.port, phase, compiled=compiled, payloads=payloads, timeout_ns=SHORT_NS))

    assert found[0].counted() == found[1].counted()
    assert found[0].lent == 0


def test_usual_replies_stay_in_the_lane(fault_server: FaultServer) -> None:
    found = drive(fault_server.port, Phase(concurrency=8, requests=3000), compiled=True, payloads=3, slots=8)

    assert len(found.rows) == 3000
    assert not found.rows["failure"].any()
    assert found.lent >= 3000 - 8 * 3 - 8, "a connection learns each payload once, at most"
    assert found.traffic.connections == 8
    assert (np.bincount(found.rows["payload"]) == 1000).all()


def test_closed_phases_of_a_plan_stay_in_it_too(fault_server: FaultServer) -> None:
    phases = [
        Phase(name="warm-up", concurrency=4, requests=500),
        Phase(name="open", model="open", concurrency=4, rate=1000, duration_ns=200_000_000),
        Phase(name="closed", concurrency=2, requests=700),
    ]

    found = drive(fault_server.port, phases, compiled=True, slots=4)

    assert len(found.rows) == 500 + 200 + 700
    assert not found.rows["failure"].any()
    assert found.lent > 1000
    begins = [int(begin) for begin in found.driver.times.begins]
    in_last = found.rows[found.rows["due"] >= begins[2]]
    assert len(in_last) == 700
    assert found.driver.most == [4, found.driver.most[1], 2]
    edges = np.concatenate([in_last["start"], in_last["end"]])
    change = np.concatenate([np.ones(700, int), -np.ones(700, int)])[np.lexsort((np.arange(1400) < 700, edges))]
    assert change.cumsum().max() <= 2, "never more in flight than the phase allows"


def test_a_phase_with_a_duration_ends_in_time(fault_server: FaultServer) -> None:
    found = drive(fault_server.port, Phase(concurrency=4, duration_ns=300_000_000), compiled=True, slots=4)

    assert (found.rows["start"] < 300_000_000).all()
    assert found.lent > 0
    assert found.driver.lend()[3] > 0, "it was the time that ended it"


@pytest.mark.parametrize("drain", [True, False])
def test_a_stop_ends_the_lane(fault_server: FaultServer, drain: bool) -> None:
    def interrupt(engine: WireEngine, driver: Any) -> None:
        driver.stop()
        engine.stop(drain=drain)

    found = drive(fault_server.port, Phase(concurrency=4), compiled=True, slots=4, interrupt=interrupt)

    ended = found.rows[found.rows["failure"] != 0]
    assert found.lent > 0
    assert len(ended) <= (0 if drain else 4)
    assert {Failure.TRANSPORT} >= set(ended["failure"])
    fault_server.reset()


def test_a_request_of_the_lane_times_out(caplog: pytest.LogCaptureFixture) -> None:
    silent = [Step([reply(GOOD)])] * 20 + [Step([])]
    with ScriptServer(silent) as server:
        found = drive(server.port, Phase(concurrency=1, requests=21), compiled=True, timeout_ns=SHORT_NS)

    assert [*[Failure.NONE] * 20, Failure.TIMEOUT] == found.rows["failure"].tolist()
    last = found.rows[-1]
    assert found.lent >= 17
    assert SHORT_NS <= last["end"] - last["start"] < 10 * SHORT_NS
    assert [] == caplog.records


@pytest.mark.parametrize("name", ["reset", "close-before"])
def test_a_connection_that_ends_under_the_lane_fails_as_on_pythons_path(fault_server: FaultServer, name: str) -> None:
    # Every eighth payload is for a fault; the others are answered.
    names = ["ok"] * 7 + [name]
    found = [
        drive(fault_server.port, Phase(concurrency=1, requests=80), compiled=compiled, names=names)
        for compiled in (False, True)
    ]

    assert found[0].counted() == found[1].counted()
    assert found[1].lent >= 50


def test_new_requests_are_sent_as_soon_as_they_replace_the_old(fault_server: FaultServer) -> None:
    to = Destination(scheme="http", host="127.0.0.1", port=fault_server.port)

    def interrupt(_: WireEngine, driver: Any) -> None:
        driver.replace(requests(to, ["ok"], ("X-Token", "new")))

    drive(
        fault_server.port,
        Phase(concurrency=1, duration_ns=300_000_000),
        compiled=True,
        interrupt=interrupt,
        after_s=0.1,
    )

    tokens = [seen.header("X-Token") for seen in fault_server.seen]
    assert {None, "new"} == set(tokens)
    assert tokens == sorted(tokens, key=bool), "no old request after the first new one"


def test_an_error_of_a_sink_ends_the_run(fault_server: FaultServer) -> None:
    def full(_: np.ndarray) -> None:
        raise OSError(28, "no space left on device")

    with pytest.raises(OSError, match="no space left"):
        drive(fault_server.port, Phase(concurrency=4, requests=4 * BLOCK_ROWS), compiled=True, slots=4, sinks=[full])


def test_a_request_that_the_socket_takes_in_parts_is_sent_whole(fault_server: FaultServer) -> None:
    large = b'{"data": ["' + b"x" * 6_000_000 + b'"]}'

    found = drive(fault_server.port, Phase(concurrency=2, requests=12), compiled=True, slots=2, body=large)

    assert not found.rows["failure"].any()
    assert {len(large)} == {seen.body_bytes for seen in fault_server.seen}
    assert (found.rows["sent"] > found.rows["start"]).all()


def test_without_the_module_pythons_path_runs(fault_server: FaultServer) -> None:
    found = drive(fault_server.port, Phase(concurrency=2, requests=50), compiled=False, slots=2)

    assert len(found.rows) == 50
    assert found.lent == 0


def test_a_reply_that_comes_while_the_request_is_still_being_sent_waits_for_its_end() -> None:
    large = b'{"data": ["' + b"x" * 6_000_000 + b'"]}'
    found = []
    for compiled in (False, True):
        with ScriptServer([Step([reply(GOOD)])], early=True) as server:
            found.append(drive(server.port, Phase(concurrency=1, requests=6), compiled=compiled, body=large))
            assert [len(large)] * 5 == server.bodies[:5], "the end of the run may cut the last one"

    assert found[0].counted() == found[1].counted()
