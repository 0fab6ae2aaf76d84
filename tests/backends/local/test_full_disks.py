"""Local endpoints whose state cannot be written: the error is one line and comes at once, and no process is left."""

import os
import signal
import time
from pathlib import Path

import pytest

from epkit.backends.local.state import Homes
from support.cli_harness import Cli
from support.small_disk import fill, make_read_only, small_disk

SOON_S = 60
"""Far less than the 300 s for which a command waits for a server that may still be loading its model."""

CREATE = ("deploy", "create", "bank", "--model", "model", "--entry", "score.py")


def servers(folder: Path) -> list[Path]:
    """Return the processes whose endpoint has this directory."""
    return [
        path
        for path in Path("/proc").glob("[0-9]*")
        if b"epkit.backends.local" in _read(path / "cmdline")
        and str(folder).encode() in _read(path / "cmdline") + _read(path / "environ")
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("left", [0, 4_096, 12_288, 20_480, 28_672, 40_960])
def test_an_endpoint_that_has_no_room_is_refused_soon_and_leaves_nothing(local: Cli, left: int):
    with small_disk(200_000) as folder:
        local.environ["XDG_STATE_HOME"] = str(folder)
        fill(folder, left)
        began = time.monotonic()
        ran = local(*CREATE)

        assert time.monotonic() - began < SOON_S
        assert "Traceback" not in ran.err, ran.err
        assert ran.lines[-1].startswith("epkit: ")
        if left < 20_480:
            assert 6 == ran.code, ran.err
        if ran.code:
            assert ran.code in (2, 6), ran.err
            assert "no space left on device: make room there" in ran.lines[-1]
        if ran.code != 6:
            local("deploy", "delete", "bank", "--backend", "local")
        assert [] == list(Homes(local.environ))
        assert [] == servers(folder)


def test_an_endpoint_on_a_disk_that_is_read_only_is_refused(local: Cli):
    with small_disk(200_000) as folder:
        local.environ["XDG_STATE_HOME"] = str(folder)
        make_read_only(folder)
        ran = local(*CREATE)

        assert 6 == ran.code, ran.err
        assert "read-only file system" in ran.lines[-1]
        assert "Traceback" not in ran.err


def test_a_status_that_found_no_room_is_written_as_soon_as_there_is_some(local: Cli):
    with small_disk(4_000_000) as folder:
        local.environ["XDG_STATE_HOME"] = str(folder)
        assert 0 == local(*CREATE).code
        try:
            home = Homes(local.environ).home("bank")
            status = home.status()
            assert status is not None
            fill(folder)
            master = next(path for path in servers(folder) if b"local.server" in _read(path / "cmdline"))
            os.kill(int(master.name), signal.SIGKILL)
            time.sleep(2)
            (folder / "ballast").unlink()
            deadline = time.monotonic() + SOON_S
            while (now := home.status()) is None or now.restarts == status.restarts:
                assert time.monotonic() < deadline, "what was said on the full disk is lost"
                time.sleep(0.05)
        finally:
            local("deploy", "delete", "bank", "--backend", "local")


@pytest.mark.parametrize(
    "command",
    [
        ("logs", "enable", "bank"),
        ("deploy", "keys", "bank", "--regenerate", "primary"),
        ("deploy", "update", "bank", "--model", "model"),
    ],
)
def test_a_change_that_has_no_room_is_refused_and_the_endpoint_goes_on_as_it_was(local: Cli, command):
    with small_disk(4_000_000) as folder:
        local.environ["XDG_STATE_HOME"] = str(folder)
        assert 0 == local(*CREATE).code
        fill(folder)
        try:
            ran = local(*command, "--backend", "local")
            shown = local("deploy", "show", "bank", "--backend", "local")

            assert 6 == ran.code, ran.err
            assert "no space left on device: make room there" in ran.lines[-1]
            assert "Healthy" in shown.out
        finally:
            local("deploy", "delete", "bank", "--backend", "local")
        assert [] == servers(folder)
