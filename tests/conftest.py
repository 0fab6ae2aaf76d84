"""What every test may ask for."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.canary import CANARY
from support.dask_cluster import DaskCluster
from support.fault_server import FaultServer
from support.shared import shared

# Properties are about values, and not about how busy the machine is.
settings.register_profile("epkit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("epkit")


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a shell without job control has what it starts with `&` ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def _fault_server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def fault_server(_fault_server: FaultServer) -> Iterator[FaultServer]:
    """A server that misbehaves on purpose, with no connection or memory left from another test."""
    yield _fault_server
    _fault_server.reset()


@pytest.fixture(scope="session")
def _cluster() -> Iterator[DaskCluster]:
    with DaskCluster(2) as cluster:
        yield cluster


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> DaskCluster:
    """A Dask cluster of two workers, which tests share and leave as it was."""
    pytest.importorskip("distributed", reason="needs the extra cluster")
    return request.getfixturevalue("_cluster")


@pytest.fixture(params=["workers", pytest.param("cluster", marks=pytest.mark.long)])
def crew(request: pytest.FixtureRequest) -> list[object]:
    """The flags for two workers: processes of this machine, and those of a Dask cluster."""
    if request.param == "workers":
        return ["--workers", 2]
    return ["--cluster", request.getfixturevalue("cluster").address]


@pytest.fixture(name="shared")
def _shared() -> Callable[[str], Path]:
    """`shared("data/ab/real")`: a path of the shared data; the test is skipped where it is missing."""
    return shared


@pytest.fixture
def canary() -> str:
    """The key to use: it must never show up in any output."""
    return CANARY
