"""Arguments as clients write them: understood if the meaning is clear, refused in one sentence if not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiktok_pinned_videos.mcp_server.arguments import parse_compare, parse_get
from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import DEFAULT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def test_lists_may_be_json_text() -> None:
    assert parse_get({"username": "nasa", "fields": '["view_count", "favourites_count"]'}).fields == (
        "id", "view_count", "favorites_count",
    )  # fmt: skip
    for nothing in ("null", "[]"):
        assert parse_get({"username": "nasa", "fields": nothing}).fields == DEFAULT


def test_refresh_is_understood_as_clients_write_it() -> None:
    for yes in (True, "true", "True", 1, "1"):
        assert parse_get({"username": "nasa", "refresh": yes}).refresh
    for no in (False, None, "", "false", 0, "null"):
        assert not parse_get({"username": "nasa", "refresh": no}).refresh
    for unclear in ("maybe", 2, [], {"a": 10**4000}):
        with pytest.raises(InvalidArgumentError, match="refresh must be true or false"):
            parse_get({"username": "nasa", "refresh": unclear})


@pytest.mark.parametrize(
    "usernames", [["nasa", "esa"], '["nasa", "esa"]', "nasa, @esa", "nasa\nesa\n", ["nasa", "ESA", "@NaSa"] * 20]
)
def test_usernames_are_distinct_accounts_however_a_list_is_written(usernames: object) -> None:
    names = parse_compare({"usernames": usernames}).names

    assert [name.casefold() for name in names] == ["nasa", "esa"]


def test_an_invalid_name_is_that_accounts_failure_and_never_hides_a_valid_one() -> None:
    parsed = parse_compare({"usernames": ["a b", "nasa", "@@esa", None, "null", *(f"user{n}" for n in range(45))]})

    assert parsed.names[:5] == ("a b", "nasa", "@@esa", "(null)", "null")
    assert set(parsed.invalid) == {"a b", "@@esa", "(null)"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"usernames": ["nasa", "@NASA", "tiktok.com/@nasa"]}, "1 distinct account,"),
        ({"usernames": [f"user{number}" for number in range(51)]}, "51 distinct accounts"),
        ({}, "usernames must be a list"),
        ({"usernames": ["a", "b"], "rank_by": "likes_count"}, "Did you mean like_count?"),
        ({"usernames": ["a", "b"], "rank_by": 7}, "Valid measures: view_count"),
    ],
)
def test_invalid_comparisons_are_rejected_with_a_reason(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said.replace("?", r"\?")):
        parse_compare(arguments)


def test_unknown_arguments_are_ignored_and_named_without_hidden_characters() -> None:
    (note,) = parse_get({"username": "nasa", "max_count": 5, "\u202eevil\n": 1}).notes

    assert "max_count" in note
    assert note.isprintable()


@example(dict.fromkeys(("username", "fields", "refresh", "usernames"), 10**5000))
@given(st.dictionaries(st.sampled_from(["username", "fields", "refresh", "usernames", "rank_by", "x"]), JSON))
def test_any_json_is_parsed_or_refused_in_one_printable_line(arguments: dict[str, Any]) -> None:
    for parse in (parse_get, parse_compare):
        refused = ""
        try:
            parse(arguments)
        except InvalidArgumentError as error:
            refused = str(error)
        assert not refused or refused.isprintable()
        assert len(refused) < 700
