"""The parts of pages: any text is escaped, and trees and tables have all the given contents."""

import base64
import hashlib
import re

from epkit.reporters.parts import charts, page
from epkit.reporters.parts.page import Branch
from epkit.reporters.parts.script import SCRIPT
from epkit.reporters.parts.style import PARTS
from epkit.reporters.parts.verdict import VerdictLine
from support.drawn_pages import balanced, fetched

EVIL = "<script>alert(1)</script>"


def test_every_part_takes_texts_from_anywhere():
    made = page.page(
        EVIL,
        [
            page.verdict([VerdictLine(text=EVIL, bad=True)], [EVIL]),
            page.tiles([(EVIL, EVIL)]),
            page.table([EVIL], [[EVIL]]),
            page.heat(EVIL, [EVIL], [(EVIL, [(EVIL, 1.0, 1)])]),
            page.tree([Branch(words=EVIL, figure=EVIL, share=1.0)]),
            page.section(EVIL, page.note(EVIL)),
        ],
    )

    assert balanced(made)
    assert [] == fetched(made)
    assert 15 == made.count("&lt;script&gt;")


def test_columns_of_prose_are_marked_and_others_are_not():
    made = page.table(["a", "b"], [["1", "2"]], prose=(1,))

    assert '<th>a</th><th class="p">b</th>' in made
    assert '<td>1</td><td class="p">2</td>' in made


def test_what_is_below_a_branch_is_a_list_in_it():
    made = page.tree([Branch(words="all", figure="1", share=0.5, below=(Branch(words="some", figure="2", share=1.0),))])

    assert made.endswith("some</li></ul></li></ul>")
    assert "25%" in made.partition("all")[0]


def test_a_page_runs_the_script_that_its_policy_names_and_only_where_there_is_a_chart():
    drawn = page.page("x", [charts.ranks("x", [("a", 1.0, "1", 1)])])
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()

    assert f"script-src 'sha256-{digest}'" in drawn
    assert 1 == drawn.count("<script") == drawn.count(f"<script>{SCRIPT}</script>")
    assert "<script" not in page.page("x", [page.note("no chart")])


def test_no_part_needs_the_frame_of_a_page():
    assert not re.search(r"(^|[}\n,])\s*(body|main|html|:root)\b", PARTS)
