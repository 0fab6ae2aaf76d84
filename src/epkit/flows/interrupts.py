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
    """A signal that was noted, raised where there is nothing that could be ended with; `number` says which it was."""

    def __init__(self, number: Signals) -> None:
        super().__init__()
        self.number = number


@contextmanager
def noted() -> Iterator[Callable[[], Signals | None]]:
    """Note the first Ctrl-C or SIGTERM instead of being interrupted by it.

    Yields:
        Tells which signal came, None before. On any thread but the main one nothing is changed.
    """
    came: list[Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before: dict[Signals, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(Signals(number))
        # The second one does what it did before: the user means it.
        for each, handler in before.items():
            signal.signal(each, handler)

    try:
        for each in STOPPING:
            before[each] = signal.getsignal(each)
            if before[each] != signal.SIG_IGN:  # ignored by who started us, and so it stays
                signal.signal(each, note)
        yield lambda: came[0] if came else None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
