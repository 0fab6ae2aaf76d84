"""Common parts of the tests in a browser: Chromium, and docs servers."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from epkit.endpoint import embedded
from support.chromium import artefacts as chromium_artefacts
from support.chromium import chromium
from support.cli_harness import Cli


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started once."""
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A new page, without cookies or cache of another test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def bank() -> Iterator[embedded.Embedded]:
    """The embedded endpoint, started once."""
    with embedded.start() as running:
        yield running


@pytest.fixture
def docs(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`docs("swagger.json", "--target", …, key=…)` starts a docs server, and returns its address."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: object, key: str | None = None) -> str:
            cli = Cli(directory=tmp_path, environ={"EPKIT_KEY": key} if key else {})
            process = stack.enter_context(cli.start("docs", "--port", 0, *arguments))
            line = process.stdout.readline().decode().strip()
            assert line.startswith("http://127.0.0.1:"), process.stderr.read().decode()
            return line

        yield start


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """The directory for screenshots, which stay after the tests."""
    return chromium_artefacts()
