"""Checks of pages: whether their HTML is balanced, and whether a browser can draw them."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

from epkit.reporters.parts.script import SCRIPT

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

VOID = {"meta", "path", "rect", "line", "circle", "input"}

OWN_SCRIPT = f"<script>{SCRIPT}</script>"


class Balance(HTMLParser):
    """Checks that tags are closed in the right order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def balanced(text):
    parser = Balance()
    parser.feed(text)
    return parser.open == []


def fetched(text):
    """Return the parts that make a page fetch something, or run a script that is not its own."""
    foreign = text.removesuffix("</body></html>\n").removesuffix(OWN_SCRIPT)
    return re.findall(r"(?:src|href)=|url\(|@import|<script|<link|<[^>]*\son\w+=", foreign)


def drawn(folder, text, width):
    """Draw a page in a browser, fail if the browser reports a problem, and return the size of the picture in bytes."""
    (folder / "page.html").write_text(text, encoding="utf-8")
    shot = folder / "shot.png"
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars",
        f"--user-data-dir={folder}/profile", f"--window-size={width},1500", f"--screenshot={shot}",
        (folder / "page.html").as_uri(),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert 0 == ran.returncode, ran.stderr
    assert "CONSOLE" not in ran.stderr  # the browser reports here what it could not load or run
    return shot.stat().st_size
