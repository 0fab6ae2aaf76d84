"""Pipelines in Python: `epkit.Pipeline.load("bank").run()`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from epkit.core.pipeline.run import PipelineRun
from epkit.flows.context import Context
from epkit.flows.pipeline import pipeline as flow
from epkit.flows.pipeline import reports
from epkit.flows.pipeline.loading import load

_log = logging.getLogger("epkit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A pipeline of `epkit.toml`.

    Args:
        name: in that file.
    """

    name: str
    _context: Context = field(repr=False)

    @classmethod
    def load(cls, name: str) -> Self:
        """Find a pipeline, as the command line does; notes go to the logger `epkit`.

        Raises:
            UsageError: there is no `epkit.toml` or no such pipeline, or something in it is wrong.
        """
        context = Context(note=_log.info, warn=_log.warning)
        load(name, context)
        return cls(name=name, _context=context)

    def run(
        self,
        *,
        from_: str | None = None,
        to: str | None = None,
        only: str | None = None,
        force: bool = False,
        changes: Sequence[str] = (),
        if_needed: bool = False,
        why: str | None = None,
    ) -> PipelineRun:
        """Run it; `epkit pipeline run` in Python. What came of it is in `state`, `exit_code` and `steps`.

        Args:
            from_, to, only: names of steps: the first, the last, the only one.
            force: run steps that could be reused.
            changes: `KEY=VALUE` each, in place of what `epkit.toml` says, as `--set` has them.
            if_needed: only if the data have drifted, the schema has changed, or a gate is missed.
            why: for the record.

        Raises:
            UsageError: the configuration is wrong, or another run goes on.
        """
        options = flow.PipelineOptions(
            from_=from_,
            to=to,
            only=only,
            force=force,
            changes=tuple(changes),
            if_needed=if_needed,
            why=why,
            by="python",
        )
        return flow.run(
            self.name,
            options,
            self._context,
            show=lambda step: _log.info("%s %s: %s", step.step, step.state, step.line),
            say=_log.debug,
        )

    def runs(self) -> tuple[PipelineRun, ...]:
        """Return the runs that are kept, the oldest first.

        Raises:
            UsageError: a report is damaged.
        """
        return tuple(reports.history(load(self.name, self._context).store))
