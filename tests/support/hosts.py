"""Hosts of a private network: each is a network namespace with an address, and a cable that can be cut."""

import contextlib
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

SECONDS_AHEAD = 5000
"""How many seconds the clock of a host may be ahead of ours."""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host.

    Args:
        here, there: our address on the cable, and the host's.
        cable: our end of the cable.
        enter: prefix of a command that runs on the host.
    """

    name: str
    here: str
    there: str
    cable: str
    enter: tuple[str, ...]

    def cut(self) -> None:
        """Cut the cable without any notice."""
        run("ip", "link", "set", self.cable, "down")


@contextlib.contextmanager
def network(hosts: int, *, ahead: bool = False) -> Iterator[list[Host]]:
    """Make hosts that reach this one; skip the calling test if the machine does not allow it.

    Args:
        ahead: whether the second host's clock is `SECONDS_AHEAD`, like that of another machine.
    """
    if sys.platform != "linux" or not (shutil.which("ip") and shutil.which("unshare")):
        pytest.skip("needs ip and unshare of Linux")
    tag = uuid.uuid4().hex[:6]
    made: list[Host] = []
    try:
        for number in range(1, hosts + 1):
            name, cable, far = f"epkit-{tag}-{number}", f"e{tag}{number}a", f"e{tag}{number}b"
            here, there = f"10.213.{number}.1", f"10.213.{number}.2"
            clock = ("unshare", "-T", "--monotonic", str(SECONDS_AHEAD), "--") if ahead and number == 2 else ()
            try:
                run("ip", "netns", "add", name)
                made.append(
                    Host(name=name, here=here, there=there, cable=cable, enter=("ip", "netns", "exec", name, *clock))
                )
                run("ip", "link", "add", cable, "type", "veth", "peer", "name", far, "netns", name)
                run("ip", "address", "add", f"{here}/24", "dev", cable)
                run("ip", "link", "set", cable, "up")
                for command in (["address", "add", f"{there}/24", "dev", far], ["link", "set", far, "up"],
                                ["link", "set", "lo", "up"], ["route", "add", "default", "via", here]):  # fmt: skip
                    run("ip", "-n", name, *command)
                if clock:
                    run(*clock, "true")
            except subprocess.CalledProcessError as error:
                pytest.skip(f"this machine has no namespaces for us: {error.stderr.decode()[:100]}")
        yield made
    finally:
        for host in made:
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)
            subprocess.run(["ip", "link", "del", host.cable], check=False, capture_output=True)
