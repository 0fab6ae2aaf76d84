"""The table for a pull request."""

from dataclasses import replace

import pytest

from epkit.core.report.report import FailureExample
from epkit.reporters.run import markdown
from support import reports
from support.goldens import check


@pytest.mark.parametrize("name", reports.ALL)
def test_golden(name):
    check(f"markdown-{name}.md", markdown.render(reports.ALL[name]()))


def test_a_reply_cannot_write_markdown_or_html():
    hostile = FailureExample(kind="status", count=10, status=500, detail="`x` <img> [a](b) @all | c\n# d", advice="")

    page = markdown.render(replace(reports.refused(), failures=(hostile,)))

    assert page.startswith(r"### epkit bench: FAILED: 10 of 10 requests: 500 \`x\` \<img\> \[a\](b) \@all \| c \# d")
    assert "`500 'x' <img> [a](b) @all | c # d`" in page
