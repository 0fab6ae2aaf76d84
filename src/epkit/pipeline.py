"""Pipelines in Python: `epkit.Pipeline.load("bank").run()`."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from epkit.core.display import Displayed
from epkit.core.http.masking import clean
from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import StepResult
from epkit.flows.context import Context
from epkit.flows.pipeline import pipeline as flow
from epkit.flows.pipeline import reports
from epkit.flows.pipeline.loading import load
from epkit.notebook import CellProgress, Look, know, look, masked
from epkit.reporters.pipeline import words

_log = logging.getLogger("epkit")


class PipelineRuns(Displayed, tuple[PipelineRun, ...]):
    """The runs of a pipeline; a notebook shows them as one page with a table and figures over the runs.

    Args:
        name: the name of the pipeline.
        champion: the number of the run that made the champion; None if there is none yet.
    """

    name: str
    champion: int | None

    def __new__(cls, runs: Iterable[PipelineRun], *, name: str = "", champion: int | None = None) -> Self:
        """Make a tuple with the name and the champion of the pipeline."""
        made = super().__new__(cls, runs)
        made.name, made.champion = name, champion
        return made


@look.register
def _(runs: PipelineRuns) -> Look:
    from epkit.reporters.pipeline import html, text

    found, name, champion = masked(tuple(runs)), runs.name, runs.champion
    return Look(
        sheet=lambda: html.history_sheet(name, found, champion),
        text=lambda: text.render_list(name, found, champion),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A pipeline of `epkit.toml`.

    Args:
        name: the name in that file.
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
        """Run the pipeline; `epkit pipeline run` in Python. The result is in `state`, `exit_code` and `steps`.

        Args:
            from_, to, only: names of steps: the first, the last, the only one.
            force: run steps that could be reused.
            changes: `KEY=VALUE` each, in place of values in `epkit.toml`, as with `--set`.
            if_needed: run only if the data have drifted, the schema has changed, or a gate is missed.
            why: the reason, for the record of the run.

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
        lines: list[str] = []
        with CellProgress(lambda: "\n".join(lines)) as progress:

            def show(step: StepResult) -> None:
                _log.info("%s %s: %s", step.step, step.state, step.line)
                lines.append(words.step(step))
                progress.show(lambda: "\n".join(lines), at_once=True)

            def say(line: str) -> None:
                _log.debug(line)
                progress.show(lambda: "\n".join([*lines, clean(line, words.LINE)]))

            try:
                return flow.run(self.name, options, self._context, show=show, say=say)
            finally:
                know(self._context)

    def runs(self) -> PipelineRuns:
        """Return the runs that are kept, the oldest first.

        Raises:
            UsageError: a report is damaged.
        """
        store = load(self.name, self._context).store
        crowned = store.crowned()
        champion = None if crowned is None else crowned.run
        return PipelineRuns(reports.history(store), name=self.name, champion=champion)
