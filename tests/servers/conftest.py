"""One server runs at a time: the first of its tests starts it, and it ends after the last one."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from support.genuine_servers import Running


def server_of(item: pytest.Item) -> str:
    """Return the name of the server that a test uses, "" if it uses none."""
    group = item.get_closest_marker("xdist_group")
    return group.args[0] if group else ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of a server one after the other."""
    items.sort(key=server_of)


@pytest.fixture(scope="session")
def started() -> Iterator[Callable[[str], Running]]:
    """Return a function that starts the server of a name, and ends another one that still runs."""
    with contextlib.ExitStack() as stack:
        running: list[Running] = []

        def start(name: str) -> Running:
            if not running or running[0].name != name:
                running.clear()
                stack.close()
                running.append(stack.enter_context(Running(name)))
            return running[0]

        yield start
