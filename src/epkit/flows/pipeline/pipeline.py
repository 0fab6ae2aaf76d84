"""`epkit pipeline run`: runs the steps in order, and reuses each one if nothing that it depends on has changed.

Theory of operation. The steps `data`, `train` and `gate` are stored. Such a step has a key, a hash of everything that
it depends on. Its result is in `cache/KEY`, either complete or not at all. So a killed run is not resumed: the same
command starts another run, which reuses the finished steps; `train` continues from its own journal. First, whatever the
killed run has deployed is removed. The journal of a run has one line before each step and one after it. Each line is on
disk before anything else happens.
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
"""Exit code if a gate is missed."""

LOGIN: Final = ("LOGNAME", "USER", "USERNAME")
"""Environment variables with the name of the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """The options of a run.

    Args:
        from_, to, only: names of steps: the first, the last, the only one; None for all steps.
        force: run all steps, even if they could be reused.
        changes: each is `KEY=VALUE` and replaces a value of `epkit.toml`.
        if_needed: run only if a new model is needed.
        why: the user's reason for the run.
        by: the interface that starts the run: `cli`, `python`, `http`.
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
        """Return the options that differ from their defaults, by flag."""
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
    """What a run would do with a step: `reused`, `stopped` (reused, and the gate is missed), or `run`."""

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
        say: called with the progress of a step.
        begun: called with the number of the run before its first step.

    Raises:
        PipelineBusyError: another run is going on.
        UsageError: the configuration is wrong, the champion is missing, or a disk is full.
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
    """Return what a run would do. Nothing is written.

    Raises:
        UsageError: as for `run`.
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
        steps: all steps up to the last one to run.
        first: place of the first step to run; stored results are used for the steps before it.
        flag: the flag that set the first step, for messages.
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
    """Refuse a wrong configuration before anything runs.

    Raises:
        UsageError: the plan, a gate, a candidate or an objective is wrong.
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
    """A run that is going on."""

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
        """Run the steps, and record their results.

        Raises:
            UsageError: the disk is full.
        """
        with self._store.begin(self._head) as journal:
            begun(journal.run)
            state: RunState
            try:
                state, code, reason = self._steps(journal)
            except BaseException:  # a bug or a full disk: the candidate must still be removed
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
        """Run the steps one after the other, until one ends the run."""
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
        """Run a step, or reuse its stored result.

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
        """Take the stored result of a step before the first one.

        Raises:
            UsageError: there is none.
        """
        world = self._world_of(journal, self._saying(step, journal))
        if step.name in KEPT:
            key = step.key(self._results, world)
            known = None if key is None else self._store.outcome(key)
        else:
            known = self._of_last_run(step, journal.run)
        if known is None:
            raise UsageError(
                f"{self._span.flag} needs {step.name}, which was not done with this table and configuration: "
                f"--from {step.name}"
            )
        return self._take_reused(known, journal)

    def _of_last_run(self, step: PipelineStep, run_number: int) -> StepResult | None:
        """Return the result of a step without a key from the last run, if that run stopped after it with this model."""
        earlier = [number for number in self._store.numbers() if number < run_number]
        last = self._store.report(earlier[-1]) if earlier else None
        if last is None or last.state != "ok" or last.step("switch") is not None:
            return None
        trained, found = last.step("train"), last.step(step.name)
        same = trained is not None and trained.key == self._results["train"].key
        return found if same and found is not None and found.passed else None

    def _go_on(self, data: StepResult, journal: RunJournal) -> bool:
        """With `--if-needed`, tell whether a new model is needed."""
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
        """Remove what steps have deployed, in reverse order; after a switch, remove nothing.

        Returns:
            A sentence about what could not be removed, or "".
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
        """Make the model the champion if the endpoint was switched to it, or if the pipeline does not deploy."""
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
        with suppress(UsageError):  # if the disk is full, the reason is still shown
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
    """Return the fields of `PipelineRun` that are known before the run starts."""
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
    """Return the name of the user of this process, if the environment does not have it."""
    try:
        return getuser()
    except (OSError, KeyError):
        return "unknown"


def _nothing_to_do(loaded: LoadedPipeline, options: PipelineOptions, champion: Champion) -> PipelineRun:
    """Return a run that was not started, because the table is the champion's."""
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
    """Return a stored result; a gate that was missed stays missed."""
    return replace(known, state="reused" if known.passed else known.state, seconds=0.0)


def _trouble(error: EpkitError | OSError) -> EpkitError:
    """Turn an error of the operating system into one line; a bug stays a bug.

    Raises:
        OSError: the user cannot fix it.
    """
    if isinstance(error, EpkitError):
        return error
    if error.errno not in REMEDIES:
        raise error
    return unwritable(str(error.filename or "a file"), error)
