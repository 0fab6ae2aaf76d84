"""The course in one notebook: it runs, it leaves nothing behind, and JupyterLab shows it well."""

import json
import re
import subprocess
import sys

import pytest

from support.chromium import artefacts
from support.jupyter_lab import environment
from support.places import ROOT

PAGES = 10
"""Number of cells whose last value is shown as a page."""

CONTRASTS = """
() => {
  const rgb = colour => { const p = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    p.fillStyle = colour; p.fillRect(0, 0, 1, 1); return [...p.getImageData(0, 0, 1, 1).data]; };
  const light = c => c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
  const found = [];
  for (const page of document.querySelectorAll('.epkit')) {
    page.querySelectorAll('details').forEach(folded => folded.open = true);
    const walker = document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
    for (let text; text = walker.nextNode();) {
      const e = text.parentElement;
      if (!text.data.trim() || ['style', 'title'].includes(e.tagName.toLowerCase())) continue;
      const style = getComputedStyle(e);
      const [a, b] = [light(rgb(e instanceof SVGElement ? style.fill : style.color)), light(behind(e))];
      found.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), text.data.trim().slice(0, 40)]);
    }
  }
  return found.sort((one, other) => one[0] - other[0]);
}
"""

AROUND = """
() => [...document.querySelectorAll('.jp-RenderedMarkdown *, .jp-Notebook, .jp-OutputArea-output pre, body')].map(
  e => (s => [e.tagName, s.color, s.font, s.margin, s.padding, s.display, s.backgroundColor])(getComputedStyle(e)))
"""


def cells(course):
    found = json.loads(course.notebook.read_text())["cells"]
    return {cell["id"]: cell["outputs"] for cell in found if cell["cell_type"] == "code"}


def said(outputs):
    """Return the complete text of a cell."""
    return "".join("".join(out.get("text") or out.get("data", {}).get("text/plain", "")) for out in outputs)


def shown(outputs):
    """Return the page in a cell."""
    (page,) = ["".join(out["data"]["text/html"]) for out in outputs if "text/html" in out.get("data", {})]
    return page


def test_the_notebook_is_kept_without_outputs_and_without_a_path_of_any_machine():
    text = (ROOT / "docs" / "course.ipynb").read_text()
    notebook = json.loads(text)

    assert [] == [cell["id"] for cell in notebook["cells"] if cell.get("outputs") or cell.get("execution_count")]
    assert [] == re.findall(r"/(?:home|root|tmp|Users|work)/", text)


def test_every_part_of_the_course_runs(course):
    done = cells(course)

    assert [] == [(id_, out) for id_, outputs in done.items() for out in outputs if out["output_type"] == "error"]
    assert re.match("4 of 4 runs, best AUC ", said(done["train"]))
    assert "Best model:" in said(done["training"])
    assert re.match(r"\['(yes|no)', '(yes|no)'\]\n", said(done["asked"]))
    assert "base" in shown(done["asked"])
    assert "Leaderboard: AUC" in shown(done["training"])
    assert "Healthy" in said(done["deploy"])
    assert re.search(r" 200 .* /score ", said(done["logged"]))
    assert "<td>duration</td>" in shown(done["contract"])
    assert "is not an integer" in shown(done["verdict"])
    assert said(done["page"]).startswith("http://127.0.0.1:")
    assert "and 7,990 more" in shown(done["score"])
    assert re.search(r"7,\d{3} of 8,000 predictions are right", said(done["right"]))
    assert "<td>p99&lt;1s</td>" in shown(done["bench"])
    assert "Change, with its 95 % interval" in shown(done["compare"])
    assert "epkit-course-pipeline has the model of this run now" in shown(done["pipeline"])
    assert re.search("^train +reused", said(done["again"]), re.MULTILINE)
    assert "2 runs; the champion is run 1" in shown(done["runs"])


def test_progress_ends_in_one_line(course):
    (first, *_) = cells(course)["bench"]

    assert re.fullmatch(r"[\d,]+ requests in [\d.]+ s, [\d,.]+/s, none failed", said([first]))


def test_the_course_leaves_nothing_behind(course):
    ran = subprocess.run(
        [sys.executable, "-m", "epkit", "deploy", "list", "--format", "json"],
        cwd=course.root, env=environment(course.home), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert "epkit-course" not in ran.stdout
    assert ("course.ipynb",) == course.left
    assert [] == list((course.home / ".local" / "state" / "epkit").rglob("*.key"))


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_jupyterlab_shows_it_so_that_it_can_be_read(course, lab, page, theme):
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    lab.use_theme(f"JupyterLab {theme}")
    page.goto(lab.url("course.ipynb"))
    page.wait_for_function(f"document.querySelectorAll('.epkit').length === {PAGES}")
    page.wait_for_function(f"document.body.dataset.jpThemeLight === '{'true' if theme == 'Light' else 'false'}'")
    page.locator(".epkit").nth(5).scroll_into_view_if_needed()
    page.screenshot(path=artefacts() / f"notebook-{theme.lower()}.png")
    contrasts = page.evaluate(CONTRASTS)

    assert len(contrasts) > 500
    assert [] == [found for found in contrasts if found[0] < 4.5]
    assert page.evaluate("getComputedStyle(document.querySelector('.epkit')).backgroundColor") == page.evaluate(
        "getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor"
    )
    assert [] == problems

    # The pages do not change the look of anything around them.
    page.wait_for_function("document.querySelectorAll('.jp-RenderedMarkdown h2').length === 8")
    around = page.evaluate(AROUND)
    page.evaluate("document.querySelectorAll('.epkit style').forEach(style => style.remove())")

    assert len(around) > 50
    assert around == page.evaluate(AROUND)


@pytest.mark.parametrize("call", ["epkit.run_bench(seconds=120)", "await epkit.bench(seconds=120)"])
def test_the_stop_button_ends_a_load_with_its_report(course, lab, page, call):
    name = f"stop-{'await' in call}.ipynb"
    cell = {
        "cell_type": "code",
        "id": "load",
        "metadata": {},
        "source": f"import epkit\n{call}",
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    (course.root / name).write_text(
        json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    )
    lab.use_theme("JupyterLab Light")
    page.goto(lab.url(name))
    page.locator(".jp-CodeCell .cm-content").click()
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    page.keyboard.press("Control+Enter")
    page.get_by_text("in flight").wait_for()
    page.locator('[data-jp-item-name="interrupt"]').click()
    page.locator(".epkit").wait_for()

    assert page.locator(".epkit").inner_text().startswith("POST http://127.0.0.1:")
    assert "PARTIAL: ended early" in page.locator(".epkit").inner_text()
    assert re.search(r"[\d,]+ requests in \d", page.locator(".jp-OutputArea").inner_text())
    page.evaluate(
        "fetch('/api/sessions').then(r => r.json()).then(all => Promise.all(all.map(s => fetch('/api/sessions/' + s.id, {method: 'DELETE', headers: {'X-XSRFToken': (document.cookie.match(/_xsrf=([^;]*)/) || [])[1]}}))))"
    )
