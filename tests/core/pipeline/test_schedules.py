"""Schedules of a pipeline: accepted values, and how cron, systemd and a shell interpret the generated text."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from epkit.core.hosting.azure_pipelines import Crontab, Recurrence, Schedule
from epkit.core.pipeline import schedules

COMMAND = ["/opt/my python/bin/python", "-m", "epkit", "pipeline", "run", "bank", "--why", "it's 100 % $HOME"]


@pytest.mark.parametrize(
    ("text", "frequency", "interval"),
    [
        ("week", "week", 1),
        ("day", "day", 1),
        ("hour", "hour", 1),
        ("30m", "minute", 30),
        ("6h", "hour", 6),
        ("2d", "day", 2),
        ("1w", "week", 1),
    ],
)
def test_an_interval_is_a_word_or_a_number_with_its_unit(text: str, frequency: str, interval: int):
    assert Recurrence(frequency=frequency, interval=interval) == schedules.every(text)


@pytest.mark.parametrize("text", ["", "1m", "0h", "month", "-5m", "30", "30 s", "1.5h", "99999m", "week;x", "٣h"])
def test_what_is_no_interval_is_refused(text: str):
    with pytest.raises(ValueError, match=r"5m|30m"):
        schedules.every(text)


@pytest.mark.parametrize("text", ["0 6 * * 1", "*/15 0-6 1,15 * *", "0 0 * 1-6/2 7", "  5  4  *  *  * "])
def test_five_fields_are_taken(text: str):
    assert Crontab(expression=" ".join(text.split())) == schedules.cron(text)


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "5/2 * * * *", "@daily", "0 6 * * mon", "0 6 * * 1;rm", "0 6 * * *\n* * * * *"],
)  # fmt: skip
def test_what_cron_does_not_know_is_refused(text: str):
    with pytest.raises(ValueError, match=r"\S"):
        schedules.cron(text)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("week", "0 0 * * 1"),
        ("day", "0 0 * * *"),
        ("hour", "0 * * * *"),
        ("30m", "*/30 * * * *"),
        ("60m", "0 * * * *"),
        ("6h", "0 */6 * * *"),
        ("24h", "0 0 * * *"),
        ("7d", "0 0 * * 1"),
    ],
)
def test_an_interval_becomes_a_line_of_a_crontab(text: str, expression: str):
    line = schedules.crontab_line(schedules.every(text), ["epkit"], "/srv")

    assert f"{expression} cd /srv && epkit" == line


@pytest.mark.parametrize("text", ["7m", "5h", "2d", "2w"])
def test_an_interval_that_cron_cannot_count_is_refused(text: str):
    with pytest.raises(ValueError, match="--cron says when"):
        schedules.crontab_line(schedules.every(text), ["epkit"], "/srv")


def test_what_cron_hands_to_the_shell_is_the_command_in_its_directory(tmp_path: Path):
    """cron runs the rest of the line up to a bare %, and replaces \\% by %."""
    place = tmp_path / "it's 100 % a $place"
    place.mkdir()
    script = place / "say; it"
    script.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n')
    script.chmod(0o755)
    line = schedules.crontab_line(schedules.every("day"), [str(script), *COMMAND], str(place))
    _, _, _, _, _, rest = line.split(" ", 5)

    assert "%" not in rest.replace("\\%", "")
    ran = subprocess.run(["sh", "-c", rest.replace("\\%", "%")], capture_output=True, text=True, check=True, cwd="/")
    assert [str(place), *COMMAND] == ran.stdout.splitlines()


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.every("30m"),
        schedules.every("week"),
        schedules.cron("*/20 6-8 1,15 * *"),
        schedules.cron("0 6 * * 1-5"),
        schedules.cron("0 6 * * 7"),
    ],
)
def test_systemd_takes_what_is_written(tmp_path: Path, schedule: Schedule):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze")
    place = tmp_path / "100 % a $place"
    place.mkdir()
    command = place / 'a "python'
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    (tmp_path / "bank.service").write_text(schedules.systemd_service([str(command), *COMMAND], str(place), "100 %"))
    (tmp_path / "bank.timer").write_text(schedules.systemd_timer(schedule, "100 %"))
    environ = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:", "SYSTEMD_LOG_LEVEL": "warning"}
    verified = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / "bank.timer"), str(tmp_path / "bank.service")],
        capture_output=True, text=True, check=False, env=environ,
    )  # fmt: skip

    said = [line for line in verified.stderr.splitlines() if "bank." in line or str(tmp_path) in line]
    assert [] == said, verified.stderr


@pytest.mark.parametrize(
    ("cron", "calendar"),
    [("0 6 * * 1", "Mon *-*-* 6:0:00"), ("*/30 0-2 * 1,7 *", "*-1,7-* 0,1,2:0,30:00"), ("0 0 1 * *", "*-*-1 0:0:00")],
)
def test_five_fields_become_a_calendar(cron: str, calendar: str):
    assert f"OnCalendar={calendar}\n" in schedules.systemd_timer(schedules.cron(cron), "x")


def test_a_day_and_a_weekday_together_mean_another_thing_to_systemd():
    with pytest.raises(ValueError, match="weekday"):
        schedules.systemd_timer(schedules.cron("0 6 1 * 1"), "x")


def test_a_line_break_in_a_path_is_refused():
    with pytest.raises(ValueError, match="line break"):
        schedules.crontab_line(schedules.every("day"), ["a\nb"], "/srv")
    with pytest.raises(ValueError, match="line break"):
        schedules.systemd_service(["a"], "/srv\n[Install]", "x")
