"""`epkit logs`: what an endpoint's server says, once or as it comes."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from epkit.core.hosting.deployments import unseen
from epkit.core.hosting.log_lines import harmless
from epkit.core.http.masking import mask_text
from epkit.flows.context import Context
from epkit.flows.hosting.backends import Place

POLL_S: Final = {"local": 0.2, "azureml": 2.0, "azureml-v1": 2.0}
OVERLAP: Final = 500
"""Lines that are asked for again and again: as many may come between two looks."""


def show(place: Place, context: Context, *, tail: int, init: bool, deployment: str | None) -> tuple[str, ...]:
    """Return the last lines of a log, credentials masked, what a terminal would act on made visible."""
    lines = place.backend.logs(place.service, tail=tail, init=init, deployment=deployment)
    return _shown(lines, context)


def follow(
    place: Place, context: Context, *, tail: int, init: bool, deployment: str | None
) -> Iterator[tuple[str, ...]]:
    """Yield the last lines of a log, then new ones as they come, without an end."""
    seen = place.backend.logs(place.service, tail=max(tail, OVERLAP), init=init, deployment=deployment)
    yield _shown(seen[-tail:], context)
    while True:
        time.sleep(POLL_S[place.backend.name])
        now = place.backend.logs(place.service, tail=max(tail, OVERLAP), init=init, deployment=deployment)
        new = unseen(seen, now)
        seen = now
        if new:
            yield _shown(new, context)


def _shown(lines: Sequence[str], context: Context) -> tuple[str, ...]:
    return tuple(harmless(mask_text(line, context.secrets)) for line in lines)
