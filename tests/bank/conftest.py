import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from epkit.endpoint.embedded import Embedded, start
from support.places import ROOT


@pytest.fixture(scope="session")
def data_set() -> Path:
    """The Bank Marketing data set, if the shared directory is next to the repository."""
    shared = Path(os.environ.get("EPKIT_SHARED", ROOT.parent / "shared"))
    path = shared / "data/bank-marketing/bankmarketing_train.csv.gz"
    if not path.exists():
        pytest.skip("needs ../shared/data/bank-marketing/bankmarketing_train.csv.gz")
    return path


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Embedded]:
    with start() as running:
        yield running
