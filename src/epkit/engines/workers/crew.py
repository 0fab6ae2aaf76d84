"""The interface to workers: a way to send messages to each, and one inbox for their messages.

A message is a value of one of the crew's types (`Messages`). When a worker is lost or joins later, the inbox gets one
message about it.
"""

import platform
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from epkit.core.http.masking import clean
from epkit.core.samples.clocks import Offset
from epkit.engines.workers.processes import WorkerProcess
from epkit.engines.workers.values import MalformedError, Messages
from epkit.errors import EpkitError, UsageError

START_S: Final = 60.0
"""How long a worker may take to start."""

LOCAL_LEAD_NS: Final = 20_000_000
"""How far ahead local workers are given a start time, ns."""


@dataclass(frozen=True, slots=True)
class HelloMessage:
    """The first message of a worker: the name of its machine."""

    host: str


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A worker cannot start with the message that it got."""

    error: EpkitError


@dataclass(frozen=True, slots=True)
class LostMessage:
    """A worker is lost; this process puts the message into the inbox."""

    why: str


@dataclass(frozen=True, slots=True)
class JoinedMessage:
    """A worker has joined after the start; this process puts the message into the inbox."""


Inbox = SimpleQueue[tuple["Member | None", Any]]
"""Messages with their senders; the sender None is this process: a signal."""


class Member(Protocol):
    """A worker.

    `name` is its name in messages, `host` its machine, `clock` the offset of its clock from this machine's.
    """

    name: str
    host: str
    clock: Offset

    def send(self, message: object) -> None:
        """Send it a message without waiting. A message to a lost worker is dropped."""

    def compare_clocks(self) -> Offset:
        """Compare clocks again; return the result."""

    def close(self) -> None:
        """Let it end."""


class Crew(Protocol):
    """The workers of a run or a job.

    `lead_ns` is how far ahead members must get a start time. `is_elsewhere` is whether members may be on other machines
    with other files. `shares_loopback` is whether all members reach servers that listen only on this machine.
    """

    inbox: Inbox
    lead_ns: int
    is_elsewhere: bool

    @property
    def shares_loopback(self) -> bool: ...  # noqa: D102

    @property
    def members(self) -> Sequence[Member]:
        """The members that are not lost."""

    def lose(self, member: Member) -> None:
        """Count a member as lost."""

    def close(self) -> None:
        """Let all members end."""


class LocalMember:
    """A worker process on this machine. It has the same clock, because a machine has one monotonic clock."""

    def __init__(self, name: str, inbox: Inbox, module: str, messages: Messages) -> None:
        self.name, self.host, self.clock = name, "", Offset()
        self._inbox, self._messages = inbox, messages
        self._process = WorkerProcess(module, self._arrived, lambda why: inbox.put((self, LostMessage(why))))

    def send(self, message: object) -> None:
        """Send it a message."""
        self._process.send(self._messages.pack(message))

    def compare_clocks(self) -> Offset:
        """Return the offset of the clocks."""
        return self.clock

    def close(self) -> None:
        """End it."""
        self._process.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _arrived(self, frame: bytes) -> None:
        self._inbox.put((self, received(self._messages, frame)))


class LocalCrew:
    """Worker processes on this machine."""

    lead_ns = LOCAL_LEAD_NS
    is_elsewhere = False
    shares_loopback = True

    def __init__(self, workers: int, module: str, messages: Messages) -> None:
        """Start all workers, and wait until they are ready.

        Args:
            workers: number of workers.
            module: module that they run.
            messages: the messages in both directions.

        Raises:
            UsageError: a worker cannot be started.
        """
        self.inbox: Inbox = SimpleQueue()
        self._members: list[LocalMember] = [
            LocalMember(f"worker {number}", self.inbox, module, messages) for number in range(1, workers + 1)
        ]
        try:
            greet(self.inbox, self._members)
        except BaseException:
            self.close()
            raise

    @property
    def members(self) -> Sequence[Member]:
        """The members that are not lost."""
        return tuple(self._members)

    def lose(self, member: Member) -> None:
        """Count a member as lost."""
        for known in self._members:
            if known is member:
                self._members.remove(known)
                known.kill()
                return

    def close(self) -> None:
        """End all."""
        dismiss(self._members)
        self._members.clear()


def dismiss(members: Sequence[Member]) -> None:
    """Let members end, all at once."""
    if members:
        with ThreadPoolExecutor(len(members)) as pool:
            list(pool.map(lambda member: member.close(), members))


def received(messages: Messages, frame: bytes) -> Any:
    """Read a frame of a worker. An invalid frame counts as the loss of the worker."""
    try:
        return messages.unpack(frame)
    except MalformedError as error:
        return LostMessage(f"sent an invalid message: {error}")


def greet(inbox: Inbox, members: Sequence[Member]) -> None:
    """Wait until the members have sent their first message.

    Raises:
        UsageError: a member ends before that, or takes too long.
    """
    waiting = set(members)
    deadline = time.monotonic() + START_S
    while waiting:
        try:
            member, message = inbox.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            names = ", ".join(sorted(each.name for each in waiting))
            raise UsageError(f"{names}: not started after {START_S:.0f} s: is the machine overloaded?") from None
        if isinstance(message, LostMessage) and member in waiting:
            raise UsageError(f"{member.name} cannot be started: it {message.why}")
        if isinstance(message, HelloMessage) and member is not None:
            member.host = clean(message.host, 100)
            waiting.discard(member)


def place_of() -> tuple[str, ...]:
    """Return an identifier that is equal for all processes with the same loopback interface: machine and network."""
    try:
        boot, network = (
            Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            Path("/proc/self/ns/net").readlink(),
        )
    except OSError:  # another system than Linux
        return (platform.node(),)
    return boot, str(network)
