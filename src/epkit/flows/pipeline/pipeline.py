"""`epkit pipeline run`: the steps in their order, each reused where nothing that it depends on has changed.

Theory of operation. A step that is kept (`data`, `train`, `gate`) has a key, which is a hash of all that it depends on;
what came of it is in `cache/KEY`, whole, or not there. So a run that was killed is not taken up: the same command is
another run, which reuses what was finished, and `train` goes on from its own journal. What was put up by the run that
was killed is taken away first. The journal of a run has a line before a step begins and one after it has ended, each on
the disk before the next thing happens.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from signal import SIGINT, Signals
from tempfile import TemporaryDirectory
from typing import Any, Final

import epkit
from epkit.core.http.masking import mask_text, mask_values
from epkit.core.pipeline.run import Need, PipelineRun, RunState
from epkit.core.pipeline.steps import KEPT, StepName, StepResult
from epkit.errors import REMEDIES, EpkitError, UsageError, unwritable
from epkit.files.pipelines import PipelineStore, RunJournal
from epkit.flows.context import Context
from epkit.flows.interrupts import noted
from epkit.flows.pipeline import table
from epkit.flows.pipeline.champions import crown, find_champion
from epkit.flows.pipeline.loading import LoadedPipeline, load
from epkit.flows.pipeline.orders import gates_of, train_order
from epkit.flows.pipeline.registry import STEPS, active, check_name
from epkit.flows.pipeline.reports import write_report
from epkit.flows.pipeline.steps.base import PipelineStep
from epkit.flows.pipeline.steps.bench import check_objectives
from epkit.flows.pipeline.world import Champion, StepStopped, World

MISSED: Final = 5
"""Exit code where a gate says no."""

LOGIN: Final = ("LOGNAME", "USER", "USERNAME")
"""Variables that name the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """What a run was asked for.

    Args:
        from_, to, only: names of steps: the first, the last, the only one; None for all.
        force: run the steps although they could be reused.
        changes: `KEY=VALUE` each, in place of what `epkit.toml` says.
        if_needed: run only if a new model is needed.
        why: what the user says of the run.
        by: the face that asks: `cli`, `python`, `http`.
    """

    from_: str | None = None
    to: str | None = None
    only: str | None = None
    force: bool = False
    changes: tuple[str, ...] = ()
    if_needed: bool = False
    why: str | None = None
    by: str = "cli"

    @property
    def asked(self) -> dict[str, Any]:
        """Return what is not the default, by flag."""
        values = {
            "from": self.from_,
            "to": self.to,
            "only": self.only,
            "force": self.force,
            "set": list(self.changes),
            "if_needed": self.if_needed,
        }
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a run would do with a step: `reused`, `stopped` (reused, and says no), or `run`."""

    step: StepName
    state: str
    line: str


def run(
    name: str,
    options: PipelineOptions,
    context: Context,
    *,
    show: Callable[[StepResult], None],
    say: Callable[[str], None],
    begun: Callable[[int], None] = lambda _: None,
    steps: tuple[PipelineStep, ...] = STEPS,
) -> PipelineRun:
    """Run a pipeline.

    Args:
        show: called when a step has ended.
        say: called with what a step says meanwhile.
        begun: called with the number of the run, before its first step.

    Raises:
        PipelineBusyError: another run goes on.
        UsageError: the configuration is wrong, the champion is gone, or a disk is full.
    """
    loaded = load(name, context, options.changes)
    span = _span(options, active(loaded.config, steps))
    check(loaded)
    with loaded.store.lock(), noted() as stopped:
        champion = find_champion(_recovered(loaded, steps, stopped))
        if options.if_needed and champion is not None and _same_table(loaded, champion):
            return _nothing_to_do(loaded, options, champion)
        return _Sequence(loaded, options, span, champion, show, say, stopped).run(begun)


def foresee(
    name: str, options: PipelineOptions, context: Context, steps: tuple[PipelineStep, ...] = STEPS
) -> tuple[Foreseen, ...]:
    """Say what a run would do; nothing is written.

    Raises:
        UsageError: as `run`.
    """
    loaded = load(name, context, options.changes)
    span = _span(options, active(loaded.config, steps))
    check(loaded)
    champion = find_champion(loaded.store)
    before: dict[StepName, StepResult] = {}
    found: list[Foreseen] = []
    with TemporaryDirectory(prefix="epkit-") as directory:
        world = _world(loaded, Path(directory), 0, champion, lambda _: None, lambda: None)
        for step in span.steps:
            kept = None
            if step.name in KEPT and len(before) == len(found):
                key = step.key(before, world)
                kept = None if key is None or (options.force and span.has(step)) else loaded.store.outcome(key)
            if kept is not None:
                before[step.name] = kept
            state = "run" if kept is None else "stopped" if kept.state == "stopped" else "reused"
            found.append(Foreseen(step=step.name, state=state, line="" if kept is None else kept.line))
            if state == "stopped":
                break
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """The steps of a run.

    Args:
        steps: up to the last one.
        first: place of the first one that is run; those before it are taken as they are kept.
        flag: what the user gave for it, for messages.
    """

    steps: tuple[PipelineStep, ...]
    first: int
    flag: str

    def has(self, step: PipelineStep) -> bool:
        return self.steps.index(step) >= self.first


def _span(options: PipelineOptions, steps: tuple[PipelineStep, ...]) -> _Span:
    if options.only is not None and (options.from_ or options.to):
        raise UsageError("--only is --from and --to of one step: leave them out")
    names = [step.name for step in steps]
    first, last, flag = 0, len(steps), ""
    if start := options.only or options.from_:
        flag = f"{'--only' if options.only else '--from'} {start}"
        first = names.index(check_name(flag.partition(" ")[0], start, steps))
    if end := options.only or options.to:
        last = names.index(check_name("--to", end, steps)) + 1
    if first >= last:
        raise UsageError(f"--from {options.from_} --to {options.to}: {options.to} comes before {options.from_}")
    return _Span(steps=steps[:last], first=first, flag=flag)


def check(loaded: LoadedPipeline) -> None:
    """Refuse what cannot be meant, before anything runs.

    Raises:
        UsageError: the plan, a gate, a candidate or an objective.
    """
    train_order(loaded.config, loaded.root)
    gates_of(loaded.config)
    check_objectives(loaded.config)


def _world(
    loaded: LoadedPipeline,
    directory: Path,
    run_number: int,
    champion: Champion | None,
    show: Callable[[str], None],
    stopped: Callable[[], Signals | None],
) -> World:
    return World(
        context=loaded.context,
        config=loaded.config,
        run=run_number,
        directory=directory,
        cache=loaded.store.cache,
        champion=champion,
        show=show,
        stopped=stopped,
    )


def _recovered(
    loaded: LoadedPipeline, steps: Sequence[PipelineStep], stopped: Callable[[], Signals | None]
) -> PipelineStore:
    """Take away what a run that was killed has put up; finish what it had switched to.

    Raises:
        EpkitError: it cannot be taken away.
    """
    store = loaded.store
    number = (store.numbers() or [0])[-1]
    journal = store.journal(number) if number else None
    if journal is None or journal.over:
        return store
    ended = {result.step: result for result in journal.ended}
    if "switch" in ended and ended["switch"].passed:
        crown(store, loaded.config, number, ended)
        return store
    champion = find_champion(store)
    say = loaded.context.note
    world = _world(loaded, store.run_directory(number), number, champion, say, stopped)
    for step in reversed(steps):
        if step.name in journal.begun and step.name not in KEPT:
            say(f"run {number} was killed: what {step.name} has deployed is removed")
            step.undo(world)
    return store


def _same_table(loaded: LoadedPipeline, champion: Champion) -> bool:
    if champion.table is None:
        return False
    with TemporaryDirectory(prefix="epkit-") as directory:
        world = _world(loaded, Path(directory), 0, champion, lambda _: None, lambda: None)
        return table.hash_of(world) == champion.table


class _Sequence:
    """A run that goes on."""

    def __init__(
        self,
        loaded: LoadedPipeline,
        options: PipelineOptions,
        span: _Span,
        champion: Champion | None,
        show: Callable[[StepResult], None],
        say: Callable[[str], None],
        stopped: Callable[[], Signals | None],
    ) -> None:
        self._loaded, self._options, self._span, self._champion = loaded, options, span, champion
        self._show, self._say, self._stopped = show, say, stopped
        self._store = loaded.store
        self._began = time.monotonic()
        self._head = _head(loaded, options, champion)
        self._results: dict[StepName, StepResult] = {}
        self._begun: list[PipelineStep] = []
        self._need: Need | None = None

    def run(self, begun: Callable[[int], None]) -> PipelineRun:
        """Run the steps, and write down what came of them.

        Raises:
            UsageError: the disk is full.
        """
        with self._store.begin(self._head) as journal:
            begun(journal.run)
            state: RunState
            try:
                state, code, reason = self._steps(journal)
            except BaseException:  # a bug, or a disk that is full: what was put up goes all the same
                with suppress(EpkitError, OSError):
                    self._undo(journal)
                raise
            if state in ("failed", "interrupted", "stopped"):
                reason = " ".join(filter(None, [reason, self._undo(journal)])) or None
            switched = self._crowned(journal.run)
            ran = self._report(journal.run, state, code, reason, switched=switched)
            write_report(self._store, ran)
            journal.over(code)
        self._store.prune(self._loaded.config.keep)
        return ran

    def _steps(self, journal: RunJournal) -> tuple[RunState, int, str | None]:
        """Run one after the other, until one says no."""
        for step in self._span.steps:
            if (signal := self._stopped()) is not None:
                return "interrupted", 128 + int(signal), f"interrupted before {step.name}"
            try:
                result = self._taken(step, journal) if not self._span.has(step) else self._ran(step, journal)
            except (StepStopped, KeyboardInterrupt) as error:
                signal = error.signal if isinstance(error, StepStopped) else Signals(getattr(error, "number", SIGINT))
                self._ended(step, journal, state="stopped", reason="interrupted")
                return "interrupted", 128 + int(signal), f"interrupted in {step.name}"
            except (EpkitError, OSError) as error:
                trouble = _trouble(error)
                self._ended(step, journal, state="failed", reason=str(trouble))
                return "failed", trouble.exit_code, f"{step.name}: {trouble}"
            if not result.passed:
                return "stopped", int(result.result.get("exit_code", MISSED)), f"{step.name}: {result.reason}"
            if step.name == "data" and not self._go_on(result, journal):
                return "not needed", 0, None
        return "ok", 0, None

    def _ran(self, step: PipelineStep, journal: RunJournal) -> StepResult:
        """Run a step, or reuse what came of it before.

        Raises:
            EpkitError: it failed.
        """
        began = time.monotonic()
        say = self._saying(step, journal)
        world = self._world_of(journal, say)
        key = step.key(self._results, world)
        known = None if key is None or self._options.force or step.name not in KEPT else self._store.outcome(key)
        if known is not None:
            return self._take_reused(known, journal)
        journal.begun(step.name, key)
        self._begun.append(step)
        if key is not None and step.name in KEPT:
            world = replace(world, part=self._store.part(key, afresh=self._options.force))
        result = replace(step.run(self._results, world), key=key)
        result = self._masked(replace(result, seconds=time.monotonic() - began))
        if world.part is not None and key is not None:
            files = {name: f"../../cache/{key}/{path}" for name, path in result.files.items()}
            result = replace(result, files=files)
            self._store.keep(key, result)
        return self._take(result, journal)

    def _taken(self, step: PipelineStep, journal: RunJournal) -> StepResult:
        """Take what a step before the first one left.

        Raises:
            UsageError: it is not there.
        """
        world = self._world_of(journal, self._saying(step, journal))
        if step.name in KEPT:
            key = step.key(self._results, world)
            known = None if key is None else self._store.outcome(key)
        else:
            known = self._of_last_run(step, journal.run)
        if known is None:
            raise UsageError(
                f"{self._span.flag}: needs {step.name}, which was not done with this table and configuration: "
                f"--from {step.name}"
            )
        return self._take_reused(known, journal)

    def _of_last_run(self, step: PipelineStep, run_number: int) -> StepResult | None:
        """Return what a step that is not kept left in the last run, where that stopped behind it with this model."""
        earlier = [number for number in self._store.numbers() if number < run_number]
        last = self._store.report(earlier[-1]) if earlier else None
        if last is None or last.state != "ok" or last.step("switch") is not None:
            return None
        trained, found = last.step("train"), last.step(step.name)
        same = trained is not None and trained.key == self._results["train"].key
        return found if same and found is not None and found.passed else None

    def _go_on(self, data: StepResult, journal: RunJournal) -> bool:
        """Tell, with `--if-needed`, whether a new model is needed."""
        if not self._options.if_needed or self._champion is None:
            return True
        from epkit.flows.pipeline.needing import needed

        say = self._saying(None, journal)
        self._need = needed(self._world_of(journal, say), self._champion, data)
        for reason in self._need.reasons:
            line = f"{'a new model is needed' if self._need.retrain else 'no new model is needed'}: {reason}"
            say(line)
            self._loaded.context.note(line)
        return self._need.retrain

    def _undo(self, journal: RunJournal) -> str:
        """Take away what steps have put up, the last one first; nothing once the endpoint was switched.

        Returns:
            What could not be taken away, in a sentence; else nothing.
        """
        switched = self._results.get("switch")
        if switched is not None and switched.passed:
            return ""
        problems = []
        for step in reversed(self._begun):
            say = self._saying(step, journal)
            try:
                step.undo(self._world_of(journal, say))
            except (EpkitError, OSError) as error:
                problems.append(f"{step.name} could not be undone: {_trouble(error)}")
                say(problems[-1])
        return f"({'; '.join(problems)})" if problems else ""

    def _crowned(self, run_number: int) -> bool:
        """Make the model the champion, where it was switched to, whatever came later, or there is nothing to deploy."""
        last = "gate" if self._loaded.config.deploy is None else "switch"
        passed = {name: result for name, result in self._results.items() if result.passed}
        return last in passed and crown(self._store, self._loaded.config, run_number, passed)

    def _take_reused(self, known: StepResult, journal: RunJournal) -> StepResult:
        result = _reused(known)
        journal.reused(result)
        return self._taken_in(result)

    def _take(self, result: StepResult, journal: RunJournal) -> StepResult:
        journal.ended(result)
        return self._taken_in(result)

    def _taken_in(self, result: StepResult) -> StepResult:
        self._results[result.step] = result
        self._show(result)
        return result

    def _ended(self, step: PipelineStep, journal: RunJournal, *, state: Any, reason: str) -> None:
        result = StepResult(step=step.name, state=state, line=reason, reason=reason)
        with suppress(UsageError):  # the disk that is full: the reason is shown all the same
            journal.ended(self._masked(result))
        self._results[step.name] = self._masked(result)
        self._show(self._results[step.name])

    def _world_of(self, journal: RunJournal, say: Callable[[str], None]) -> World:
        loaded = replace(self._loaded, context=replace(self._loaded.context, note=say, warn=say))
        return _world(loaded, journal.directory, journal.run, self._champion, say, self._stopped)

    def _saying(self, step: PipelineStep | None, journal: RunJournal) -> Callable[[str], None]:
        def say(line: str) -> None:
            masked = mask_text(line, self._loaded.context.secrets)
            journal.log("run" if step is None else step.name, masked)
            self._say(masked)

        return say

    def _masked(self, result: StepResult) -> StepResult:
        return mask_values(result, self._loaded.context.secrets)

    def _report(
        self, run_number: int, state: RunState, code: int, reason: str | None, *, switched: bool
    ) -> PipelineRun:
        ran = PipelineRun(
            **self._head,
            run=run_number,
            seconds=time.monotonic() - self._began,
            need=self._need,
            steps=tuple(self._results.values()),
            switched=switched,
            state=state,
            exit_code=code,
            reason=reason,
        )
        return mask_values(ran, self._loaded.context.secrets)


def _head(loaded: LoadedPipeline, options: PipelineOptions, champion: Champion | None) -> dict[str, Any]:
    """Return what is known of a run before it begins, by the fields of `PipelineRun`."""
    environ = loaded.context.environ
    head = {
        "pipeline": loaded.config.name,
        "version": epkit.__version__,
        "user": next((environ[name] for name in LOGIN if environ.get(name)), None) or _owner(),
        "by": options.by,
        "why": options.why,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "parameters": dict(loaded.config.table),
        "asked": options.asked,
        "champion": None if champion is None else champion.run,
    }
    return mask_values(head, loaded.context.secrets)


def _owner() -> str:
    """Return the name of who runs this process, where the environment does not say."""
    try:
        return getuser()
    except (OSError, KeyError):
        return "unknown"


def _nothing_to_do(loaded: LoadedPipeline, options: PipelineOptions, champion: Champion) -> PipelineRun:
    """Return a run that was not begun: the table is that of the champion."""
    reason = f"the table is the same as in run {champion.run}"
    return PipelineRun(
        **_head(loaded, options, champion),
        run=None,
        seconds=0.0,
        need=Need(retrain=False, reasons=(reason,)),
        steps=(),
        switched=False,
        state="not needed",
        exit_code=0,
        reason=None,
    )


def _reused(known: StepResult) -> StepResult:
    """Return an outcome that was kept; one that said no says no again."""
    return replace(known, state="reused" if known.passed else known.state, seconds=0.0)


def _trouble(error: EpkitError | OSError) -> EpkitError:
    """Say in one line what the system refused; what is a bug stays one.

    Raises:
        OSError: it is none of what a user can mend.
    """
    if isinstance(error, EpkitError):
        return error
    if error.errno not in REMEDIES:
        raise error
    return unwritable(str(error.filename or "a file"), error)
