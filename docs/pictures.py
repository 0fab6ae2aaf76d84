"""Takes the pictures of the manual with the machine's own Chromium: `python docs/pictures.py`.

It needs the dependency group `browser` and the extras `local` and `docs`.
"""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
PICTURES = Path(__file__).parent / "pictures"
RUNS = "tests/data/runs"
CHROMIUM = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
EPKIT = Path(sys.executable).with_name("epkit")


@contextlib.contextmanager
def docs_server() -> Iterator[str]:
    """Start `epkit docs` for the embedded endpoint, and yield its address."""
    process = subprocess.Popen([EPKIT, "docs", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def try_it_out(page: Any) -> None:
    """`epkit docs`: a request, and the reply with its predictions."""
    with docs_server() as address:
        page.goto(address)
        block = page.locator(".opblock-post", has=page.locator('[data-path="/score"]'))
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Try it out").click()
        block.get_by_role("button", name="Execute").click()
        block.locator(".live-responses-table").wait_for()
        page.evaluate("scrollTo(0, 0)")  # boxes are measured from the top of the visible part
        top = page.get_by_role("button", name="Execute").bounding_box()["y"] - 20
        shown = block.locator(".live-responses-table .response-col_description .highlight-code").first.bounding_box()
        clip = {"x": 0, "y": top, "width": 1200, "height": shown["y"] + shown["height"] + 10 - top}
        page.screenshot(path=PICTURES / "try-it-out.png", full_page=True, clip=clip)


def compare(page: Any) -> None:
    """`epkit compare --html`: its page, down to the end of the runs."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "compare.html"
        subprocess.run(
            [EPKIT, "compare", f"{RUNS}/blue", f"{RUNS}/green", "--html", file],
            cwd=ROOT, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        page.goto(file.as_uri())
        page.screenshot(path=PICTURES / "compare.png", full_page=True)


def main() -> None:
    """Take all pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        for take in (try_it_out, compare):
            take(browser.new_page(viewport={"width": 1200, "height": 900}))
        browser.close()


if __name__ == "__main__":
    main()
