"""Control sequences in a log are shown, so that the terminal does not execute them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.hosting.log_lines import harmless


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("", ""),
        ("plain, ä, 漢, 😀\tand a tab", "plain, ä, 漢, 😀\tand a tab"),
        ("a\u00a0b", "a\u00a0b"),
        ("\x1b[31mred\x1b[0m \x1b[1;38:5:9mbold", "red bold"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("\x9b2J\x00\x7f\b\r", "\\x9b2J\\x00\\x7f\\x08\\r"),
        *((f"a{chr(code)}b", f"a\\u{code:04x}b") for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
        ("\u200e\u200f\u061c\u200b\ufeff", "\\u200e\\u200f\\u061c\\u200b\\ufeff"),
        ("\u2028\u2029\U000e0041", "\\u2028\\u2029\\U000e0041"),
    ],
)
def test_what_is_not_seen_is_shown(line, shown):
    assert shown == harmless(line)


@given(st.text())
def test_nothing_is_left_that_a_terminal_acts_on(line):
    shown = harmless(line)

    assert set() == {unicodedata.category(char) for char in shown if char != "\t"} & {"Cc", "Cf", "Zl", "Zp", "Cs"}
