"""Schedules: parses `--every` and `--cron`, and writes lines for cron and systemd. Nothing is installed."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from epkit.core.hosting.azure_pipelines import Schedule
from epkit.core.pipeline import schedules
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.pipeline.loading import load


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSchedule:
    """Text that a user copies to a place where cron or systemd reads it.

    Args:
        crontab: the line; None if cron cannot express the schedule, then *no_crontab* is the reason.
        unit: name of both files of systemd, without suffix.
        service: contents of `UNIT.service`.
        timer: contents of `UNIT.timer`; None if systemd cannot express the schedule, then *no_timer* is the reason.
    """

    crontab: str | None
    no_crontab: str
    unit: str
    service: str
    timer: str | None
    no_timer: str


def read_schedule(every: str | None, cron: str | None) -> Schedule | None:
    """Parse the options of a command.

    Raises:
        UsageError: both are given, or one is not a schedule.
    """
    if every is not None and cron is not None:
        raise UsageError("--every and --cron: keep one of them")
    try:
        if every is not None:
            return schedules.every(every)
        return None if cron is None else schedules.cron(cron)
    except ValueError as error:
        flag, text = ("--every", every) if every is not None else ("--cron", cron)
        raise UsageError(f"{flag} {text}: {error}") from None


def local_schedule(name: str, schedule: Schedule, context: Context) -> LocalSchedule:
    """Write a schedule of `epkit pipeline run NAME --if-needed` for cron and for systemd.

    Raises:
        UsageError: there is no such pipeline, or a path has a line break.
    """
    loaded = load(name, context)
    command = [sys.executable, "-m", "epkit", "pipeline", "run", name, "--if-needed", "--quiet", "--why", "schedule"]
    return _written(name, schedule, command, loaded.root)


def _written(name: str, schedule: Schedule, command: list[str], root: Path) -> LocalSchedule:
    line, no_crontab, timer, no_timer = None, "", None, ""
    described = f"the pipeline {name}"
    try:
        line = schedules.crontab_line(schedule, command, str(root))
    except ValueError as error:
        no_crontab = str(error)
    try:
        timer = schedules.systemd_timer(schedule, described)
    except ValueError as error:
        no_timer = str(error)
    try:
        service = schedules.systemd_service(command, str(root), described)
    except ValueError as error:
        raise UsageError(f"{root}: {error}") from None
    return LocalSchedule(
        crontab=line,
        no_crontab=no_crontab,
        unit=f"epkit-{re.sub(r'[^A-Za-z0-9_-]', '-', name)}",
        service=service,
        timer=timer,
        no_timer=no_timer,
    )


def written(found: LocalSchedule) -> str:
    """Return a schedule as text for the terminal, with comments that say where to paste each part."""
    parts = [
        f"# cron: add this line with crontab -e (it runs in this machine's time zone):\n{found.crontab}\n"
        if found.crontab is not None
        else f"# cron: {found.no_crontab}\n"
    ]
    if found.timer is None:
        return "\n".join([*parts, f"# systemd: {found.no_timer}\n"])
    place = "~/.config/systemd/user"
    return "\n".join(
        [
            *parts,
            f"# systemd: {place}/{found.unit}.service\n{found.service}",
            f"# systemd: {place}/{found.unit}.timer\n{found.timer}",
            f"# then: systemctl --user daemon-reload && systemctl --user enable --now {found.unit}.timer\n",
        ]
    )
