"""The text of a drift report, the table for a pull request, and the test cases for a build server."""

import xml.etree.ElementTree as ET

import pytest

from epkit.reporters.drift import junit, markdown, text, words
from support import drift_reports
from support.goldens import check
from support.train_reports import HOSTILE

RENDERERS = {"txt": text.render, "md": markdown.render, "xml": junit.render}


@pytest.mark.parametrize("kind", RENDERERS)
@pytest.mark.parametrize("name", drift_reports.ALL)
def test_golden(name, kind):
    check(f"drift-{name}.{kind}", RENDERERS[kind](drift_reports.ALL[name]()))


def test_many_columns_and_remarks_do_not_make_the_text_long():
    made = text.render(drift_reports.wide())

    assert len(made.splitlines()) <= 55
    assert "and 375 more columns: --format json has all" in made
    assert "and 55 more remarks: --format json has all" in made
    assert len(markdown.render(drift_reports.wide()).splitlines()) <= 120


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("kind", RENDERERS)
def test_what_a_table_says_cannot_act_on_a_terminal_or_a_file(kind, hostile):
    made = RENDERERS[kind](drift_reports.hostile(hostile))

    made.encode()
    assert not set("\x1b\u202e\u202c\ud800") & set(made)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_junit_document_is_xml_with_a_case_for_all_that_was_tested(hostile):
    suite = ET.fromstring(junit.render(drift_reports.hostile(hostile)))

    assert ["failure"] * 4 == [child.tag for case in suite.iter("testcase") for child in case]


def test_the_rule_of_thumb_is_shown_and_decides_nothing():
    large, small = drift_reports.bank().columns[0], drift_reports.bank().columns[2]

    assert ("large", "small", True) == (words.rule_of_thumb(large), words.rule_of_thumb(small), small.found)


@pytest.mark.parametrize(("share", "said"), [(0.0, "0 %"), (0.0001, "0.01 %"), (0.054, "5.4 %"), (1.0, "100 %")])
def test_shares_are_short(share, said):
    assert said == words.percent(share)
