"""The local backend's state: one private directory for each endpoint, with a lock that shows whether it is running.

    STATE/epkit/endpoints/NAME/    STATE is XDG_STATE_HOME, or ~/.local/state
        settings.json              the settings in effect; after the creation, only the supervisor writes them
        wanted.json                the settings to change to: written by the command that requests the change
        keys.json                  its two keys
        status.json                the supervisor's last status, with the generation that serves
        lock                       held by the supervisor as long as it lives
        change.lock                held by the command that changes the endpoint
        server.log, init.log       the server's output; the part of it from before the server was ready
        requests.jsonl             the records that the Application Insights exporter sent
        copies/ID/                 one copy of the files that are served; `.ID` until it is complete
            models/NAME/1/         AZUREML_MODEL_DIR: the model
            code/                  AML_APP_ROOT, unless the script is a file of the model
            swagger.json           the contract of an MLflow model, which has no script
            environ.json           variables for the script, until the supervisor reads them
        tmp/                       the server's own temporary files

The lock decides whether an endpoint is running: the kernel releases it when the supervisor ends for any reason,
including the end of the machine. So neither a process number in use by another process nor a reboot gives a wrong
result.

A change takes effect by one rename: the supervisor starts a server with the wanted settings, and makes them the current
settings when the server answers. If a command is killed, either the old or the new settings are in effect. The next
change removes the files that the command left. An endpoint of an earlier epkit has links in `models/NAME/1`, and no
copy.

A published pipeline has such a directory in `STATE/epkit/published`, without a model, and with `jobs`.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeVar, get_args, get_type_hints

from epkit.core.hosting.deployments import Keys
from epkit.core.http.secret import Secret
from epkit.core.json.records import MOST, Record, loads_record
from epkit.errors import BackendError
from epkit.paths import inside

Made = TypeVar("Made")

MOST_BYTES: Final = 1 << 20
"""Greatest size of a file of the state in bytes, except for the logs."""

LONGEST_STATUS: Final = 4096
"""Greatest size of a status in bytes, including its error."""

BOUNDS: Final[Mapping[str, tuple[int, int]]] = {"port": (1, 65535), "pid": (2, 2**31 - 1)}
"""Bounds of whole numbers; all others begin at 0."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
ServerKind = Literal["custom", "mlflow", "pipeline"]
"""The contents of a server: a model of one of the kinds of `ModelKind`, or a published pipeline."""

COPY: Final = re.compile(r"[0-9a-f]{8}")
"""Pattern of the name of a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of an endpoint.

    Args:
        model: path of the original model.
        code: the directory of the script; *entry* is relative to it. For an MLflow model, *code* is its copy, and
            *entry* the `MLmodel`.
        port: port on 127.0.0.1.
        instrumentation_key: a UUID; the ingestion endpoint accepts only items with it.
        created_at: ISO 8601, UTC.
        generation: counts the changes that need a new server process.
        copy: name of the copy; None if an earlier epkit linked the model.
        model_sha256: hash of the copied files.
        model_at: when the model was copied, ISO 8601, UTC.
        kind: kind of the server: the inference server, MLflow's own, or that of a published pipeline. For a pipeline,
            *model* is its `epkit.toml`, *code* the directory of that file, and *entry* the name of the pipeline.
    """

    name: str
    model: str
    code: str
    entry: str
    deployment: str
    app_insights: bool
    port: int
    instrumentation_key: str
    created_at: str
    generation: int = 1
    copy: str | None = None
    model_sha256: str | None = None
    model_at: str | None = None
    kind: ServerKind = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlainKeys:
    """The two keys, as they are in their file."""

    primary: str = field(repr=False)
    secondary: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The last status that the supervisor wrote.

    Args:
        pid: process number of the supervisor.
        state: `starting`; `running`; `restarting` after a crash; `failed` if the first server never became ready.
        generation: generation that serves; 0 before the first.
        failed_generation: the last generation that did not become ready.
        restarts: number of restarts of the server after crashes.
        error: reason why the server is not running.
    """

    pid: int
    state: Literal["starting", "running", "restarting", "failed"]
    generation: int = 0
    failed_generation: int = 0
    restarts: int = 0
    error: str | None = None


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return the directory for epkit's state that outlives a command.

    Source: XDG Base Directory Specification 0.8: a relative XDG_STATE_HOME is ignored.
    """
    given = Path(environ.get("XDG_STATE_HOME", ""))
    if given.is_absolute():
        return given / "epkit"
    base = Path(environ.get("HOME", ""))
    if not base.is_absolute():
        # Without HOME, the home directory comes from the user's entry in the password database.
        base = Path(os.path.expanduser("~"))  # noqa: PTH111 - this one never raises
    if not base.is_absolute():
        raise BackendError("there is no home directory to keep endpoints in: set HOME or XDG_STATE_HOME")
    return base / ".local" / "state" / "epkit"


class Home:
    """The directory of one endpoint."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        self.log = directory / "server.log"
        self.init_log = directory / "init.log"
        self.requests = directory / "requests.jsonl"
        self.tmp = directory / "tmp"
        self.copies = directory / "copies"

    def model_dir(self, copy: str | None) -> Path:
        """The path of AZUREML_MODEL_DIR; its last part is the version, as at Azure."""
        return (self.path if copy is None else self.copies / copy) / "models" / self.path.name / "1"

    def contract(self, copy: str | None) -> Path:
        """The path of the contract of an MLflow model; its server returns this file."""
        return self.copies / (copy or "") / "swagger.json"

    @property
    def exists(self) -> bool:
        """Whether there is an endpoint in this directory."""
        return (self.path / "settings.json").exists()

    def settings(self) -> Settings:
        """Read the settings."""
        found = self._read("settings.json", Settings)
        if found is None:
            raise BackendError(f"{self.path.name}: no endpoint of this name on this machine: epkit deploy list")
        return found

    def wanted(self) -> Settings | None:
        """Read the wanted settings; if their generation serves or has failed, a command that was killed left them."""
        return self._read("wanted.json", Settings)

    def want(self, settings: Settings) -> None:
        """Write the wanted settings.

        Raises:
            OSError: the file cannot be written.
        """
        write_private(self.path / "wanted.json", json.dumps(asdict(settings)).encode())

    def want_nothing(self) -> None:
        """Delete the wanted settings, because the change is decided or given up.

        Raises:
            OSError: the file cannot be deleted.
        """
        (self.path / "wanted.json").unlink(missing_ok=True)

    def keys(self) -> Keys:
        """Read the keys."""
        found = self._read("keys.json", _PlainKeys)
        if found is None:
            raise self._damaged("keys.json", "it is gone")
        return Keys(primary=Secret(found.primary), secondary=Secret(found.secondary))

    def status(self) -> Status | None:
        """Read the supervisor's last status, None if there is none yet."""
        return self._read("status.json", Status)

    def check_room(self) -> None:
        """Check that there is room for the supervisor's status; a command would otherwise wait for it in vain.

        Raises:
            BackendError: there is no room.
        """
        with self.writing():
            descriptor, name = tempfile.mkstemp(dir=self.path, prefix=".room.")
            try:
                os.write(descriptor, bytes(LONGEST_STATUS))
            finally:
                os.close(descriptor)
                Path(name).unlink()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn an error of writing here into a message with advice.

        Raises:
            BackendError: the disk is full, read-only, or belongs to another user.
        """
        try:
            yield
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise BackendError(f"{self.path}: cannot be written: {why}: make room there, and try again") from None

    def save(self, value: Settings | Status | Keys) -> None:
        """Write one of the three, completely or not at all; other users cannot read it.

        Raises:
            OSError: it cannot be written; the old contents stay.
        """
        name = {Settings: "settings.json", Status: "status.json", Keys: "keys.json"}[type(value)]
        if isinstance(value, Keys):
            document = {"primary": value.primary.reveal(), "secondary": value.secondary.reveal()}
        else:
            document = asdict(value)
        write_private(self.path / name, json.dumps(document).encode())

    def pass_environment(self, copy: str, variables: Mapping[str, str]) -> None:
        """Store variables for the script of a copy, until the supervisor reads them.

        Raises:
            OSError: they cannot be written.
        """
        write_private(self.copies / copy / "environ.json", json.dumps(dict(variables)).encode())

    def take_environment(self, copy: str) -> dict[str, str]:
        """Read the variables for the script of a copy, and delete them: their values may be secrets."""
        file = self.copies / copy / "environ.json"
        try:
            with file.open("rb") as opened:
                data = opened.read(MOST_BYTES)
            file.unlink()
            return {str(name): str(value) for name, value in loads_record(data).items()}
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise BackendError(f"{file}: damaged: {error}") from None

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Exclude changes by other commands for the length of the block; clean up after a command that was killed.

        Raises:
            BackendError: another command is changing the endpoint.
        """
        with self.writing():
            lock = self._flock("change.lock")
        if lock is None:
            raise BackendError(f"{self.path.name}: another command is changing it: try again when that is done")
        with lock:
            for unfinished in self.copies.glob(".*"):
                shutil.rmtree(unfinished, ignore_errors=True)
            yield

    def clear(self) -> None:
        """Delete the files of a command that was killed while it created the endpoint."""
        for left in self.path.iterdir():
            if left.is_dir() and not left.is_symlink() and left != self.tmp:
                shutil.rmtree(left, ignore_errors=True)
            elif left != self.tmp and left.suffix != ".lock" and left.name != "lock":
                left.unlink()

    def keep_copies(self, names: Collection[str | None]) -> None:
        """Delete the copies that are not needed.

        Args:
            names: copies that serve, or may serve soon.
        """
        for copy in self.copies.glob("[!.]*"):
            if copy.name not in names:
                shutil.rmtree(copy, ignore_errors=True)

    def lock(self) -> IO[bytes] | None:
        """Take the lock; it is released when the returned file is closed everywhere. None: another process has it."""
        return self._flock("lock")

    def _flock(self, name: str) -> IO[bytes] | None:
        import fcntl  # Windows lacks it, and has no local backend

        file = open(self.path / name, "ab")  # noqa: SIM115, PTH123 - the caller's to close
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        return file

    def alive(self) -> bool:
        """Tell whether the supervisor is running."""
        try:
            taken = self.lock()
        except FileNotFoundError:
            return False
        if taken is None:
            return True
        taken.close()
        return False

    def remove(self) -> None:
        """Delete the directory; of links in it, only the links themselves."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _read(self, name: str, kind: type[Made]) -> Made | None:
        """Read a file, None if it does not exist.

        Raises:
            BackendError: it cannot be read, is truncated, or has invalid contents.
        """
        path = self.path / name
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendError(f"{path}: cannot be read: {error.strerror}") from None
        if len(data) > MOST_BYTES:
            raise self._damaged(name, "it is longer than any that is written")
        try:
            return _made(kind, Record(loads_record(data)))
        except ValueError as error:
            raise self._damaged(name, str(error)) from None

    def _damaged(self, name: str, why: str) -> BackendError:
        return BackendError(f"{self.path / name}: damaged: {why}: delete {self.path} and deploy again")


def _made(kind: type[Made], record: Record) -> Made:
    """Check a record against the fields of a class.

    Raises:
        ValueError: a value is missing, has the wrong type, or is out of its bounds.
    """
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for each in fields(kind):  # type: ignore[arg-type]  # the three classes of this module
        name, hint = each.name, hints[each.name]
        if name not in record.values and each.default is not MISSING:
            continue
        if hint == str | None:
            values[name] = None if record.values.get(name) is None else record.text(name)
            if name == "copy" and values[name] is not None and not COPY.fullmatch(values[name]):
                raise ValueError(f"{name} is {values[name][:40]!a}, which is no name of a copy")
        elif hint is bool:
            values[name] = record.flag(name)
        elif hint is int:
            least, most = BOUNDS.get(name, (0, MOST))
            values[name] = record.whole(name, least=least, most=most)
        else:
            values[name] = text = record.text(name)
            if hint is not str and text not in get_args(hint):
                raise ValueError(f"{name} is {text[:40]!a}, not one of {', '.join(get_args(hint))}")
    return kind(**values)


class Homes:
    """All endpoints of this user on this machine, or all published pipelines."""

    def __init__(self, environ: Mapping[str, str], room: Literal["endpoints", "published"] = "endpoints") -> None:
        self.root = state_directory(environ) / room

    def home(self, name: str) -> Home:
        """Return an endpoint's directory, which need not exist.

        Raises:
            UsageError: the name is not valid.
        """
        return Home(inside(self.root, name, where="the endpoint's name"))

    def __iter__(self) -> Iterator[Home]:
        try:
            names = sorted(path.name for path in self.root.iterdir() if NAME.fullmatch(path.name))
        except OSError:
            names = []
        return iter(home for name in names if (home := self.home(name)).exists)

    def make(self, name: str) -> Home:
        """Create the directory of a new endpoint; other users cannot read it.

        Raises:
            BackendError: it cannot be created.
        """
        home = self.home(name)
        with home.writing():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.path.mkdir(mode=0o700, exist_ok=True)
            home.tmp.mkdir(mode=0o700, exist_ok=True)
        return home


def write_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600, completely or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
