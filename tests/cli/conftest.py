"""Common parts of the tests of the command line."""

from collections.abc import Iterator

import pytest

from epkit.endpoint import embedded
from support.cli_harness import TWO_ROWS, Cli


@pytest.fixture
def cli(tmp_path):
    """`cli("bench", …)` runs the command line in an empty directory."""
    return Cli(directory=tmp_path)


@pytest.fixture
def rows(cli):
    """A payload of two rows, by its name in the command's directory."""
    return cli.write("rows.json", TWO_ROWS)


@pytest.fixture(scope="session")
def bank() -> Iterator[embedded.Embedded]:
    """The embedded endpoint, started once."""
    with embedded.start() as running:
        yield running
