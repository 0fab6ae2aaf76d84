"""Ctrl-C and SIGTERM for work that can end early: the first signal is noted, the second one interrupts."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import Signals
from types import FrameType
from typing import Any, Final

STOPPING: Final = (Signals.SIGINT, Signals.SIGTERM)


class NotedInterrupt(KeyboardInterrupt):
    """A signal that was noted, raised if the work has no results and so cannot end early; `number` is the signal."""

    def __init__(self, number: Signals) -> None:
        super().__init__()
        self.number = number


@contextmanager
def noted() -> Iterator[Callable[[], Signals | None]]:
    """Note the first Ctrl-C or SIGTERM, and let the work go on.

    Yields:
        A function that returns the signal, or None before one arrives. Outside the main thread nothing changes.
    """
    came: list[Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before: dict[Signals, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(Signals(number))
        # The second signal has its former effect, because now the user insists.
        for each, handler in before.items():
            signal.signal(each, handler)

    try:
        for each in STOPPING:
            before[each] = signal.getsignal(each)
            if before[each] != signal.SIG_IGN:  # the parent process ignores it, and that stays so
                signal.signal(each, note)
        yield lambda: came[0] if came else None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
