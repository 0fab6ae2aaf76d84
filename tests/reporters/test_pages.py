"""Properties of every page: small with any amount of content, complete, self-contained, and in plain words."""

import re

import pytest

from support.drawn_pages import balanced, fetched
from support.full_pages import FULL, PAGES

MOST_BYTES = 100_000


@pytest.mark.parametrize("name", FULL)
def test_a_full_page_is_one_small_file_that_fetches_nothing(name):
    made = FULL[name]()

    assert len(made.encode()) < MOST_BYTES
    assert balanced(made)
    assert [] == fetched(re.sub("<a href=", "", made))
    assert [] == re.findall(r"<(?:svg|path|rect|line|circle|text)[^>]*\b(?:nan|inf|None)\b", made)


@pytest.mark.parametrize("name", PAGES)
def test_no_fact_is_a_dotted_path(name):
    facts = PAGES[name]().partition("<h2>Everything else")[2]

    assert [] == re.findall(
        r'<td class="w">((?:run|plan|counts|http|generator|data|throughput|tool|validity)\.[^<]*)', facts
    )


@pytest.mark.parametrize("name", PAGES)
def test_every_chart_says_its_values_without_a_script(name):
    figures = re.findall("<figure.*?</figure>", PAGES[name](), re.DOTALL)

    assert figures or name == "pipeline"
    assert [] == [figure for figure in figures if "<details" not in figure and 'class="p"' not in figure]


@pytest.mark.parametrize(
    ("name", "first"), [("bench", "Objectives"), ("train", "Gates"), ("pipeline", "Gates")]
)  # fmt: skip
def test_what_was_missed_comes_first(name, first):
    assert first == re.findall("<h2>(.*?)</h2>", PAGES[name]())[0]


def test_failures_come_before_the_charts_with_the_first_reply():
    headings = re.findall("<h2>(.*?)</h2>", FULL["bench"]())

    assert ["Objectives", "Failures"] == headings[:2]
