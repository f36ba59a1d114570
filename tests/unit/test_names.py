"""Usernames: what callers write, what is sent, and which spellings are one account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.names import in_key, parse_username, same_account

WRITTEN = {
    "nasa": ["nasa", " nasa\n", "@nasa", "https://www.tiktok.com/@nasa", "tiktok.com/@nasa/video/7?lang=en",
             "http://m.tiktok.com/%40nasa#top", "TIKTOK.COM/@nasa", "//www.tiktok.com:443/@nasa/"],
    "NaSa": ["NaSa", "@NaSa"],
    "123": [123, 123.0, "123"],
    "1.5": [1.5],
    "Юлия_1.": ["Юлия_1.", "https://www.tiktok.com/@%D0%AE%D0%BB%D0%B8%D1%8F_1."],
    "हिन्दी": ["हिन्दी"],
    "a" * 64: ["a" * 64],
}  # fmt: skip


@pytest.mark.parametrize(("name", "spellings"), WRITTEN.items(), ids=str)
def test_a_username_is_found_in_every_usual_spelling(name: str, spellings: list[object]) -> None:
    assert [parse_username(spelling) for spelling in spellings] == [name] * len(spellings)


REJECTED = {
    "missing": [None],
    "must be text": [True, 10**70, ["nasa"], {"name": "nasa"}],
    "empty": ["", "  ", "@", "https://www.tiktok.com/@"],
    "contains": ["na sa", "a/b", "@@nasa", "na\u200bsa", "na\u202esa", "é".encode().decode("latin-1"), -5, "😀"],
    "characters": ["a" * 65],
    "does not name an account": ["https://vm.tiktok.com/ZM8/", "tiktok.com/tag/space", "https://www.tiktok.com/"],
}


@pytest.mark.parametrize("reason", REJECTED)
def test_a_value_that_cannot_be_a_username_is_rejected_with_the_reason(reason: str) -> None:
    for value in REJECTED[reason]:
        with pytest.raises(InvalidArgumentError, match=reason) as caught:
            parse_username(value)
        assert str(caught.value).isprintable()
        assert "nothing was sent" not in str(caught.value)


def test_usernames_are_equal_in_nfc_and_lower_case_only() -> None:
    assert same_account("Cafe\u0301") == same_account("CAFÉ") == "café"
    assert in_key("Cafe\u0301") == in_key("café")
    assert same_account("straße") != same_account("strasse")


@given(st.text(max_size=80) | st.integers() | st.floats() | st.lists(st.text(), max_size=2))
def test_any_value_is_a_valid_username_or_rejected_with_a_reason(value: object) -> None:
    try:
        name = parse_username(value)
    except InvalidArgumentError:
        return
    assert 1 <= len(name) <= 64
    assert parse_username(name) == name
    assert in_key(name).isascii()
