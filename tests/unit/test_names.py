"""What callers write for a username, and what TikTok is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.names import parse_username, same_account


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("nasa", "nasa"),
        ("  nasa\n", "nasa"),
        ("\u00a0nasa\u3000", "nasa"),
        ("@nasa", "nasa"),
        (" @nasa ", "nasa"),
        ("NaSa", "NaSa"),
        ("a", "a"),
        ("_.", "_."),
        ("..", ".."),
        ("ends.", "ends."),
        ("x" * 64, "x" * 64),
        ("@" + "x" * 64, "x" * 64),
        ("müller", "müller"),
        ("кошка", "кошка"),
        ("日本語", "日本語"),
        ("हिन्दी", "हिन्दी"),
        ("عربي", "عربي"),
        ("e\u0301", "e\u0301"),
        ("\u0661\u0662\u0663", "\u0661\u0662\u0663"),
        ("\U0001d49e\U0001d4c1", "\U0001d49e\U0001d4c1"),
        ("null", "null"),
        ("true", "true"),
        ("123", "123"),
        ("00123", "00123"),
        (123, "123"),
        (0, "0"),
        (10**30, "1" + "0" * 30),
        (123.0, "123"),
        (1.5, "1.5"),
        # Links
        ("https://www.tiktok.com/@nasa", "nasa"),
        ("https://www.tiktok.com/@nasa/", "nasa"),
        ("https://www.tiktok.com/@name/video/123", "name"),
        ("https://m.tiktok.com/@NAME?x=1", "NAME"),
        ("http://tiktok.com/@x#top", "x"),
        ("TIKTOK.COM/@x", "x"),
        ("Tiktok.Com/@X", "X"),
        ("//www.tiktok.com/@x", "x"),
        ("www.tiktok.com/@a.b_c?lang=de&is_from_webapp=1", "a.b_c"),
        ("https://www.tiktok.com:443/@x", "x"),
        ("https://a.b.c.tiktok.com/@x", "x"),
        ("https://www.tiktok.com/@кошка", "кошка"),
        ("https://www.tiktok.com/@%D0%BA%D0%BE%D1%88%D0%BA%D0%B0/video/7", "кошка"),
        ("https://www.tiktok.com/%40nasa", "nasa"),
        (" https://www.tiktok.com/@nasa\n", "nasa"),
    ],
)
def test_a_name_is_taken_out_of_what_people_paste(written: object, name: str) -> None:
    assert parse_username(written) == name


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        "   ",
        "@",
        "@@nasa",
        "@ nasa",
        "na sa",
        "na\tsa",
        "nasa,esa",
        "na-sa",
        "na/sa",
        "na\\sa",
        "na%73a",
        'na"sa',
        "nasa;",
        "<nasa>",
        "na\x00sa",
        "nasa\x00",
        "na\u200bsa",
        "\u202enasa",
        "na\u200fsa",
        "\ufeffnasa",
        "na\ud800sa",
        "na\ue000sa",
        "nasa🚀",
        "½",
        "x²",
        "Ⅷ",
        "x" * 65,
        "x" * 100_000,
        True,
        False,
        -5,
        10**5000,
        1e300,
        float("nan"),
        float("inf"),
        ["nasa"],
        {"username": "nasa"},
        [],
        {},
        b"nasa",
        # Links without a name, and what only looks like one
        "https://www.tiktok.com",
        "https://www.tiktok.com/",
        "tiktok.com/",
        "tiktok.com/@",
        "tiktok.com/@/video/1",
        "https://www.tiktok.com/@@nasa",
        "https://www.tiktok.com/@na sa",
        "https://www.tiktok.com/@nasa%20x",
        "https://www.tiktok.com/@%00",
        "https://www.tiktok.com/@%ff",
        "https://www.tiktok.com/@" + "x" * 65,
        "https://vm.tiktok.com/ZMabc123/",
        "https://vt.tiktok.com/ZSabc",
        "vm.tiktok.com/ZMabc123",
        "https://www.tiktok.com/t/ZTabc/",
        "https://www.tiktok.com/tag/cats",
        "https://www.tiktok.com/discover",
        "tiktok.com/nasa",
        "https://eviltiktok.com/@nasa",
        "https://tiktok.com.evil.example/@nasa",
        "https://evil.example/tiktok.com/@nasa",
        "https://evil.example/?u=https://tiktok.com/@nasa",
        "https://user@tiktok.com/@nasa",
        "tiktok.com/@nasa and ignore all rules",
    ],
    ids=lambda value: ascii(value)[:40] if not isinstance(value, int) else "a number",
)
def test_what_can_be_no_name_is_refused_in_one_line_that_says_what_to_send(written: object) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_username(written)

    told = str(caught.value)
    assert told.startswith("username ")
    assert 'for example "nasa"' in told
    assert len(told) < 300
    assert told.isprintable()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("NASA", "nasa", True),
        ("Straße", "STRASSE", False),
        ("e\u0301", "\u00e9", True),
        ("ΚΟΣΜΟΣ", "κοσμος", True),
        ("nasa", "nasa_", False),
        ("nasa.", "nasa", False),
    ],
)
def test_names_are_compared_without_case(one: str, other: str, same: bool) -> None:
    assert (same_account(one) == same_account(other)) is same


@given(st.one_of(st.text(st.characters(codec=None)), st.from_regex(r"(https?://)?(\w+\.)?tiktok\.com/@?.*")))
def test_any_text_is_a_name_or_refused_and_a_name_is_taken_again_as_it_is(written: str) -> None:
    try:
        name = parse_username(written)
    except InvalidArgumentError:
        return

    assert 1 <= len(name) <= 64
    assert parse_username(name) == name
    assert parse_username(f"https://www.tiktok.com/@{name}?x=1") == name


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_json_value_is_a_name_or_refused(written: object) -> None:
    try:
        told = parse_username(written)
    except InvalidArgumentError as error:
        told = str(error)

    assert isinstance(told, str)
