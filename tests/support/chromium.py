"""The machine's own Chromium, controlled by playwright: nothing is downloaded."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.places import ROOT

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Start it, headless; `evil.example` is a name for this machine. Skip the test if there is no Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("there is no Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--host-resolver-rules=MAP evil.example 127.0.0.1"]
        )
        yield browser
        browser.close()


def artefacts() -> Path:
    """Return the directory for screenshots, which stay after the tests."""
    directory = Path(os.environ.get("EPKIT_ARTEFACTS", ROOT / "build" / "browser"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory
