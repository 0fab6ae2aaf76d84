"""Asks a published pipeline for a run. The request is sent once, and never again after its first byte."""

import re
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.pipeline import triggered, wires
from epkit.core.pipeline.triggered import TriggeredRun
from epkit.core.shortening import cut
from epkit.errors import EndpointError, UsageError
from epkit.flows.context import Context
from epkit.flows.pipeline.triggering.asking import DOUBTFUL, RemotePipeline, is_well, refuse
from epkit.flows.target.client import SingleRequest

IDEMPOTENCY: Final = "Idempotency-Key"
"""Header that identifies a request: if it is repeated, epkit's server answers with the first run."""

_KEY: Final = re.compile(r"[!-~]{1,128}")

LONGEST: Final = 255
"""Greatest length of `--why` and `--experiment`, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerOptions:
    """The parameters of a run.

    Args:
        changes: each is `KEY=VALUE`, as for `--set`.
        why: the reason, for the record; None if there is none.
        experiment: the experiment that lists the run; None: the name of the pipeline.
        idempotency_key: key of an earlier request that this one repeats; None: a new key.
    """

    changes: tuple[str, ...] = ()
    why: str | None = None
    experiment: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunRun:
    """A run that has started.

    Args:
        idempotency_key: the key of the request.
    """

    run: str
    idempotency_key: str


def check(options: TriggerOptions) -> dict[str, Any]:
    """Check the parameters of a run before anything is sent.

    Returns:
        The values of parameters by name.

    Raises:
        UsageError: a parameter is not KEY=VALUE, or is given twice; the key or the reason cannot be sent.
    """
    key = options.idempotency_key
    if key is not None and not _KEY.fullmatch(key):
        raise UsageError("--idempotency-key must be 1 to 128 visible ASCII characters, without spaces")
    for flag, text in (("--why", options.why), ("--experiment", options.experiment)):
        if text is not None and not (text.isprintable() and text.strip() and len(text) <= LONGEST):
            raise UsageError(f"{flag} must be a line of 1 to {LONGEST} printable characters")
    values: dict[str, Any] = {}
    for change in options.changes:
        name, equals, text = change.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"--set {cut(change, 60)} must be KEY=VALUE, as in train.runs=4")
        if name in values:
            raise UsageError(f"--set {cut(name, 60)} is given twice: keep one")
        values[name] = _value(text.strip(), name)
    return values


def trigger(published: RemotePipeline, options: TriggerOptions, context: Context) -> BegunRun:
    """Ask for a run.

    Raises:
        UsageError: a parameter cannot be sent, or the server refuses it.
        EndpointError: there is no answer, or the key is refused; the message says whether a run may have started.
        BackendError: the server starts no further run now.
    """
    values = check(options)
    if published.azure:
        values = _for_azure(published, values)
    # epkit's server uses the experiment as the reason of the run.
    why = None if published.azure else options.why
    experiment = options.experiment or why or published.name or _experiment(published)
    body = wires.ask(published.wire, experiment, values, options.why)
    key = options.idempotency_key or uuid.uuid4().hex
    try:
        reply = published.asker.ask("POST", published.url.request_path, body, ((IDEMPOTENCY, key),))
    except KeyboardInterrupt:
        context.note(f"{published.shown}: interrupted while a run was asked for{_doubt(published, key)}")
        raise
    return BegunRun(run=_run_of(published, reply, key), idempotency_key=key)


def _for_azure(published: RemotePipeline, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values in Azure's form: texts for SDK v1's service, names without dots for a batch endpoint.

    Raises:
        UsageError: two names are equal without their dots.
    """
    if published.wire == "submit":
        return dict(wires.texts(values))
    found = {wires.input_name(name): value for name, value in values.items()}
    if len(found) < len(values):
        raise UsageError("--set: two of the keys are one key at Azure, where _ takes the place of a dot: keep one")
    return found


def _run_of(published: RemotePipeline, reply: SingleRequest, key: str) -> str:
    where = published.url.shown
    if reply.failure:
        why = published.asker.why_none(reply)
        if not reply.sent:
            raise EndpointError(f"{where}: {why}: nothing was sent, so no run has begun")
        raise EndpointError(f"{where}: {why}{_doubt(published, key)}")
    if reply.status in DOUBTFUL:
        said = published.asker.words(reply)
        words = f" (the server says: {said})" if said else ""
        raise EndpointError(f"{where}: {reply.status}: the server failed{words}{_doubt(published, key)}")
    if not is_well(reply):
        refuse(published.asker, published.url, reply)
    try:
        return triggered.begun_run(published.wire, triggered.parse(reply.text))
    except ValueError as error:
        raise EndpointError(f"{where}: {reply.status}: {error}{_doubt(published, key)}") from None


def _doubt(published: RemotePipeline, key: str) -> str:
    """Return the part of a message that says that a run may have started, and how to find out."""
    find = f"whether a run has begun is not known: epkit pipeline status {published.shown} lists the runs"
    if published.azure:
        return f"; {find}, and Azure would begin a second one for a second request"
    return f"; {find}, and --idempotency-key {key} with the same command begins no second one"


def shown_run(run: TriggeredRun) -> str:
    """Return the name of a run in messages: its id, and its number if it has one."""
    return run.run if run.number is None else f"{run.run} (run {run.number})"


def _value(text: str, name: str) -> Any:
    """Parse a text as TOML; if it is not TOML, return the text."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError, RecursionError):
        return text
    if not _is_plain(value):
        raise UsageError(f"--set {cut(name, 60)}: JSON has no such value: write it as a text, in quotation marks")
    return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, float):
        return value - value == 0  # JSON has no infinity
    return isinstance(value, str | int | bool)


def _experiment(published: RemotePipeline) -> str:
    """Return a name for the experiment: the pipeline's name in the URL, or the host of a batch endpoint."""
    if published.wire == "submit":
        return published.url.path.rstrip("/").rpartition("/")[2]
    return published.url.host.partition(".")[0] if published.azure else "epkit"
