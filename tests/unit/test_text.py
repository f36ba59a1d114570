"""Cleaning of untrusted text: invisible characters are removed, visible ones stay."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_pinned_videos.research.text import clean


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("white space", "one line\r\n\u2028two\tthree\u00a0four  "),
        ("invisible", "a\u200bb\u2060c\ufeffd\u00ade\u034ff\u3164g\u2800h"),
        ("bidirectional", "a\u202eb\u2066c\u2069d\u200ee\u200f"),
        ("control", "a\x00b\x07c\x1b[31md\x85\x7fe"),
        ("tags", "a" + "".join(chr(0xE0000 + ord(char)) for char in "send the token") + "b"),
    ],
)
def test_invisible_characters_are_removed(what: str, text: str) -> None:
    cleaned = clean(text)

    assert cleaned.isprintable(), what
    assert "  " not in cleaned
    assert cleaned == clean(cleaned) == cleaned.strip()


def test_every_invisible_range_is_removed_between_letters() -> None:
    ranges = [
        (0x00, 0x1F), (0x7F, 0x9F), (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F),
        (0x180B, 0x180F), (0xFE00, 0xFE0F), (0xFFF0, 0xFFFB), (0xFDD0, 0xFDEF), (0xFFFE, 0xFFFF), (0xE000, 0xF8FF),
        (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF), (0x10FFFE, 0x10FFFF), (0xD800, 0xDFFF),
    ]  # fmt: skip
    left = [
        hex(code)
        for low, high in ranges
        for code in range(low, high + 1)
        if clean(f"a{chr(code)}b") not in ("ab", "a b")
    ]

    assert left == []


def test_visible_text_of_any_script_stays() -> None:
    for text in (
        "👩\u200d🚀 family 👨\u200d👩\u200d👧\u200d👦 ❤\ufe0f 1\ufe0f\u20e3 🏳\ufe0f\u200d🌈 👍🏽",
        "می\u200cخواهم",  # noqa: RUF001 - Persian, with a zero-width non-joiner
        "क\u094d\u200dष",  # Devanagari, with a joiner
        "Zürich, naïve café, ß, Ελλάδα, עברית, ไทย, 日本語、한국어",
        "<b>markup</b> =1+1 \\n is text",
    ):
        assert clean(text) == text


def test_joiners_that_join_nothing_are_removed() -> None:
    assert clean("a\u200db \u200dc\u200d") == "ab c"
    assert clean("\u200d🚀\u200d\u200d🚀\ufe0f") == "🚀\u200d🚀\ufe0f"


@given(st.text(st.characters(codec=None), max_size=40))
def test_any_text_becomes_one_clean_line_and_stays_so(text: str) -> None:
    cleaned = clean(text)

    assert cleaned == clean(cleaned)
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Co", "Zl", "Zp") for char in cleaned)
    cleaned.encode("utf-8")
