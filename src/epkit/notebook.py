"""epkit in a notebook: results display themselves, long work shows its progress, and the stop button ends it early.

IPython is not imported: in a kernel, it is loaded already.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial, singledispatch
from signal import Signals
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar

from epkit.core import display
from epkit.core.http.masking import mask_text, mask_values
from epkit.core.http.secret import Secret
from epkit.flows.context import Context
from epkit.process import Interrupts

if TYPE_CHECKING:
    from epkit.reporters.parts.page import Sheet

Options = ParamSpec("Options")
Result = TypeVar("Result")
Value = TypeVar("Value")

EVERY_S: Final = 1.0
"""Least time between two updates, in seconds. An update takes a millisecond of CPU, twice as much as the panel of a
terminal, so it is made less than half as often."""

AWAKE_S: Final = 0.2
"""Longest time until the stop button has an effect, in seconds."""

_log = logging.getLogger("epkit")

_SECRETS: Final[list[Secret]] = []
"""Every credential that a function of the Python API has seen; it is masked in everything that a notebook shows."""


@contextmanager
def at_work() -> Iterator[Context]:
    """Create the context of a flow in this process; its notes go to the logger `epkit`."""
    context = Context(note=_log.info, warn=_log.warning)
    try:
        yield context
    finally:
        know(context)


def know(context: Context) -> None:
    """Mask the credentials that a flow has seen, from now on."""
    _SECRETS.extend(secret for secret in context.secrets if secret not in _SECRETS)


def masked(value: Value) -> Value:
    """Return a value with its credentials masked."""
    return mask_values(value, _SECRETS) if _SECRETS else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The display of a value: a function that makes its sheet, and its text."""

    sheet: "Callable[[], Sheet]"
    text: Callable[[], str]


@singledispatch
def look(value: Any) -> Look:
    """Return the display of a value. The core's types are below; modules of the Python API register their own."""
    from epkit.core.pipeline.run import PipelineRun
    from epkit.core.report.compare import Comparison
    from epkit.core.report.report import Report
    from epkit.core.train.report import TrainReport
    from epkit.core.validate.violations import Verdict

    found: Any = masked(value)
    match found:
        case Report():
            from epkit.reporters.run import html, text

            return Look(sheet=lambda: html.sheet(found, {}), text=lambda: text.render(found))
        case Comparison():
            from epkit.reporters.compare import html as comparison
            from epkit.reporters.compare.text import render_text

            return Look(sheet=lambda: comparison.sheet(found), text=lambda: render_text(found))
        case TrainReport():
            from epkit.reporters.train import html as training
            from epkit.reporters.train import text as training_text

            return Look(sheet=lambda: training.sheet(found), text=lambda: training_text.render(found))
        case PipelineRun():
            from epkit.reporters.pipeline import html as pipeline
            from epkit.reporters.pipeline import text as pipeline_text

            return Look(sheet=lambda: pipeline.sheet(found, None), text=lambda: pipeline_text.render(found))
        case Verdict():
            from epkit.reporters.notebook import sheets

            return Look(sheet=lambda: sheets.of_verdict(found), text=lambda: sheets.verdict_text(found))
    raise TypeError(f"{type(value).__name__}: it has no display for a notebook")


def _renderings(value: object) -> display.Renderings:
    from epkit.reporters.notebook import cell

    looks = look(value)

    def net(text: str) -> str:
        # The second protection after `masked`: for values that are not dataclasses, and for texts that reporters make.
        return mask_text(text, _SECRETS, distinct=True) if _SECRETS else text

    return {
        "text/html": lambda: net(cell.html(looks.sheet())),
        "text/plain": lambda: net(cell.shortened(looks.text())),
    }


display.show_by(_renderings)


class CellProgress:
    """A text in a notebook's cell that is updated in place, at most once per `EVERY_S`; nothing outside a notebook.

    A context manager. `active`: whether it is shown.

    Args:
        over: makes the text that stays in the cell, if anything was shown.
    """

    def __init__(self, over: Callable[[], str]) -> None:
        self.active = in_kernel()
        self._over = over
        self._due = 0.0
        self._handle: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            self._publish(self._over())

    def show(self, made: Callable[[], str], *, at_once: bool = False) -> None:
        """Show a text, if enough time has passed or *at_once* is set."""
        now = time.monotonic()
        if self.active and (at_once or now >= self._due):
            self._due = now + EVERY_S
            self._publish(made())

    def _publish(self, text: str) -> None:
        data = {"text/plain": text}
        try:
            if self._handle is None:
                self._handle = sys.modules["IPython.display"].display(data, raw=True, display_id=True)
            else:
                self._handle.update(data, raw=True)
        except Exception:  # noqa: BLE001 - whatever a front end's display has against it: the work goes on
            self.active, self._handle = False, None


def in_kernel() -> bool:
    """Return whether this process is a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None and "IPython.display" in sys.modules


def awaitable(call: Callable[Options, Result]) -> Callable[Options, Coroutine[Any, Any, Result]]:
    """Make an awaitable version of a function; it runs on a thread of its own.

    A cancellation ends the work early, as Ctrl-C does, and the result so far is returned. A second one abandons it.
    """

    async def awaited(*args: Options.args, **kwargs: Options.kwargs) -> Result:
        interrupts = Interrupts()
        work = asyncio.ensure_future(asyncio.to_thread(interrupts.over, partial(call, *args, **kwargs)))
        # Abandoned work may fail; nobody waits for its exception.
        work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        async with awake():
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                end_early(interrupts)
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                interrupts.send(Signals.SIGINT)
                raise

    return awaited


@asynccontextmanager
async def awake() -> AsyncIterator[None]:
    """Wake a kernel's loop regularly: the stop button cancels the cell, but does not wake a loop that sleeps."""

    async def beat() -> None:
        while True:  # noqa: ASYNC110 - no event is waited for: the loop is to wake
            await asyncio.sleep(AWAKE_S)

    beating = asyncio.create_task(beat()) if in_kernel() else None
    try:
        yield
    finally:
        if beating is not None:
            beating.cancel()


def end_early(interrupts: Interrupts) -> None:
    """End the work that the running task waits for, after the task was cancelled; the task gets the result so far.

    Raises:
        asyncio.CancelledError: the work has not started, so that there is no result.
    """
    if not interrupts.send(Signals.SIGINT):
        raise asyncio.CancelledError
    task = asyncio.current_task()
    assert task is not None  # only a task can be cancelled
    task.uncancel()
