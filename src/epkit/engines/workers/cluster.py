"""Workers on the machines of a Dask cluster that is already there.

Dask starts an agent in each of its workers (`epkit.engines.workers.agent`) and carries messages between it and us; its
tasks and its graph are not used, so that the scheduler needs no epkit, and nothing of ours stands in its logs, task
names or dashboard. All goes through the scheduler, as workers often cannot be reached from where a user sits.
"""

import contextlib
import pickle
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

from epkit import __version__
from epkit.core.samples.clocks import Offset
from epkit.core.shortening import cut
from epkit.engines.workers.crew import Inbox, JoinedMessage, LostMessage, Member, dismiss, greet, place_of
from epkit.errors import UsageError
from epkit.process import silenced, unwarned

CONNECT_S: Final = 5.0
WAIT_S: Final = 0.5
"""How long a question for news waits for the first of them."""

PATIENCE_S: Final = 10.0
"""A worker that does not answer within this is lost."""

READINGS: Final = 8
"""Readings of a clock, the best of which counts."""

LOOK_S: Final = 1.0
"""How often a cluster is asked for workers that have joined it."""

MOST_BYTES: Final = 8 << 20


def require_dask() -> None:
    """Find Dask.

    Raises:
        UsageError: the extra `cluster` is not installed.
    """
    try:
        import distributed  # noqa: F401
        import nacl  # noqa: F401
    except ImportError:
        raise UsageError("--cluster needs Dask: pip install 'epkit[cluster]', here and on the workers") from None


class ClusterMember:
    """A worker process beside a Dask worker."""

    def __init__(self, client: Any, address: str, handler: str, told: Mapping[str, Any], inbox: Inbox) -> None:
        """Begin to listen to it.

        Args:
            handler: name of what the Dask worker answers to.
            told: what its agent said of itself.
        """
        from nacl.public import PublicKey, SealedBox

        self.name = address.partition("://")[2]
        self.host = str(told["host"])
        self.place = tuple(told["place"])
        self.address = address
        self._client, self._handler, self._inbox = client, handler, inbox
        self._box = SealedBox(PublicKey(told["key"]))
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.clock = self._read_clock()
        for work in (self._listen, self._post):
            threading.Thread(target=work, daemon=True).start()

    def send(self, message: object) -> None:
        """Send it a message."""
        self._outbox.put(pickle.dumps(message, protocol=5))

    def compare_clocks(self) -> Offset:
        """Compare clocks once more; as before, where it does not answer."""
        try:
            return self._read_clock()
        except Exception:  # noqa: BLE001 - whatever Dask raises: it is gone
            return self.clock

    def close(self) -> None:
        """Let it go."""
        self.abandon()
        with contextlib.suppress(Exception):
            self._ask("close")

    def abandon(self) -> None:
        """Listen to it no more: it does not answer."""
        self._closed.set()
        self._outbox.put(None)

    def _ask(self, verb: str, *, timeout_s: float = PATIENCE_S, **more: Any) -> Any:
        """Ask the agent something; all calls go through the scheduler."""
        message = {"op": self._handler, "verb": verb, **more}
        scheduler: Any = self._client.scheduler
        answer = self._client.sync(scheduler.proxy, worker=self.address, msg=message, callback_timeout=timeout_s)
        if isinstance(answer, Mapping) and answer.get("status") == "uncaught-error":
            raise RuntimeError(str(answer.get("exception_text", "an error")))
        return answer

    def _read_clock(self) -> Offset:
        best: Offset | None = None
        for _ in range(READINGS):
            sent = time.perf_counter_ns()
            told = self._ask("clock")
            found = Offset.of(sent, int(told), time.perf_counter_ns())
            best = found if best is None else best.better(found)
        assert best is not None
        return best

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                frames, why = self._ask("poll", wait_s=WAIT_S, timeout_s=WAIT_S + PATIENCE_S)
            except Exception as error:  # noqa: BLE001 - Dask raises much, and all of it means the same
                self._lose(_words(error))
                return
            for frame in frames:
                self._inbox.put((self, pickle.loads(frame)))  # noqa: S301 - a cluster is trusted, as Dask itself does
            if why is not None:
                self._lose(why)
                return

    def _post(self) -> None:
        while (frame := self._outbox.get()) is not None:
            sealed, size = [bytes(self._box.encrypt(frame))], len(frame)
            with contextlib.suppress(Empty):
                while size < MOST_BYTES:
                    more = self._outbox.get_nowait()
                    if more is None:
                        self._outbox.put(None)
                        break
                    sealed.append(bytes(self._box.encrypt(more)))
                    size += len(more)
            try:
                self._ask("post", sealed=tuple(sealed), timeout_s=PATIENCE_S + size / 1e6)
            except Exception as error:  # noqa: BLE001 - as above
                self._lose(_words(error))
                return

    def _lose(self, why: str) -> None:
        with self._lock:
            if not self._closed.is_set():
                self._closed.set()
                self._inbox.put((self, LostMessage(why)))


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"has not answered for {PATIENCE_S:.0f} s"
    return "is gone from the cluster"


class ClusterCrew:
    """The workers of a cluster."""

    is_elsewhere = True

    def __init__(self, address: str, module: str, note: Callable[[str], None], *, joins: bool = False) -> None:
        """Find a cluster's workers, and start ours beside them.

        Args:
            address: of the scheduler.
            module: that ours run.
            note: is told which workers cannot be used, and why.
            joins: whether workers that join the cluster later are used, too.

        Raises:
            UsageError: there is no such cluster, or no worker that can be used.
        """
        self.inbox: Inbox = SimpleQueue()
        self._module, self._note = module, note
        self._address = address if "://" in address else f"tcp://{address}"
        self._members: list[Member] = []
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._quiet = contextlib.ExitStack()
        self._client: Any = None
        try:
            import distributed  # which sets the levels of its loggers

            # What Dask has to say of a connection that breaks is said here, in one line.
            self._quiet.enter_context(silenced("distributed"))
            self._quiet.enter_context(unwarned("distributed"))
            self._client = _connect(distributed.Client, self._address)
            self._members = self._hire()
            greet(self.inbox, self._members)
        except BaseException:
            self.close()
            raise
        if not self._members:
            self.close()
            nobody = "none of its workers can be used" if self._known else "it has no workers"
            raise UsageError(f"--cluster {self._address}: {nobody}")
        worst = max(member.clock.error_ns for member in self._members)
        self.lead_ns = 200_000_000 + 20 * worst
        if joins:
            threading.Thread(target=self._look_out, daemon=True).start()

    @property
    def members(self) -> Sequence[Member]:
        """Those that are not lost."""
        with self._lock:
            return tuple(self._members)

    @property
    def is_beside(self) -> bool:
        """Whether all workers share this machine, and its loopback interface."""
        return {member.place for member in self.members if isinstance(member, ClusterMember)} == {place_of()}

    def lose(self, member: Member) -> None:
        """Count on a member no more."""
        with self._lock:
            if member in self._members:
                self._members.remove(member)
        if isinstance(member, ClusterMember):
            member.abandon()

    def close(self) -> None:
        """Let all go."""
        self._closed.set()
        dismiss(self.members)
        with self._quiet, contextlib.suppress(Exception):
            if self._client is not None:
                self._client.close(timeout=2)

    def _hire(self) -> list[Member]:
        """Start ours beside those workers that were not known yet and can be used."""
        from epkit.engines.workers import agent

        scheduler: Any = self._client.scheduler
        told = self._client.sync(scheduler.broadcast, msg={"op": "versions", "packages": ["epkit"]}, on_error="ignore")
        fit = []
        for address, versions in told.items():
            if address in self._known:
                continue
            self._known.add(address)
            version = versions["packages"].get("epkit")
            if version == __version__:
                fit.append(address)
            else:
                found = "has no epkit" if version is None else f"has epkit {version}, and this is {__version__}"
                self._note(
                    f"{address} is not used: it {found}: pip install 'epkit[cluster]=={__version__}' on the workers"
                )
        if not fit:
            return []
        handler = f"epkit-{secrets.token_hex(4)}"
        started = self._client.run(agent.start, handler, self._module, workers=fit, on_error="return")
        hired: list[Member] = []
        for address, answer in started.items():
            if isinstance(answer, Exception):
                self._note(f"{address} is not used: {_reason(answer)}")
            else:
                hired.append(ClusterMember(self._client, address, handler, answer, self.inbox))
        return hired

    def _look_out(self) -> None:
        """Use workers that join."""
        while not self._closed.wait(LOOK_S):
            try:
                for member in self._hire():
                    with self._lock:
                        self._members.append(member)
                    self.inbox.put((member, JoinedMessage()))
            except Exception:  # noqa: BLE001, S112 - the scheduler may be gone; its workers will say so
                continue


def _connect(make: Any, address: str) -> Any:
    """Connect to a scheduler with Dask's client.

    Raises:
        UsageError: none answers there.
    """
    try:
        return make(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise UsageError(f"--cluster {address}: no scheduler answers there: {_first_line(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"it lacks a part of epkit[cluster]: {_first_line(error)}"
    return f"epkit cannot be started beside it: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return cut((str(error) or type(error).__name__).splitlines()[0], 200)
