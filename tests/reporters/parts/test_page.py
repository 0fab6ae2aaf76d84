"""The parts of pages: texts from anywhere stay texts, and trees and tables hold what they are given."""

from epkit.reporters.parts import page
from epkit.reporters.parts.page import Branch
from epkit.reporters.parts.verdict import VerdictLine
from support.drawn_pages import balanced

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
    assert "<script" not in made
    assert 15 == made.count("&lt;script&gt;")


def test_columns_of_prose_are_marked_and_others_are_not():
    made = page.table(["a", "b"], [["1", "2"]], prose=(1,))

    assert '<th>a</th><th class="p">b</th>' in made
    assert '<td>1</td><td class="p">2</td>' in made


def test_what_is_below_a_branch_is_a_list_in_it():
    made = page.tree([Branch(words="all", figure="1", share=0.5, below=(Branch(words="some", figure="2", share=1.0),))])

    assert made.endswith("some</li></ul></li></ul>")
    assert "25%" in made.partition("all")[0]


def test_the_leaves_of_a_document_have_paths_and_long_lists_an_end():
    document = {"a": {"b": [1.5, True, None]}, "c": list(range(22))}

    assert [
        ("x.a.b.0", "1.5"), ("x.a.b.1", "true"), *((f"x.c.{i}", str(i)) for i in range(20)), ("x.c", "and 2 more"),
    ] == list(page.leaves("x", document))  # fmt: skip
