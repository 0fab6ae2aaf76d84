"""The schedule of a pipeline: reads `--every` and `--cron`, and writes it for cron and systemd."""

import re
from collections.abc import Sequence
from typing import Final, get_args

from epkit.core.hosting.azure_pipelines import Crontab, Frequency, Recurrence, Schedule

WORDS: Final[tuple[Frequency, ...]] = get_args(Frequency)
UNITS: Final[dict[str, Frequency]] = {"m": "minute", "h": "hour", "d": "day", "w": "week"}

LEAST_MINUTES: Final = 5
"""Least time between two runs, in minutes."""

MOST_INTERVAL: Final = 1000
FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
ENV: Final = "/usr/bin/env"
"""systemd starts this program, because it does not accept every path for a program; env accepts every path."""

WEEKDAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def every(text: str) -> Recurrence:
    """Parse `week`, `day`, `hour`, or a number with a unit: `30m`, `6h`, `2d`, `1w`.

    Raises:
        ValueError: it is none of these, or less than five minutes.
    """
    found = re.fullmatch(r"([0-9]{1,4})\s*([mhdw])", text.strip())
    if text in ("hour", "day", "week"):
        return Recurrence(frequency=text, interval=1)  # type: ignore[arg-type]
    if found is None:
        raise ValueError("must be week, day, hour, or a time such as 30m, 6h, 2d")
    interval, frequency = int(found[1]), UNITS[found[2]]
    if not 1 <= interval <= MOST_INTERVAL or (frequency == "minute" and interval < LEAST_MINUTES):
        raise ValueError(f"must be from {LEAST_MINUTES}m to {MOST_INTERVAL}w")
    return Recurrence(frequency=frequency, interval=interval)


def cron(text: str) -> Crontab:
    """Parse the five fields of a crontab: numbers, ranges, steps, lists and `*`.

    Raises:
        ValueError: a field is wrong; the message names it.
    """
    fields = text.split()
    if len(fields) != len(FIELDS):
        raise ValueError('has five fields, minute, hour, day, month and weekday, as in "0 6 * * 1"')
    for field, (name, least, most) in zip(fields, FIELDS, strict=True):
        for part in field.split(","):
            _check(part, name, least, most)
    return Crontab(expression=" ".join(fields))


def crontab_line(schedule: Schedule, command: Sequence[str], directory: str) -> str:
    """Return the line of a crontab that runs a command in a directory.

    Raises:
        ValueError: cron cannot express the schedule, or a path has a line break.
    """
    line = f"cd {_quoted(directory)} && {' '.join(map(_quoted, command))}"
    return f"{_expression(schedule)} {line.replace('%', chr(92) + '%')}"  # cron ends the command at an unescaped %


def systemd_service(command: Sequence[str], directory: str, description: str) -> str:
    """Return the unit that runs a command in a directory, once.

    Raises:
        ValueError: a path has a line break.
    """
    return (
        f"[Unit]\nDescription={_plain(description).replace('%', '%%')}\n\n[Service]\nType=oneshot\n"
        f"WorkingDirectory={_plain(directory).replace('%', '%%')}\n"
        f"ExecStart={' '.join(map(_systemd, [ENV, *command]))}\n"
    )


def systemd_timer(schedule: Schedule, description: str) -> str:
    """Return the timer of that unit.

    Raises:
        ValueError: systemd cannot express the schedule in one expression.
    """
    if isinstance(schedule, Crontab):
        when = f"OnCalendar={_calendar(schedule)}\nPersistent=true\n"
    else:
        unit = {"minute": "min", "hour": "h", "day": "d", "week": "w"}[schedule.frequency]
        when = f"OnActiveSec={schedule.interval}{unit}\nOnUnitActiveSec={schedule.interval}{unit}\n"
    description = _plain(description).replace("%", "%%")
    return f"[Unit]\nDescription={description}\n\n[Timer]\n{when}\n[Install]\nWantedBy=timers.target\n"


def _check(part: str, name: str, least: int, most: int) -> None:
    found = re.fullmatch(r"(\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?", part)
    if found is None:
        raise ValueError(f"{part} is not a {name}: numbers, a range 1-5, a step */2, a list 1,3, or *")
    numbers = [int(each) for each in found.group(2, 3) if each is not None]
    if any(not least <= each <= most for each in numbers) or numbers != sorted(numbers):
        raise ValueError(f"{part}: a {name} must be from {least} to {most}")
    if found[4] is not None and (int(found[4]) < 1 or len(numbers) == 1):
        raise ValueError(f"{part}: a step is of * or of a range, and 1 or more")


def _expression(schedule: Schedule) -> str:
    """Return a schedule as a cron expression. An interval must divide its unit.

    Raises:
        ValueError: it does not divide it.
    """
    if isinstance(schedule, Crontab):
        return schedule.expression
    number = schedule.interval
    if schedule.frequency == "minute" and 60 % number == 0:
        return f"*/{number} * * * *" if number < 60 else "0 * * * *"
    if schedule.frequency == "hour" and 24 % number == 0:
        return {1: "0 * * * *", 24: "0 0 * * *"}.get(number, f"0 */{number} * * *")
    if schedule.frequency == "day" and number == 1:
        return "0 0 * * *"
    if (schedule.frequency == "week" and number == 1) or (schedule.frequency == "day" and number == 7):
        return "0 0 * * 1"
    raise ValueError(f"cron has no word for every {number} {schedule.frequency}s: --cron says when")


def _calendar(schedule: Crontab) -> str:
    """Return five fields as a systemd calendar expression.

    Raises:
        ValueError: day and weekday are both limited: cron runs if one of them matches, systemd only if both do.
    """
    minute, hour, day, month, weekday = schedule.expression.split()
    if not day.startswith("*") and not weekday.startswith("*"):
        raise ValueError("cron runs on the day of the month and on the weekday, systemd only where both fit")
    days = "" if weekday == "*" else ",".join(_weekdays(weekday)) + " "
    parts = [",".join(_values(field, *bounds[1:])) for field, bounds in zip((month, day, hour, minute),
             (FIELDS[3], FIELDS[2], FIELDS[1], FIELDS[0]), strict=True)]  # fmt: skip
    return f"{days}*-{parts[0]}-{parts[1]} {parts[2]}:{parts[3]}:00"


def _weekdays(field: str) -> list[str]:
    return [WEEKDAYS[int(each)] for each in _values(field.replace("*", "0-6"), 0, 7)]


def _values(field: str, least: int, most: int) -> list[str]:
    """Return the values of a field of a crontab; `*` alone stays as it is."""
    if field == "*":
        return ["*"]
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            begin, end = least, most
        else:
            begin, end = int(first), int(last or first)
        found.update(range(begin, end + 1, int(step or 1)))
    return [str(each) for each in sorted(found)]


def _plain(text: str) -> str:
    if any(character in text for character in "\n\r\0"):
        raise ValueError("a path with a line break cannot be written into a schedule")
    return text


def _quoted(text: str) -> str:
    """Quote a word for the shell."""
    plain = re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", _plain(text))
    return text if plain else "'" + text.replace("'", "'\"'\"'") + "'"


def _systemd(text: str) -> str:
    """Quote a word for systemd, in which % begins a specifier and $ a variable."""
    found = _plain(text).replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./$-]+", found):
        return found
    return '"' + found.replace("\\", "\\\\").replace('"', '\\"') + '"'
