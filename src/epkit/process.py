"""Settings of the whole process, changed inside a `with` block and restored for the caller."""

import contextlib
import gc
import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    import asyncio

Options = ParamSpec("Options")
Result = TypeVar("Result")
Handle = Callable[[signal.Signals], object]

_INHERITED: Final = frozenset({
    *("HOME", "PATH", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"),
    *("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONHASHSEED", "PYTHONFAULTHANDLER"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"),
})  # fmt: skip
_INHERITED_KINDS: Final = (
    *("LC_", "OMP_", "KMP_", "GOMP_", "OPENBLAS_", "MKL_", "BLIS_", "NUMEXPR_", "VECLIB_", "POLARS_", "RAYON_"),
    *("MALLOC_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_"),
)
"""Prefixes of variables for the number of threads, memory and devices."""

_lock: Final = threading.Lock()
_silent: Final[dict[str, tuple[int, int]]] = {}
"""For each silenced logger: the number of blocks that silence it, and its level before the first of them."""


class Interrupts:
    """Signals for work on a thread that gets none: the thread that waits for the work passes them on to `signals_to`.

    A signal between two blocks of `signals_to` is kept for the next block.
    """

    def __init__(self) -> None:
        # Reentrant, because another signal may arrive while one is being passed on.
        self._lock = threading.RLock()
        self._takers: list[Handle] = []
        self._waiting: list[signal.Signals] = []
        self._begun = False

    def over(self, work: Callable[Options, Result], *args: Options.args, **kwargs: Options.kwargs) -> Result:
        """Run *work* here and now, with these signals."""
        token = _INTERRUPTS.set(self)
        try:
            return work(*args, **kwargs)
        finally:
            _INTERRUPTS.reset(token)

    def send(self, number: signal.Signals) -> bool:
        """Pass a signal on; may be called from any thread.

        Returns:
            Whether the work has a part that can end early. If it has none yet, it ends as soon as that part starts.
        """
        with self._lock:
            if not self._takers:
                self._waiting.append(number)
                return self._begun
            take = self._takers[-1]
        take(number)
        return True

    @contextlib.contextmanager
    def taken_by(self, handle: Handle, loop: "asyncio.AbstractEventLoop | None" = None) -> Iterator[None]:
        """Make the signals call *handle* while the block lasts; on *loop*, if there is one."""

        def take(number: signal.Signals) -> None:
            if loop is None:
                handle(number)
            else:
                with contextlib.suppress(RuntimeError):  # the loop has ended, so there is nothing to end
                    loop.call_soon_threadsafe(handle, number)

        with self._lock:
            self._begun = True
            self._takers.append(take)
            waiting, self._waiting = self._waiting, []
        for number in waiting:
            take(number)
        try:
            yield
        finally:
            with self._lock:
                self._takers.remove(take)


_INTERRUPTS: Final[ContextVar[Interrupts | None]] = ContextVar("epkit.interrupts", default=None)
"""What this thread gets in place of signals; None for nothing."""


@contextlib.contextmanager
def signals_to(handle: Handle, loop: "asyncio.AbstractEventLoop | None" = None) -> Iterator[None]:
    """Make SIGINT and SIGTERM call *handle*: the process's on the main thread, otherwise those of its `Interrupts`.

    Args:
        loop: the running loop, which then calls *handle*; without it, the call happens between two Python instructions.
    """
    if threading.current_thread() is not threading.main_thread():
        interrupts = _INTERRUPTS.get()
        with contextlib.nullcontext() if interrupts is None else interrupts.taken_by(handle, loop):
            yield
        return
    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if loop is None:
                signal.signal(number, lambda which, _frame: handle(signal.Signals(which)))
            else:
                try:
                    loop.add_signal_handler(number, handle, number)
                except NotImplementedError:  # on Windows, where Ctrl-C is a KeyboardInterrupt
                    continue
            before[number] = handler
        yield
    finally:
        for number, handler in before.items():
            if loop is not None:
                loop.remove_signal_handler(number)
            # A loop restores the system's default, not the former handler: then SIGTERM would kill without a message.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def outside_loop(work: Callable[[], Result]) -> Result:
    """Run *work*, which runs an event loop: here, or on another thread if a loop runs here already, as in a notebook.

    Signals that arrive here meanwhile are passed on to the work.

    Raises:
        KeyboardInterrupt: a signal arrived before the work had a part that can end early; the work then ends by itself.
        BaseException: the exception of the work.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    outcome: Future[Result] = Future()
    interrupts = Interrupts()

    def do() -> None:
        try:
            outcome.set_result(interrupts.over(work))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            outcome.set_exception(error)

    def pass_on(number: signal.Signals) -> None:
        if not interrupts.send(number):
            raise KeyboardInterrupt

    # It has this thread's context, in which a notebook finds the cell for output. Python does not wait for its end.
    threading.Thread(target=copy_context().run, args=(do,), name="epkit-loop", daemon=True).start()
    with signals_to(pass_on):
        return outcome.result()


@contextlib.contextmanager
def collections_off() -> Iterator[None]:
    """Turn the garbage collector off; existing objects are frozen, unless the caller has frozen some."""
    enabled, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.collect()
    if not frozen:
        gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        if enabled:
            gc.enable()


@contextlib.contextmanager
def silenced(*names: str) -> Iterator[None]:
    """Silence loggers of libraries and the loggers below them; blocks may overlap on several threads.

    Other loggers of the process stay as they are.
    """
    below = tuple(f"{name}." for name in names)
    loggers = {*names, *(name for name in list(logging.root.manager.loggerDict) if name.startswith(below))}
    with _lock:
        for name in loggers:
            logger = logging.getLogger(name)
            count, level = _silent.get(name, (0, logger.level))
            _silent[name] = count + 1, level
            logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        with _lock:
            for name in loggers:
                count, level = _silent.pop(name)
                if count > 1:
                    _silent[name] = count - 1, level
                else:
                    logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def unwarned(module: str) -> Iterator[None]:
    """Ignore the warnings of a module and of the modules below it, on every thread."""
    before = list(warnings.filters)
    warnings.filterwarnings("ignore", module=module)
    ours = warnings.filters[0]
    try:
        yield
    finally:
        if ours not in before:
            # Not `catch_warnings`, which would undo changes that other threads have made meanwhile.
            with contextlib.suppress(ValueError):
                warnings.filters.remove(ours)  # type: ignore[attr-defined]


def child_environment(*more: str) -> dict[str, str]:
    """Return the environment of a child process: only listed variables, so that no key in a variable is passed on.

    Args:
        more: names of further variables for this child.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name in more or name.startswith(_INHERITED_KINDS)
    }


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, for a library that reads its settings only from there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
