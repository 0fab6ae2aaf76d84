"""A checkup as text: one line for each step, written as soon as the result is known."""

from typing import Final

from epkit.core.checkup import Checkup, Step

_WIDTH: Final = 8
_WORDS: Final = {True: "ok", False: "FAILED", None: "-"}


def render(checkup: Checkup) -> str:
    """Write a complete checkup."""
    return heading(checkup.target) + "".join(map(line, checkup.steps))


def heading(target: str) -> str:
    """Write the text before the first step."""
    return f"{target}\n"


def line(step: Step) -> str:
    """Write a step: its name, verdict, time and finding; the advice has its own line."""
    word = "warning" if step.ok and step.advice else _WORDS[step.ok]
    took = "" if step.ms is None else f"{step.ms:,.1f} ms"
    text = f"{step.name:<{_WIDTH}}  {word:<7}  {took:>11}  {step.detail}".rstrip() + "\n"
    return text + (f"{'':<{_WIDTH}}  -> {step.advice}\n" if step.advice else "")
