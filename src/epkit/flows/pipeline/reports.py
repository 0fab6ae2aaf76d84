"""The reports of runs: written at the end of a run, and read for `list`, `show` and `compare`."""

import json

from epkit.core.pipeline import document
from epkit.core.pipeline.run import FORMAT, PipelineRun
from epkit.errors import UsageError
from epkit.files import outputs
from epkit.files.pipelines import PAGE, REPORT, Journaled, PipelineStore
from epkit.reporters.pipeline import html


def write_report(store: PipelineStore, run: PipelineRun) -> None:
    """Write `report.json` and `report.html` into the directory of a run.

    Raises:
        UsageError: the disk is full.
    """
    assert run.run is not None
    directory = store.run_directory(run.run)
    text = json.dumps(document.to_document(run), indent=2, ensure_ascii=False, allow_nan=False)
    outputs.write(str(directory / REPORT), text + "\n", "the report")
    outputs.write(str(directory / PAGE), html.render(run), "the report")


def history(store: PipelineStore) -> list[PipelineRun]:
    """Return the runs, the oldest first, including unfinished ones.

    Raises:
        UsageError: a report is damaged.
    """
    return [found for number in store.numbers() if (found := _read(store, number)) is not None]


def find(store: PipelineStore, number: int | None) -> PipelineRun:
    """Return a run.

    Args:
        number: None: the last run.

    Raises:
        UsageError: there is no such run, or its report is damaged.
    """
    known = store.numbers()
    if not known:
        raise UsageError(f"{store.directory.name}: there are no runs yet: epkit pipeline run {store.directory.name}")
    wanted = known[-1] if number is None else number
    found = _read(store, wanted) if wanted in known else None
    if found is None:
        raise UsageError(f"{store.directory.name}: there is no run {wanted}: there are {_ranges(known)}")
    return found


def _read(store: PipelineStore, number: int) -> PipelineRun | None:
    found = store.report(number)
    if found is not None:
        return found
    journal = store.journal(number)
    return None if journal is None else _unfinished(number, journal)


def _unfinished(number: int, journal: Journaled) -> PipelineRun | None:
    """Make a report from a journal without an end."""
    last = journal.begun[-1] if journal.begun else "the first step"
    whole = {
        "format": FORMAT,
        **journal.head,
        "run": number,
        "seconds": sum(step.seconds for step in journal.ended),
        "need": None,
        "steps": [document.step_to_plain(step) for step in journal.ended],
        "switched": False,
        "state": "unfinished",
        "exit_code": 1,
        "reason": f"it goes on, or was killed: in {last}",
    }
    try:
        return document.from_document(whole)
    except ValueError:
        return None


def _ranges(numbers: list[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 3 else ", ".join(map(str, numbers))
