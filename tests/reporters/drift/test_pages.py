"""The page of a drift report: complete, self-contained, safe, and readable for a browser."""

import re

import pytest

from epkit.reporters.drift import html
from support import drift_reports
from support.drawn_pages import BROWSER, balanced, drawn, fetched
from support.train_reports import HOSTILE


@pytest.mark.parametrize("name", [*drift_reports.ALL, "wide"])
def test_a_page_of_any_report_is_whole_and_alone(name):
    made = html.render(getattr(drift_reports, name)())

    assert balanced(made)
    assert [] == fetched(made)
    assert [] == re.findall(r"<(?:svg|path|rect|line|text)[^>]*\b(?:nan|inf|None)\b", made)
    assert "default-src 'none'" in made
    assert len(made) < 500_000


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_table_says_is_text(text):
    made = html.render(drift_reports.hostile(text))

    made.encode()
    assert balanced(made)
    assert [] == fetched(made)
    assert "x" * 301 not in made
    assert not set("\x1b\u202e\u202c\ud800") & set(made)


def test_both_distributions_of_each_column_are_drawn_the_label_first():
    made = html.render(drift_reports.bank())

    assert ["Label y", "euribor3m", "month", "called (weekday)", "loan", "All columns, the worst first"] == re.findall(
        "<h2>(.*?)</h2>", made
    )
    assert 5 == made.count('role="img" aria-label="distribution of')
    assert "0 % → 45 %" in made
    # month: three of four ranges have old rows, three have new ones; the legend has lines too
    chart = made[made.index("distribution of month") : made.index("called (weekday)</h2>")]
    assert (3, 3) == (chart.count('"b c1"'), chart.count('"b c2"'))


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_draws_it(tmp_path, width):
    assert drawn(tmp_path, html.render(drift_reports.bank()), width) > 10_000
