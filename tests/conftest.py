"""Fixtures for all tests."""

import gc
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.canary import CANARY
from support.dask_cluster import DaskCluster
from support.fault_server import FaultServer
from support.shared import shared

# Properties concern values, and must not depend on the load of the machine.
settings.register_profile("epkit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("epkit")


def pytest_configure() -> None:
    """Let Ctrl-C reach the tests' processes: a shell without job control makes those started with `&` ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Freeze the collected tests: a load begins with a garbage collection, which would visit their half million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def unfrozen() -> Iterator[None]:
    """Objects are not frozen, as in the process of a Python caller."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.fixture(scope="session")
def _fault_server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def fault_server(_fault_server: FaultServer) -> Iterator[FaultServer]:
    """A server that misbehaves on purpose, without connections or records of another test."""
    yield _fault_server
    _fault_server.reset()


@pytest.fixture(scope="session")
def _cluster() -> Iterator[DaskCluster]:
    with DaskCluster(2) as cluster:
        yield cluster


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> DaskCluster:
    """A Dask cluster of two workers, which tests share and must not change."""
    pytest.importorskip("distributed", reason="needs the extra cluster")
    return request.getfixturevalue("_cluster")


@pytest.fixture(params=["workers", pytest.param("cluster", marks=pytest.mark.long)])
def crew(request: pytest.FixtureRequest) -> list[object]:
    """The flags for two workers: processes of this machine, or of a Dask cluster."""
    if request.param == "workers":
        return ["--workers", 2]
    return ["--cluster", request.getfixturevalue("cluster").address]


@pytest.fixture(name="shared")
def _shared() -> Callable[[str], Path]:
    """`shared("data/ab/real")` returns a path of the shared data; the test is skipped if it is missing."""
    return shared


@pytest.fixture
def canary() -> str:
    """The key for tests: it must not appear in any output."""
    return CANARY
