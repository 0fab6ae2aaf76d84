"""Finds out why an endpoint does not work: from its name to a scored row, step by step.

Most steps need earlier steps. If a step fails, the steps that need it are not tried, so that the first failure is the
cause.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from epkit.core.checkup import Checkup, Step
from epkit.core.http import url as urls
from epkit.core.http.url import Url
from epkit.errors import EndpointError
from epkit.files import contracts
from epkit.files.payloads import read_payloads
from epkit.flows.check.answers import Answers
from epkit.flows.check.connection import ConnectionSteps
from epkit.flows.check.session import Found, Session, Unwell
from epkit.flows.context import Context
from epkit.flows.target.client import open_client
from epkit.flows.target.request_options import TargetOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The options of `epkit check`.

    Args:
        reach: the options that name the target and say how to reach it.
        payload: a file to score instead of the contract's example.
        path: the path of the contract's scoring operation.
    """

    reach: TargetOptions = field(default_factory=TargetOptions)
    payload: str | None = None
    path: str | None = None


def check(
    options: CheckOptions,
    context: Context,
    stdin: BinaryIO,
    *,
    begin: Callable[[str], None] | None = None,
    tell: Callable[[Step], None] | None = None,
) -> Checkup:
    """Check an endpoint.

    Args:
        begin: called with the target before the first step.
        tell: called with each step when it is complete.

    Raises:
        UsageError: the target or a file does not exist, or a flag makes no sense; faults of the endpoint are steps.
    """
    payload = None if options.payload is None else read_payloads(options.payload, stdin)[0]
    with open_client(options.reach, context, "the check") as client:
        target, schema = client.target, options.reach.request.schema
        source: str | Path | Url | None = target.contract if schema is None else schema
        if isinstance(source, str):
            source = urls.parse(source) if urls.is_url(source) else context.cwd / source
        # A missing file is an error of the user, not of the endpoint.
        document = contracts.read(source)[0] if isinstance(source, Path) else None
        session = Session(client)
        if begin is not None:
            begin(session.line(target.shown))
        answers = Answers(session, source, document, payload, options.path)
        steps = _Steps(session, tell or (lambda _: None))
        asyncio.run(_look(steps, ConnectionSteps(session), answers, needs_contract=payload is None))
        return Checkup(target=session.line(target.shown), steps=tuple(steps.taken))


async def _look(steps: "_Steps", connection: ConnectionSteps, answers: Answers, *, needs_contract: bool) -> None:
    reached = ("name", "tcp", "tls", "health")
    try:
        await steps.take("name", connection.name)
        await steps.take("tcp", connection.tcp, "name")
        await steps.take("tls", connection.tls, "name", "tcp")
        await steps.take("health", connection.health, *reached)
    finally:
        connection.close()
    await steps.take("key", answers.key, *reached)
    await steps.take("contract", answers.contract, *reached, "key")
    await steps.take("example", answers.example, *reached, "key", *(["contract"] if needs_contract else []))
    await steps.take("reply", answers.reply, *reached, "key", "contract", "example")
    await steps.take("clock", answers.clock, *reached)
    await steps.take("headers", answers.headers, *reached)


class _Steps:
    """The steps that have been taken."""

    def __init__(self, session: Session, tell: Callable[[Step], None]) -> None:
        self._session = session
        self._tell = tell
        self.taken: list[Step] = []

    async def take(self, name: str, look: Callable[[], Awaitable[Found]], *needed: str) -> None:
        """Take a step, unless a step that it needs failed or was not tried."""
        step = await self._step(name, look, needed)
        advice = None if step.advice is None else self._session.line(step.advice)
        self.taken.append(replace(step, detail=self._session.line(step.detail), advice=advice))
        self._tell(self.taken[-1])

    async def _step(self, name: str, look: Callable[[], Awaitable[Found]], needed: tuple[str, ...]) -> Step:
        if any(step.name in needed and not step.ok for step in self.taken):
            return Step(name=name, ok=None, ms=None, detail="not tried")
        began = time.perf_counter()
        try:
            found = await look()
        except Unwell as unwell:
            ms = (time.perf_counter() - began) * 1e3
            return Step(name=name, ok=False, ms=ms, detail=unwell.detail, advice=unwell.advice)
        ms = (time.perf_counter() - began) * 1e3 if found.ms is None else found.ms
        return Step(name=name, ok=True, ms=ms, detail=found.detail, advice=found.advice)


def verdict(checkup: Checkup) -> None:
    """Raise the error of a checkup that has a failure.

    Raises:
        EndpointError: the message has the cause, and what to do.
    """
    failed = checkup.failed
    if failed is not None:
        raise EndpointError(f"{checkup.target}: {failed.name}: {failed.detail}: {failed.advice}")
