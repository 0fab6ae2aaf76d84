"""The site of the manual in a real browser: complete at every width, light and dark, with search, self-contained."""

import contextlib
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.chromium import artefacts, chromium
from support.places import ROOT

pytest.importorskip("sphinx", reason="needs the dependency group site")
SITE = ROOT / "build" / "site"
PAGES = ("docs/index", "docs/start", "docs/course", "docs/reference/cli", "docs/reference/python", "ARCHITECTURE")
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
WIDTHS = {"phone": 390, "desk": 1400}
BUILD_S = 120


def build(source: Path, to: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Build a site like the session."""
    command = [sys.executable, "-m", "sphinx", "-qEnW", "--keep-going", "-c", str(ROOT / "docs"), *options]
    return subprocess.run(
        [*command, str(source), str(to)], capture_output=True, text=True, timeout=BUILD_S, check=False
    )


@pytest.fixture(scope="module")
def site() -> Path:
    """The site that the session built, otherwise a new one."""
    if not (SITE / "index.html").exists():
        made = build(ROOT, SITE)
        assert (0, "") == (made.returncode, made.stderr)
    return SITE


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without any output."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    """The address of the site. It needs a server: a search in local files shows no lines of its results."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def opened(address, browser):
    """`opened("docs/start", …)` returns a page, its requests to other hosts and its error messages."""
    with contextlib.ExitStack() as stack:

        def open_(name, width=1200, **others):
            context = browser.new_context(viewport={"width": width, "height": 900}, **others)
            context.set_default_timeout(15_000)
            stack.callback(context.close)
            page, problems = context.new_page(), []
            page.on("console", lambda message: problems.append(message.text) if message.type != "log" else None)
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on(
                "request", lambda request: request.url.startswith((address, "data:")) or problems.append(request.url)
            )
            page.on("response", lambda answer: answer.ok or answer.status == 304 or problems.append(answer.url))
            page.goto(f"{address}{name}.html")
            return page, problems

        yield open_


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_are_whole_and_silent(opened, width, scheme):
    for name in PAGES:
        page, problems = opened(name, WIDTHS[width], color_scheme=scheme)
        page.screenshot(path=artefacts() / f"site-{name.replace('/', '-')}-{width}-{scheme}.png")
        red, green, blue = map(int, re.findall(r"\d+", page.evaluate(BACKGROUND))[:3])

        assert ("dark" == scheme) == (red + green + blue < 3 * 128)
        assert (name, 0, []) == (name, page.evaluate(BEYOND), problems)


def test_the_top_of_the_site_leads_to_the_manual(opened):
    page, problems = opened("index")
    page.wait_for_url("**/docs/index.html")

    assert "The manual of epkit" == page.locator("h1").inner_text().rstrip("#¶")
    assert [] == problems


def test_the_navigation_groups_all_pages(opened):
    page, _ = opened("docs/index")
    captions = page.locator(".sidebar-tree .caption-text").all_text_contents()
    shown = {
        link.get_attribute("href").partition("#")[0] for link in page.locator(".sidebar-tree a.reference").all()
    } - {""}
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}

    assert ["Tutorials", "How-to guides", "Reference", "Explanations", "For contributors"] == captions
    assert {path.as_posix() for path in pages} - {"index.html"} <= shown
    assert {"course.html", "../ARCHITECTURE.html", "../SECURITY.html"} <= shown


def test_a_word_is_found(opened):
    page, problems = opened("docs/start")
    page.locator("input[name=q]").first.fill("autocorrelation")
    page.keyboard.press("Enter")
    first = page.locator("#search-results li a").first
    first.wait_for()

    assert "statistics.html" in {
        link.get_attribute("href").partition("#")[0].partition("?")[0].rpartition("/")[2]
        for link in page.locator("#search-results li a").all()
    }
    first.click()
    page.locator("h1").wait_for()
    assert [] == problems


def test_light_and_dark_are_switched_by_hand(opened):
    page, _ = opened("docs/start", color_scheme="light")
    before = page.evaluate(BACKGROUND)
    for _ in range(2):  # as in the system, light, dark; the system determines their order
        page.locator(".theme-toggle-header, .theme-toggle-content").locator("visible=true").first.click()
        if before != (after := page.evaluate(BACKGROUND)):
            break

    assert before != after


def test_the_diagram_is_drawn_for_the_light_and_for_the_dark(opened):
    for scheme in ("light", "dark"):
        page, _ = opened("ARCHITECTURE", color_scheme=scheme)
        drawings = page.locator("svg[aria-roledescription^=flowchart]")

        assert [scheme == "light", scheme == "dark"] == [drawing.is_visible() for drawing in drawings.all()]
        assert "backends" in drawings.first.text_content()


def test_the_notebook_is_a_page_and_a_file(opened):
    page, _ = opened("docs/course")
    file = page.get_by_role("link", name="The notebook itself").get_attribute("href")

    assert (ROOT / "docs" / "course.ipynb").read_bytes() == (SITE / "docs" / file).read_bytes()
    assert any("import epkit" in code for code in page.locator(".highlight").all_inner_texts())


def test_a_link_or_an_anchor_that_leads_nowhere_fails_the_build(tmp_path):
    source = tmp_path / "source"
    (source / "docs").mkdir(parents=True)
    pages = "# Manual\n\n## All\n\n| page |\n|---|\n| [one](one.md) |\n"
    (source / "docs" / "index.md").write_text(pages)
    (source / "docs" / "one.md").write_text("# One\n\n## Here\n\n[up](index.md#all), [down](#here)\n")
    good = build(source, tmp_path / "good")
    (source / "docs" / "one.md").write_text("# One\n\n[a](two.md), [b](index.md#nowhere), [c](#nowhere)\n")
    bad = build(source, tmp_path / "bad")

    assert (0, "") == (good.returncode, good.stderr)
    assert 1 == bad.returncode
    assert ["two.md", "nowhere", "nowhere"] == re.findall(r"not found.*?: '(.+?)'", bad.stderr)


@pytest.mark.parametrize(
    ("urls", "wanted"),
    [
        ({}, ""),
        ({"Changelog": "https://github.com/me/epkit"}, ""),
        ({"Repository": "https://github.com/me/epkit"}, "https://github.com/me/epkit/edit/main/{filename}"),
        ({"source": "https://gitlab.com/me/epkit.git/"}, "https://gitlab.com/me/epkit/-/edit/main/{filename}"),
        ({"Repository": "https://git.example.com/epkit"}, ""),
    ],
)
def test_a_page_is_edited_where_the_repository_is(urls, wanted):
    namespace = {"__file__": str(ROOT / "docs" / "conf.py")}
    exec(compile((ROOT / "docs" / "conf.py").read_text(encoding="utf-8"), "conf.py", "exec"), namespace)

    assert wanted == namespace["edit_link"](urls)


def test_each_page_has_its_edit_link_where_the_repository_is_known(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Manual\n")
    link = "html_theme_options.source_edit_link=https://github.com/me/epkit/edit/main/{filename}"
    made = build(tmp_path, tmp_path / "site", "-D", link)

    assert (0, "") == (made.returncode, made.stderr)
    assert 'href="https://github.com/me/epkit/edit/main/docs/index.md"' in (
        tmp_path / "site" / "docs" / "index.html"
    ).read_text(encoding="utf-8")
