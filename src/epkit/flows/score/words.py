"""The messages of a scoring job about failed requests: why a row has no prediction, and why the job ended."""

from collections.abc import Callable, Sequence
from typing import Final

from epkit.core.http.headers import fields
from epkit.core.http.masking import clean, mask_text
from epkit.core.http.secret import Secret
from epkit.core.samples.rows import Failure
from epkit.core.score.retrying import RetryWait
from epkit.core.shortening import cut
from epkit.endpoint import advice
from epkit.engines.batches import Outcome
from epkit.flows.context import Note
from epkit.flows.target.target import Target

MOST_SHOWN: Final = 500
"""Most characters of a reply in a message."""

NOTED_NS: Final = 10_000_000_000
"""Shorter waits are not reported."""


def explainer(secrets: Sequence[Secret]) -> Callable[[Outcome], str]:
    """Make a function that describes a failed request in the server's or the engine's words, credentials masked.

    Args:
        secrets: read at each call, because there may be new ones.
    """

    def explain(outcome: Outcome) -> str:
        if outcome.failure is Failure.STATUS:
            body = cut(outcome.body.decode("utf-8", "replace"), 100_000)
            return advice.said(fields(outcome.head), body, secrets)
        return clean(mask_text(outcome.detail, secrets), 300)

    return explain


def note_wait(wait: RetryWait, note: Note) -> None:
    """Report that the endpoint requests a wait, if the user would notice it."""
    asked, granted = f"{wait.asked_ns / 1e9:,.0f} s", f"{wait.ns / 1e9:,.0f} s"
    if wait.asked_ns > wait.ns:
        note(
            f"the endpoint asks to wait {asked} (Retry-After), which is too long: the next request is sent in {granted}"
        )
    elif wait.ns >= NOTED_NS:
        note(f"the endpoint asks to wait {asked} (Retry-After): waiting")


def advise(hopeless: Outcome | str, target: Target) -> str:
    """Describe why a job ended early, and what to do.

    Args:
        hopeless: the outcome of the request that ended the job, or the reason in words.
    """
    if isinstance(hopeless, str):
        return hopeless
    if hopeless.shared:
        reply = clean(mask_text(cut(hopeless.body.decode("utf-8", "replace"), MOST_SHOWN), target.secrets), MOST_SHOWN)
        shown = f"; the reply: {reply}" if reply else ""
        return (
            f"all requests so far failed in the same way, even those of single rows: {_advise(hopeless, target)}{shown}"
        )
    return _advise(hopeless, target)


def _advise(hopeless: Outcome, target: Target) -> str:
    if hopeless.failure is not Failure.STATUS:
        return advice.advise_failure(hopeless.failure, hopeless.detail, target.secrets)
    body = hopeless.body.decode("utf-8", "replace")
    key_sent = target.key.authorization is not None
    return advice.advise(hopeless.status, fields(hopeless.head), body, key_sent=key_sent, secrets=target.secrets)
