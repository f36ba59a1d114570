"""The documented `fields` parameter, as people and programs write it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import DEFAULT, FIELDS, NAMES, parse_fields
from tiktok_pinned_videos.research.models import Video

DOCUMENTED = (
    "id,create_time,username,region_code,video_description,music_id,like_count,comment_count,share_count,view_count,"
    "hashtag_names, is_stem_verified, favourites_count, video_duration,hashtag_info_list,video_mention_list,video_label"
)
"""As the documentation page has it, spaces, British spelling and all."""
NEWER = ("sticker_info_list", "effect_info_list", "video_tag")


def test_all_twenty_documented_fields_are_known_and_no_others() -> None:
    documented = {name.strip().replace("favourites", "favorites") for name in DOCUMENTED.split(",")}

    assert set(NAMES) == documented | set(NEWER)
    assert len(NAMES) == len(FIELDS) == 20
    assert set(NAMES) == set(Video.model_fields)


def test_the_documented_list_can_be_pasted_as_it_stands() -> None:
    asked = parse_fields(DOCUMENTED)

    assert len(asked) == 17
    assert "favorites_count" in asked
    assert "favourites_count" not in asked


@pytest.mark.parametrize("value", [None, "", "  ", ",", " , ,", [], (), [""], ["", " "], [","]])
def test_left_out_or_empty_means_the_default(value: object) -> None:
    assert parse_fields(value) == DEFAULT


def test_the_default_is_as_promised() -> None:
    assert ", ".join(DEFAULT) == (
        "id, create_time, video_description, video_duration, view_count, like_count, comment_count, share_count, "
        "favorites_count, hashtag_names"
    )
    assert {field.name for field in FIELDS if field.default} == set(DEFAULT)


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("view_count", ("id", "view_count")),
        (["view_count"], ("id", "view_count")),
        ("id", ("id",)),
        ("view_count,id", ("view_count", "id")),
        ("view_count , like_count", ("id", "view_count", "like_count")),
        ("\nview_count,\tlike_count\n", ("id", "view_count", "like_count")),
        (["view_count", "view_count", " id "], ("view_count", "id")),
        (["view_count,like_count", "id"], ("view_count", "like_count", "id")),
        ("favourites_count", ("id", "favorites_count")),
        (["favourites_count", "favorites_count"], ("id", "favorites_count")),
        (list(NAMES), NAMES),
        (",".join(NAMES), NAMES),
    ],
)
def test_lists_and_strings_name_the_same_fields(value: object, asked: tuple[str, ...]) -> None:
    assert set(parse_fields(value)) == set(asked)
    assert len(parse_fields(value)) == len(asked)


@pytest.mark.parametrize(
    ("value", "near"),
    [
        ("views", "view_count"),
        ("View_Count", "view_count"),
        ("likes", "like_count"),
        (["id", "coment_count"], "comment_count"),
        ("description", "video_description"),
        ("favorite_count", "favorites_count"),
        ("hashtags", "hashtag_names"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_valid_one(value: object, near: str) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"Did you mean {near}\?") as caught:
        parse_fields(value)

    assert re.search(r"Valid names: (\w+, ){19}\w+\.", str(caught.value))


@pytest.mark.parametrize(
    "value", [5, 1.5, True, False, {}, {"view_count": True}, [5], [None], [["view_count"]], [{}], b"id"], ids=repr
)
def test_what_is_no_list_of_names_is_refused_in_words(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match="Valid names: "):
        parse_fields(value)


@pytest.mark.parametrize("value", ["x" * 100_000, "\x00", "\u202e", "view_count\x00", "<script>", "id;view_count"])
def test_a_hostile_name_does_not_come_back_whole(value: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_fields(value)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(NAMES),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_any_value_is_a_choice_of_known_fields_or_refused(value: object) -> None:
    try:
        asked = parse_fields(value)
    except InvalidArgumentError:
        return

    assert "id" in asked
    assert set(asked) <= set(NAMES)
    assert len(set(asked)) == len(asked)
    assert parse_fields(json.loads(json.dumps(asked))) == asked
