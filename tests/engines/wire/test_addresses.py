"""Addresses are used in turn, removed when they refuse, and looked up again."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from epkit.core.http.destination import Destination
from epkit.engines.wire import addresses as module
from epkit.engines.wire.addresses import REFRESH_NS, Address, Addresses
from epkit.errors import EndpointError

TO = Destination(scheme="http", host="scoring.example", port=80)


class World:
    """A clock and a name server whose answers the test sets."""

    def __init__(self) -> None:
        self.now = 10**18
        self.answers: list[str] | Exception = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        self.asked: list[tuple[str, int]] = []
        self.slow = False

    def perf_counter_ns(self) -> int:
        return self.now

    async def ask(self, host: str, port: int) -> list[Any]:
        self.asked.append((host, port))
        if self.slow:
            await asyncio.sleep(3600)
        if isinstance(self.answers, Exception):
            raise self.answers
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port)) for answer in self.answers]


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> World:
    context = World()
    monkeypatch.setattr(module, "time", context)
    monkeypatch.setattr(module, "_ask", context.ask)
    return context


def hosts(order: list[Address]) -> str:
    return "".join(where[0][-1] for _, where in order)


def play(context: World, story: Callable[[Addresses], Awaitable[None]], to: Destination = TO) -> None:
    """Resolve, and continue with *story*."""

    async def main() -> None:
        addresses = Addresses(to)
        await addresses.resolve()
        await story(addresses)
        await addresses.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(), 8))


def test_each_connection_begins_with_the_next_address(context: World) -> None:
    async def story(addresses: Addresses) -> None:
        assert ["123", "231", "312", "123"] == [hosts(addresses.turn()) for _ in range(4)]

    play(context, story)

    assert [("scoring.example", 80)] == context.asked


def test_an_address_that_is_named_twice_has_one_turn(context: World) -> None:
    context.answers = ["10.0.0.1", "10.0.0.2", "10.0.0.1"]

    async def story(addresses: Addresses) -> None:
        assert ["12", "21", "12"] == [hosts(addresses.turn()) for _ in range(3)]

    play(context, story)


def test_an_address_that_refused_is_left_out_until_the_next_look_up(context: World) -> None:
    async def story(addresses: Addresses) -> None:
        refused = addresses.turn()[0]
        addresses.refuse(refused)
        addresses.refuse(refused)
        assert "23" == hosts(addresses.turn())
        context.now += REFRESH_NS + 1
        assert "32" == hosts(addresses.turn()), "the look-up is not waited for"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert "123" == hosts(addresses.turn())

    play(context, story)


def test_the_last_address_is_never_forgotten(context: World) -> None:
    async def story(addresses: Addresses) -> None:
        for address in addresses.turn():
            addresses.refuse(address)
        assert "3" == hosts(addresses.turn())

    play(context, story)


def test_the_name_is_looked_up_again_once_in_a_while_and_once_at_a_time(context: World) -> None:
    async def story(addresses: Addresses) -> None:
        context.now += REFRESH_NS
        addresses.turn()
        await asyncio.sleep(0)
        assert 1 == len(context.asked)
        context.now += 1
        context.answers = ["10.0.0.7"]
        for _ in range(5):
            addresses.turn()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 2 == len(context.asked)
        assert "7" == hosts(addresses.turn())

    play(context, story)


def test_a_name_server_that_is_away_does_not_end_a_run(context: World) -> None:
    async def story(addresses: Addresses) -> None:
        context.answers = socket.gaierror(-3, "Temporary failure in name resolution")
        for looked_up in (2, 3):
            context.now += REFRESH_NS + 1
            addresses.turn()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert "123" == "".join(sorted(hosts(addresses.turn())))
            assert looked_up == len(context.asked), "it waits before it asks again"

    play(context, story)


def test_closing_ends_a_look_up_that_is_under_way(context: World) -> None:
    async def story(addresses: Addresses) -> None:
        before = asyncio.all_tasks()
        context.slow = True
        context.now += REFRESH_NS + 1
        addresses.turn()
        await asyncio.sleep(0)
        (looking_up,) = asyncio.all_tasks() - before
        await addresses.close()
        assert looking_up.cancelled()

    play(context, story)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("odd"), "odd"),
        (UnicodeError("label too long"), "label too long"),
    ],
)
def test_a_name_without_an_address_is_named_with_the_reason(context: World, error: Exception, reason: str) -> None:
    context.answers = error

    with pytest.raises(EndpointError, match=rf"scoring\.example.*{reason}"):
        play(context, lambda _: asyncio.sleep(0))


def test_a_look_up_that_nobody_waits_for_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(8))
    began = time.monotonic()

    async def main() -> None:
        async with asyncio.timeout(0.1):
            await module.look_up(TO)

    with pytest.raises(TimeoutError), asyncio.Runner() as runner:
        runner.run(main())
    assert time.monotonic() - began < 4
    over.set()


def test_what_is_connected_to_instead_is_looked_up(context: World) -> None:
    to = Destination(scheme="http", host="scoring.example", port=80, connect_to=("other.example", 8080))

    play(context, lambda _: asyncio.sleep(0), to)

    assert [("other.example", 8080)] == context.asked


def test_a_unix_socket_is_not_looked_up(context: World) -> None:
    to = Destination(scheme="http", host="scoring.example", port=80, unix="a/socket")

    async def story(addresses: Addresses) -> None:
        context.now += 10**6 * REFRESH_NS
        assert [(socket.AF_UNIX, "a/socket")] == addresses.turn() == addresses.turn()

    play(context, story, to)

    assert [] == context.asked
