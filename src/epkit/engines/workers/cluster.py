"""Workers on the machines of an existing Dask cluster.

Dask starts an agent in each of its workers (`epkit.engines.workers.agent`), and carries messages between it and this
process. Its tasks and graphs are not used: so the scheduler needs no epkit, and no data of epkit appears in its logs,
task names or dashboard. All messages go through the scheduler, because a user often cannot reach the workers directly.
"""

import contextlib
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

from epkit import __version__
from epkit.core.http.masking import clean
from epkit.core.load.cluster import ClusterAddress
from epkit.core.samples.clocks import Offset
from epkit.engines.workers.crew import Inbox, JoinedMessage, LostMessage, Member, dismiss, greet, place_of, received
from epkit.engines.workers.values import MalformedError, Messages
from epkit.errors import UsageError
from epkit.process import silenced, unwarned

CONNECT_S: Final = 5.0
WAIT_S: Final = 0.5
"""How long a poll waits for the first frame."""

PATIENCE_S: Final = 10.0
"""A worker that does not answer within this time is lost."""

READINGS: Final = 8
"""Readings of a clock; the best one counts."""

LOOK_S: Final = 1.0
"""Interval between two searches for new workers in a cluster."""

MOST_BYTES: Final = 8 << 20
"""Greatest size of frames that are sent together, unless a single one is larger."""

MOST_PLACES: Final = 8
"""Greatest number of parts of a worker's place, each of at most `MOST_WORDS` characters."""

MOST_WORDS: Final = 300


def require_dask() -> None:
    """Check that Dask is installed.

    Raises:
        UsageError: the extra `cluster` is not installed.
    """
    try:
        import distributed  # noqa: F401
        import nacl  # noqa: F401
    except ImportError:
        raise UsageError("--cluster needs Dask: pip install 'epkit[cluster]', here and on the workers") from None


class ClusterMember:
    """A worker process next to a Dask worker."""

    def __init__(
        self, client: Any, address: str, handler: str, report: object, inbox: Inbox, messages: Messages, mine: Any
    ) -> None:
        """Start to receive its frames.

        Args:
            handler: name of the handler in the Dask worker.
            report: the agent's report about itself.
            messages: the messages in both directions.
            mine: own key pair; the agent has its public key.

        Raises:
            MalformedError: the agent's report is not one of epkit's.
        """
        self.host, self.place = _host_and_place(report)
        self.name = address.partition("://")[2]
        self.address = address
        self._client, self._handler, self._inbox = client, handler, inbox
        self._messages, self._mine = messages, mine
        self._seal: Any = None  # until its process has sent its key
        self._sealed = threading.Event()
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.clock = self._read_clock()
        for work in (self._listen, self._post):
            threading.Thread(target=work, daemon=True).start()

    def send(self, message: object) -> None:
        """Send it a message."""
        self._outbox.put(self._messages.pack(message))

    def compare_clocks(self) -> Offset:
        """Compare clocks again; if the worker does not answer, return the last result."""
        try:
            return self._read_clock()
        except Exception:  # noqa: BLE001 - Dask may raise anything: the worker is lost
            return self.clock

    def close(self) -> None:
        """Let it end."""
        self.abandon()
        with contextlib.suppress(Exception):
            self._ask("close")

    def abandon(self) -> None:
        """Stop listening to it, because it does not answer."""
        self._closed.set()
        self._sealed.set()
        self._outbox.put(None)

    def _ask(self, verb: str, *, timeout_s: float = PATIENCE_S, **more: Any) -> Any:
        """Send a request to the agent, through the scheduler."""
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
            report = self._ask("clock")
            if type(report) is not int or not 0 <= report < 2**63:
                raise MalformedError("a time that no clock shows")
            found = Offset.of(sent, report, time.perf_counter_ns())
            best = found if best is None else best.better(found)
        assert best is not None
        return best

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                frames, why = _polled(self._ask("poll", wait_s=WAIT_S, timeout_s=WAIT_S + PATIENCE_S))
                for frame in frames:
                    self._take(frame)
            except MalformedError as error:
                self._lose(f"sent an invalid message: {error}")
                return
            except Exception as error:  # noqa: BLE001 - Dask may raise anything: the worker is lost
                self._lose(_words(error))
                return
            if why is not None:
                self._lose(why)
                return

    def _take(self, frame: bytes) -> None:
        """Decrypt a frame, and deliver its message. The first frame is the key of the worker's process."""
        if self._seal is None:
            from epkit.engines.workers.sealing import KEY_BYTES, Seal

            if len(frame) != KEY_BYTES:
                raise MalformedError("no key came first")
            self._seal = Seal(self._mine, frame, is_worker=False)
            self._sealed.set()
            return
        message = received(self._messages, self._seal.open(frame))
        if isinstance(message, LostMessage):
            self._lose(message.why)
        elif not self._closed.is_set():
            self._inbox.put((self, message))

    def _post(self) -> None:
        self._sealed.wait()
        while (frame := self._outbox.get()) is not None:
            sealed, size = [self._seal.close(frame)], len(frame)
            with contextlib.suppress(Empty):
                while size < MOST_BYTES:
                    more = self._outbox.get_nowait()
                    if more is None:
                        self._outbox.put(None)
                        break
                    sealed.append(self._seal.close(more))
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
                self._sealed.set()
                self._inbox.put((self, LostMessage(why)))


def _host_and_place(report: object) -> tuple[str, tuple[str, ...]]:
    """Read an agent's report about its machine.

    Raises:
        MalformedError: it is not a report of epkit's agent.
    """
    match report:
        case {"host": str(host), "place": [*place]} if len(place) <= MOST_PLACES:
            if all(isinstance(part, str) and len(part) <= MOST_WORDS for part in place):
                return clean(host, 100), tuple(place)
    raise MalformedError("what answers there is not epkit's")


def _polled(answer: object) -> tuple[list[bytes], str | None]:
    """Read the answer to a poll.

    Raises:
        MalformedError: it is not such an answer.
    """
    match answer:
        case [[*given], (str() | None) as why]:
            frames = [frame for frame in given if isinstance(frame, bytes)]
            if len(frames) == len(given):
                return frames, None if why is None else clean(why, MOST_WORDS)
    raise MalformedError("an answer that is not epkit's")


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"has not answered for {PATIENCE_S:.0f} s"
    return "is gone from the cluster"


class ClusterCrew:
    """The workers of a cluster."""

    is_elsewhere = True

    def __init__(
        self,
        cluster: ClusterAddress,
        module: str,
        messages: Messages,
        note: Callable[[str], None],
        *,
        joins: bool = False,
    ) -> None:
        """Find a cluster's workers, and start a process of epkit next to each.

        Args:
            cluster: the scheduler.
            module: module that these processes run.
            messages: the messages in both directions.
            note: called for each worker that cannot be used, with the reason.
            joins: whether workers that join the cluster later are used too.

        Raises:
            UsageError: there is no such cluster, or no worker that can be used.
        """
        self.inbox: Inbox = SimpleQueue()
        self._module, self._messages, self._note = module, messages, note
        self._address = cluster.address
        self._members: list[Member] = []
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._quiet = contextlib.ExitStack()
        self._client: Any = None
        try:
            import distributed  # this import sets the levels of its loggers
            from nacl.public import PrivateKey

            self._mine = PrivateKey.generate()
            # Dask's own messages about broken connections are hidden: epkit reports them in one line.
            self._quiet.enter_context(silenced("distributed"))
            self._quiet.enter_context(unwarned("distributed"))
            self._client = _connect(distributed.Client, cluster)
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
        """The members that are not lost."""
        with self._lock:
            return tuple(self._members)

    @property
    def shares_loopback(self) -> bool:
        """Whether all workers share this machine, and its loopback interface."""
        return {member.place for member in self.members if isinstance(member, ClusterMember)} == {place_of()}

    def lose(self, member: Member) -> None:
        """Count a member as lost."""
        with self._lock:
            if member in self._members:
                self._members.remove(member)
        if isinstance(member, ClusterMember):
            member.abandon()

    def close(self) -> None:
        """Let all members end."""
        self._closed.set()
        dismiss(self.members)
        with self._quiet, contextlib.suppress(Exception):
            if self._client is not None:
                self._client.close(timeout=2)

    def _hire(self) -> list[Member]:
        """Start epkit's processes next to the usable new workers."""
        from epkit.engines.workers import agent

        scheduler: Any = self._client.scheduler
        report = self._client.sync(
            scheduler.broadcast, msg={"op": "versions", "packages": ["epkit"]}, on_error="ignore"
        )
        fit = []
        for address, versions in report.items():
            if address in self._known:
                continue
            self._known.add(address)
            version = _version(versions)
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
        key = bytes(self._mine.public_key)
        started = self._client.run(agent.start, handler, self._module, key, workers=fit, on_error="return")
        hired: list[Member] = []
        for address, answer in started.items():
            if isinstance(answer, Exception):
                self._note(f"{address} is not used: {_reason(answer)}")
                continue
            try:
                hired.append(
                    ClusterMember(self._client, address, handler, answer, self.inbox, self._messages, self._mine)
                )
            except MalformedError as error:
                self._note(f"{address} is not used: {error}")
        return hired

    def _look_out(self) -> None:
        """Use workers that have joined."""
        while not self._closed.wait(LOOK_S):
            try:
                for member in self._hire():
                    with self._lock:
                        self._members.append(member)
                    self.inbox.put((member, JoinedMessage()))
            except Exception:  # noqa: BLE001, S112 - the scheduler may have ended: the polls of its workers report that
                continue


def _connect(make: Any, cluster: ClusterAddress) -> Any:
    """Connect to a scheduler with Dask's client.

    Raises:
        UsageError: there is no scheduler, or its certificate is not trusted.
    """
    security = _security(cluster)
    try:
        return make(cluster.address, timeout=CONNECT_S, set_as_default=False, security=security)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        where = f"--cluster {cluster.address}"
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
            raise UsageError(
                f"{where}: the scheduler's certificate is not signed by the authority that is trusted: --cluster-ca"
            ) from None
        raise UsageError(f"{where}: no scheduler answers there: {_first_line(error)}") from None


def _security(cluster: ClusterAddress) -> Any:
    """Make Dask's TLS settings: from the flags, and otherwise from Dask's configuration.

    Raises:
        UsageError: a certificate is missing, or cannot be read.
    """
    from distributed.security import Security

    make: Any = Security  # it has no type annotations

    if not cluster.is_encrypted:
        return None
    files = {"tls_ca_file": cluster.ca, "tls_client_cert": cluster.cert, "tls_client_key": cluster.key}
    security: Any = make(require_encryption=True, **{name: file for name, file in files.items() if file is not None})
    where = f"--cluster {cluster.address}"
    if security.tls_ca_file is None or security.tls_client_cert is None:
        raise UsageError(
            f"{where}: certificates are missing: --cluster-ca, --cluster-cert and --cluster-key name them, or "
            "distributed.comm.tls in Dask's configuration"
        )
    try:
        security.get_connection_args("client")
    except (OSError, ValueError) as error:  # errors of ssl are OSErrors
        flags = "--cluster-ca, --cluster-cert, --cluster-key"
        raise UsageError(f"{where}: the certificates cannot be used ({flags}): {_first_line(error)}") from None
    return security


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _version(versions: object) -> str | None:
    """Return the version of a worker's epkit; None if it has none, or does not report it."""
    match versions:
        case {"packages": {"epkit": str(version)}}:
            return clean(version, 40)
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"it lacks a part of epkit[cluster]: {_first_line(error)}"
    return f"epkit cannot be started next to it: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return clean((str(error) or type(error).__name__).splitlines()[0], 200)
