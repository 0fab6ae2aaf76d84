"""Keeps one local endpoint or published pipeline running, in a process that outlives the command which started it.

Theory of operation. `epkit deploy create` passes two descriptors: the listening socket, and the endpoint's lock, which
is already taken. The supervisor starts a server process (`local_server`) on the socket, and waits for three events:

    a server reports that it is ready   its generation serves; the server before it is made to finish and end
    a server ends                       it is started again, after a pause that grows with each failure
    a signal                            SIGHUP: a change is wanted, or no longer wanted; SIGTERM: end

A change (another model, `logs enable`, a new key) is a new generation. Its server is started next to the old one on the
same socket, and takes over when it is ready, so no request is refused. Only then do the wanted settings replace the
settings from which a crashed server is started again. So a server that does not become ready changes nothing. The
gunicorn of the old server accepts no more connections, finishes the requests in flight, and answers later requests on
kept connections with `Connection: close`. gunicorn's own master replaces a worker that dies; the supervisor replaces
the master.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from epkit.backends.local.ingestion import Ingestion, halve
from epkit.backends.local.state import Home, ServerKind, Settings, Status
from epkit.errors import BackendError

TICK_S: Final = 1.0
MOST_LOG_BYTES: Final = 16 << 20
GRACE_S: Final = 10.0
"""Time limit in seconds for a server that must end with the endpoint, or before it has served; then it is killed."""
FINISH_S: Final = 300.0
"""Time limit in seconds for requests in flight when another server takes over; then they are cut off."""
SERVERS: Final[Mapping[ServerKind, str]] = {
    "custom": "epkit.backends.local.server",
    "mlflow": "epkit.backends.local.mlflow_server",
    "pipeline": "epkit.flows.pipeline.publishing.server",
}
"""The module that serves each kind."""
PUBLISHED: Final = "EPKIT_PUBLISHED"
"""Environment variable with the directory of a published pipeline, for its server."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0


@dataclass(slots=True)
class ServerProcess:
    """A server process.

    Args:
        lifeline: the write end of a pipe; the server ends when it is closed.
        ready: the read end of a pipe on which the server reports that it is ready.
        settings: the settings of the server.
        log_start: offset in bytes at which its log begins.
        ending_at: monotonic time at which it was made to end, None before.
    """

    process: subprocess.Popen[bytes]
    lifeline: int
    ready: int
    settings: Settings
    log_start: int
    serves: bool = False
    ending_at: float | None = None


class Supervisor:
    """Supervises one endpoint during its whole life."""

    def __init__(self, home: Home, listener: int) -> None:
        self.home = home
        self.listener = listener
        self.status = Status(pid=os.getpid(), state="starting")
        self.servers: list[ServerProcess] = []
        self._ingestion: Ingestion | None = None
        self._passed: dict[str | None, dict[str, str]] = {}
        self._events = selectors.DefaultSelector()
        self._signals: set[int] = set()
        self._restart_at: float | None = None
        self._unwritten = False
        self._pause_s = FIRST_PAUSE_S

    def run(self) -> None:
        """Run until SIGTERM, or until the first server fails to start."""
        wake, woken = socket.socketpair()
        with wake, woken, self._events:
            self._live(wake, woken)
            signal.set_wakeup_fd(-1)
            self._end()

    def _live(self, wake: socket.socket, woken: socket.socket) -> None:
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, lambda which, _frame: self._signals.add(which))
        self._events.register(wake, selectors.EVENT_READ, None)
        self.home.save(self.status)  # if the disk is full already, this ends; the waiting command says why
        self._start()
        while not self._signals & {signal.SIGTERM, signal.SIGINT} and self.status.state != "failed":
            for key, _ in self._events.select(self._patience()):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        wake.recv(4096)
                else:
                    self._heard(key.data)
            if signal.SIGHUP in self._signals:
                self._signals.discard(signal.SIGHUP)
                self._change()
            self._attend()

    def _patience(self) -> float:
        if self._restart_at is None:
            return TICK_S
        return min(TICK_S, max(0.0, self._restart_at - time.monotonic()))

    def _say(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self._write_down()

    def _write_down(self) -> None:
        """Write the status; on failure, try again at each tick: a full disk does not end an endpoint."""
        try:
            self.home.save(self.status)
            self._unwritten = False
        except OSError:
            self._unwritten = True

    def _start(self) -> None:
        """Start a server with the current settings, or record why it cannot be started."""
        self._restart_at = None
        try:
            self._launch(self.home.settings())
        except OSError as error:
            self._failed(self.status.generation, f"{error.filename or self.home.path}: {error.strerror}")
        except BackendError as error:
            self._failed(self.status.generation, str(error))

    def _change(self) -> None:
        """Start a server with the wanted settings; end servers of earlier changes that do not serve yet."""
        for server in self.servers:
            if server.ending_at is None and server.settings.generation > self.status.generation:
                self._tell_to_end(server)
        decided = max(self.status.generation, self.status.failed_generation)
        wanted = decided + 1
        try:
            settings = self.home.wanted()
            if settings is not None and settings.generation > decided:
                wanted = settings.generation
                self._launch(settings)
            self._sweep()
        except OSError as error:
            self._failed(wanted, f"{error.filename or self.home.path}: {error.strerror}")
        except BackendError as error:
            self._failed(wanted, str(error))

    def _launch(self, settings: Settings) -> None:
        """Start a server process.

        Raises:
            OSError: the script's directory is missing, the log cannot be written, or there are too many open files.
            BackendError: the state is damaged.
        """
        keys, environment = self.home.keys(), self._environment(settings)
        log = os.open(self.home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        lifeline_read, lifeline = os.pipe()
        ready, ready_write = os.pipe()
        os.write(lifeline, f"{keys.primary.reveal()} {keys.secondary.reveal()}\n".encode())
        passed = [self.listener, lifeline_read, ready_write]
        try:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of this package
                [sys.executable, "-P", "-m", SERVERS[settings.kind], *map(str, passed)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=passed,
                start_new_session=True,
                cwd=settings.code,
                env=environment,
            )
        except OSError:
            os.close(lifeline)
            os.close(ready)
            raise
        finally:
            for descriptor in (lifeline_read, ready_write, log):
                os.close(descriptor)
        start = self.home.log.stat().st_size
        server = ServerProcess(process, lifeline, ready, settings, start)
        self.servers.append(server)
        self._events.register(ready, selectors.EVENT_READ, server)

    def _environment(self, settings: Settings) -> dict[str, str]:
        if settings.kind == "pipeline":
            return dict(os.environ) | {PUBLISHED: str(self.home.path), "PYTHONUNBUFFERED": "1"}
        own = {
            "AML_APP_ROOT": settings.code,
            "AZUREML_ENTRY_SCRIPT": settings.entry,
            "AZUREML_MODEL_DIR": str(self.home.model_dir(settings.copy)),
            "AZUREML_CONFIG_FILE": str(self.home.path / "config.json"),  # not a workspace's file
            "AML_APP_INSIGHTS_ENABLED": "false",
            "SERVICE_NAME": settings.name,
            "WORKSPACE_NAME": "local",
            "HOSTNAME": socket.gethostname(),
            "TMPDIR": str(self.home.tmp),
            "PYTHONUNBUFFERED": "1",
        }
        if settings.kind == "mlflow":
            own |= {"EPKIT_CONTRACT": str(self.home.contract(settings.copy)), "MLFLOW_DISABLE_TELEMETRY": "true"}
        if settings.app_insights:
            own |= self._telemetry(settings.instrumentation_key)
        return dict(os.environ) | self._passed_to(settings.copy) | own  # `spawn` has chosen the first part

    def _passed_to(self, copy: str | None) -> dict[str, str]:
        """Return the variables that were passed since the endpoint was created; they are kept here and in no file."""
        if copy is not None and copy not in self._passed:
            serving = self.home.settings().copy
            self._passed[copy] = self._passed.get(serving, {}) | self.home.take_environment(copy)
        return self._passed.get(copy, {})

    def _telemetry(self, key: str) -> dict[str, str]:
        if self._ingestion is None:
            self._ingestion = Ingestion(self.home.requests, key)
        address = f"InstrumentationKey={key};IngestionEndpoint={self._ingestion.url}"
        return {
            "AML_APP_INSIGHTS_ENABLED": "true",
            "AML_APP_INSIGHTS_KEY": key,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": address,
            # Otherwise the exporter sends its own statistics to Azure, and requests its location from 169.254.169.254.
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "true",
            "OTEL_BSP_SCHEDULE_DELAY": "200",  # ms; otherwise a request appears after 5 s
        }

    def _heard(self, server: ServerProcess) -> None:
        """Read a server's pipe: it is ready, its worker has restarted after a crash, or it has ended."""
        said = os.read(server.ready, 512)
        if not said:
            self._events.unregister(server.ready)
            return
        crashes = len(said) - (0 if server.serves else 1)
        if server.ending_at is not None or (not server.serves and not self._takes_over(server)):
            return
        generation = server.settings.generation
        self._say(state="running", generation=generation, restarts=self.status.restarts + crashes, error=None)

    def _takes_over(self, server: ServerProcess) -> bool:
        """Make a ready server the only one; return False if its settings cannot be stored, or are outdated."""
        generation = server.settings.generation
        if generation < self.status.generation:
            return False
        if generation > self.status.generation and self.status.generation > 0:
            try:
                self.home.save(server.settings)
            except OSError as error:
                self._tell_to_end(server)
                self._failed(generation, f"{self.home.path}: cannot be written: {error.strerror}")
                return False
        server.serves = True
        self._restart_at = None
        self._pause_s = FIRST_PAUSE_S
        self._keep_init_log(server)
        for older in self.servers:
            if older is not server and older.ending_at is None and older.settings.generation <= generation:
                self._tell_to_end(older)
        return True

    def _keep_init_log(self, server: ServerProcess) -> None:
        try:
            with self.home.log.open("rb") as log:
                log.seek(min(server.log_start, log.seek(0, os.SEEK_END)))
                self.home.init_log.write_bytes(log.read())
        except OSError:
            self.home.init_log.unlink(missing_ok=True)  # half of it would look like the complete log

    def _attend(self) -> None:
        """Handle servers that have ended or do not end, restart a server when it is time, and shorten the log."""
        for server in list(self.servers):
            if server.process.poll() is not None:
                self._ended(server)
            elif server.ending_at is not None and time.monotonic() - server.ending_at > (
                FINISH_S if server.serves else GRACE_S
            ):
                self._kill(server)
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self._start()
        if self._unwritten:
            self._write_down()
        with contextlib.suppress(OSError):  # nothing depends on it, and the next tick tries again
            if self.home.log.stat().st_size > MOST_LOG_BYTES:
                halve(self.home.log)

    def _ended(self, server: ServerProcess) -> None:
        self.servers.remove(server)
        self._kill(server)  # a worker may outlive its master
        with contextlib.suppress(KeyError, ValueError):
            self._events.unregister(server.ready)
        os.close(server.ready)
        os.close(server.lifeline)
        if server.ending_at is None:
            how = server.process.returncode
            error = f"the server ended by signal {-how}" if how < 0 else f"the server ended with code {how}"
            self._failed(server.settings.generation, error)
        self._sweep()

    def _failed(self, generation: int, error: str) -> None:
        """Record that a server failed. Only a server that has served is restarted, after a pause."""
        if self.status.generation == 0:
            self._say(state="failed", failed_generation=max(generation, 1), error=error)
        elif generation > self.status.generation:  # the serving generation continues, or restarts soon
            self._sweep(generation)
            self._say(failed_generation=generation, error=error)
        elif not any(other.serves and other.ending_at is None for other in self.servers):
            restarts = self.status.restarts + 1
            self._say(state="restarting", restarts=restarts, error=error)
            self._restart_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _sweep(self, failed: int = 0) -> None:
        """Delete the copies that no server has or will have.

        Args:
            failed: a generation that failed and is not in the status yet.
        """
        decided = max(self.status.generation, self.status.failed_generation, failed)
        with contextlib.suppress(OSError, BackendError):  # if the state cannot be read, nothing is deleted
            kept = {self.home.settings().copy, *(server.settings.copy for server in self.servers)}
            if (wanted := self.home.wanted()) is not None and wanted.generation > decided:
                kept.add(wanted.copy)
            self.home.keep_copies(kept)
            for gone in self._passed.keys() - kept:
                del self._passed[gone]

    def _tell_to_end(self, server: ServerProcess) -> None:
        server.ending_at = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            server.process.terminate()  # gunicorn finishes the requests in flight, the exporter sends its records

    @staticmethod
    def _kill(server: ServerProcess) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(server.process.pid, signal.SIGKILL)

    def _end(self) -> None:
        for server in self.servers:
            if server.ending_at is None:
                self._tell_to_end(server)
        for server in self.servers:
            try:
                server.process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._kill(server)
                server.process.wait()
            self._kill(server)


def main() -> None:
    """Take over from `epkit deploy create`: the endpoint's directory and the listening socket's descriptor."""
    if os.fork():
        os._exit(0)
    home = Home(Path(sys.argv[1]))
    Supervisor(home, int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
