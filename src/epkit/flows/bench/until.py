"""`--until`: ends a run when an estimate is tight; the test of the estimate does not delay the run."""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from epkit.core.load.criteria import UNTIL, Tight
from epkit.core.load.looks import Looks
from epkit.core.report.report import Search
from epkit.core.samples.latency import series
from epkit.flows.bench.driving import LoadGenerator
from epkit.flows.bench.measurement import Measurement


class Until:
    """A stop rule, called about five times a second; each look runs in a thread of its own."""

    def __init__(self, goal: Tight, measured: Measurement, generator: LoadGenerator) -> None:
        """Prepare the rule."""
        self._looks = Looks(goal)
        self._measured, self._generator = measured, generator
        self._name = "response" if measured.plan.measured[0].model == "open" else "service"
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[bool] | None = None

    def __call__(self) -> None:
        """Start a look if it is time; end the run if the last look found the estimate tight."""
        if self._pending is not None:
            if not self._pending.done():
                return
            tight, self._pending = self._pending.result(), None
            if tight:
                self._generator.end(drain=True)
        summary = self._measured.summary
        if not self._looks.tight and summary.complete and summary.rows >= self._looks.next_at:
            self._pending = self._pool.submit(self._look, list(summary.blocks()))

    def _look(self, blocks: list[np.ndarray]) -> bool:
        values = np.concatenate([series(self._name, block) for block in blocks])
        return len(values) >= self._looks.next_at and self._looks.look(values)

    def outcome(self) -> Search:
        """Return the outcome, after the run."""
        self._pool.shutdown()
        looks = self._looks
        text, reached = looks.goal.text, "–" if looks.share is None else f"{looks.share:.2%}"
        if looks.tight:
            words = f"{text} was reached with {looks.count} requests, at look {looks.number}: ±{reached}"
        elif looks.number:
            words = f"{text} was not reached: ±{reached} after {looks.count} requests, at look {looks.number}"
        else:
            words = f"{text} was not reached: the first look needs {looks.next_at} successful requests"
        return Search(kind=UNTIL, expression=text, value=looks.share, above=None, confirmed=looks.tight, words=words)
