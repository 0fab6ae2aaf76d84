"""A page's style in a notebook: it applies to one element, and to nothing around it."""

import re

import pytest

from epkit.reporters.notebook.style import DARK, SCOPE, scoped, style


def selectors(css: str) -> list[str]:
    """Return every selector of a style sheet, including those in `@media`."""
    flat = re.sub(r"@media[^{]*\{", "", css)
    heads = re.findall(r"([^{}]+)\{[^{}]*\}", flat)
    return [selector.strip() for head in heads for selector in re.split(r",(?![^(]*\))", head)]


def test_every_rule_is_about_the_element():
    found = selectors(style())

    assert len(found) > 60
    assert [] == [one for one in found if not one.startswith((SCOPE, f"{DARK} {SCOPE}"))]


def test_the_colours_follow_the_theme_of_the_notebook_and_not_the_system():
    assert "prefers-color-scheme" not in style()
    assert f"{DARK} {SCOPE}{{--bg:#0e1116" in style()
    assert "--fg:var(--jp-content-font-color0,#1b1f24)" in style()


@pytest.mark.parametrize(
    ("css", "made"),
    [
        ("a,b c{x:1}", ".e a,.e b c{x:1}\n"),
        (":root{--x:1}", ".e{--x:1}\n"),
        ("body.wide p{x:1}", ".e.wide p{x:1}\n"),
        ("td:is(.a,.b){x:1}", ".e td:is(.a,.b){x:1}\n"),
        ("@media print{p{x:1}}", "@media print{.e p{x:1}\n}"),
        ("@media (prefers-color-scheme: dark){:root{x:1}}", f"{DARK} .e{{x:1}}\n"),
    ],
)
def test_a_rule_is_kept_to_the_element(css: str, made: str):
    assert made == scoped(css, ".e")


def test_what_cannot_be_kept_to_an_element_is_refused():
    with pytest.raises(ValueError, match="@keyframes spin: only @media"):
        scoped("@keyframes spin{from{x:1}}", ".e")
