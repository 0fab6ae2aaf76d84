"""The pages of reports in a real browser: usable by keyboard, complete on a phone, without network access."""

import contextlib

import pytest

from epkit.reporters.run import html
from support.full_pages import PAGES, bench

READ = "document.activeElement.closest('figure')?.querySelector('output')?.textContent ?? ''"
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CONTROLS = "[...document.querySelectorAll('input,output,details')].filter(e => e.checkVisibility()).length"


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """`opened(text, width)` opens a page; it returns the page, its requests and its error messages."""
    with contextlib.ExitStack() as stack:

        def open_(text, width=1200, **others):
            file = tmp_path_factory.mktemp("page") / "page.html"
            file.write_text(text, encoding="utf-8")
            context = browser.new_context(viewport={"width": width, "height": 900}, **others)
            stack.callback(context.close)
            page, problems = context.new_page(), []
            page.on("console", lambda message: problems.append(message.text))
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("request", lambda request: None if request.url == file.as_uri() else problems.append(request.url))
            page.goto(file.as_uri())
            return page, problems

        yield open_


def tab_to(page, heading, tag="svg"):
    """Press Tab until an element of a section has the focus."""
    where = "(e => [e.tagName.toLowerCase(), e.closest('section')?.querySelector('h2').textContent])"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(f"{where}(document.activeElement)") == [tag, heading]:
            return
    raise AssertionError(f"no way to {tag} of {heading} by Tab")


def section(page, heading):
    return page.locator("section", has=page.locator("h2", has_text=heading))


def test_a_bench_is_read_with_the_keyboard_alone(opened):
    report, histograms = bench()
    page, problems = opened(html.render(report, histograms))
    service = report.latency_ms.service

    tab_to(page, "Percentiles")
    assert page.evaluate(READ).startswith(f"percentile 50: service {service.percentiles['50']:.4g} ms")
    for _ in range(40):
        page.keyboard.press("ArrowRight")
        if page.evaluate(READ).startswith("percentile 99:"):
            break
    low, high = service.ci95["99"]
    p99 = f"percentile 99: service {service.percentiles['99']:.4g} ms ({low:.4g} ms to {high:.4g} ms)"
    assert p99 == page.evaluate(READ)
    page.keyboard.press("ArrowDown")
    assert page.evaluate(READ).startswith("percentile 99: server ")
    page.keyboard.press("Home")
    assert page.evaluate(READ).startswith("percentile 50: server ")
    page.keyboard.press("Escape")
    assert "BODY" == page.evaluate("document.activeElement.tagName")
    assert [] == problems


def test_a_series_is_hidden_by_the_keyboard_and_is_not_read_then(opened):
    page, problems = opened(html.render(*bench()))

    tab_to(page, "Latency over time", "input")
    page.keyboard.press("Space")
    hidden = section(page, "Latency over time").locator('g[data-s="0"]')
    assert "none" == hidden.evaluate("e => getComputedStyle(e).display")
    tab_to(page, "Latency over time")
    assert page.evaluate(READ).startswith("time 0 s: p99 ")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(READ).startswith("time 1 s: p99 ")
    assert [] == problems


def test_a_chart_is_one_tab_stop_and_is_read_out_politely(opened):
    page, _ = opened(html.render(*bench()))
    figures = page.locator("figure").count()

    assert figures == page.locator("svg[tabindex='0'][role='application']").count()
    assert figures == page.locator("output[aria-live='polite']").count()


def test_a_pointer_shows_the_nearest_value(opened):
    page, _ = opened(html.render(*bench()))
    chart = section(page, "Throughput and failures")
    box = chart.locator("svg").bounding_box()

    page.mouse.move(box["x"] + box["width"] / 6, box["y"] + box["height"] / 3)
    assert chart.locator("output").text_content().startswith("time 0 s to 1 s: succeeded ")
    page.mouse.move(1, 1)
    assert "" == chart.locator("output").text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone_and_paper_and_asks_for_nothing(opened, name, scheme):
    page, problems = opened(PAGES[name](), 400, color_scheme=scheme)

    assert 0 == page.evaluate(BEYOND)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 with margins of 12 mm
    assert 0 == page.evaluate(BEYOND)
    assert "rgb(255, 255, 255)" == page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert 0 == page.evaluate(CONTROLS)
    assert [] == problems


def test_without_a_script_the_values_are_there_and_no_control_is(opened):
    page, _ = opened(html.render(*bench()), java_script_enabled=False)
    chart = section(page, "Percentiles")

    assert not chart.locator("input").first.is_visible()
    chart.locator("summary").click()
    assert chart.locator("details td").first.is_visible()
