"""The `fields` parameter: what callers may write, and what the fields mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import BY_NAME, DEFAULT, NAMES, parse_fields
from tiktok_pinned_videos.research.models import Video


def test_the_default_is_the_ten_fields_in_their_documented_order() -> None:
    expected = (
        "id", "create_time", "video_description", "video_duration", "view_count", "like_count", "comment_count",
        "share_count", "favorites_count", "hashtag_names",
    )  # fmt: skip
    for nothing in (None, "", " , ", [], ["", " "]):
        assert parse_fields(nothing) == expected == DEFAULT


def test_lists_and_the_documented_string_are_read_alike_with_id_first() -> None:
    for value in ("view_count, like_count", ["view_count", "like_count"], ["view_count,like_count", "view_count"]):
        assert parse_fields(value) == ("id", "view_count", "like_count")
    assert parse_fields("view_count,id") == ("view_count", "id")


def test_either_spelling_of_favorites_is_one_field() -> None:
    assert parse_fields("favourites_count,favorites_count") == ("id", "favorites_count")


def test_all_means_the_twenty_fields() -> None:
    assert len(NAMES) == 20
    for value in ("all", ["all"], " ALL ", "all,id"):
        assert set(parse_fields(value)) == set(NAMES)


@pytest.mark.parametrize(
    ("value", "nearest"),
    [
        ("views", "view_count"),
        ("like-count", "like_count"),
        ("hashtags", "hashtag_names"),
        ("all,Video_Duration", "video_d"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_valid_one(value: str, nearest: str) -> None:
    with pytest.raises(InvalidArgumentError, match="unknown field") as caught:
        parse_fields([value])

    assert f"Did you mean {nearest}" in str(caught.value)
    assert all(name in str(caught.value) for name in NAMES)


def test_fields_of_another_type_are_refused_with_what_to_send() -> None:
    for value, hint in ((5, "must be a list of field names"), ([["id"]], "must contain names only")):
        with pytest.raises(InvalidArgumentError, match=hint):
            parse_fields(value)


@given(
    st.none() | st.integers() | st.text() | st.lists(st.text() | st.integers()) | st.dictionaries(st.text(), st.text())
)
def test_anything_else_is_refused_in_one_printable_line(value: object) -> None:
    try:
        assert set(parse_fields(value)) <= set(NAMES)
    except InvalidArgumentError as error:
        said = str(error)
    else:
        return
    assert said.isprintable()
    assert len(said) < 500


def test_every_field_is_one_of_a_video_and_says_what_a_reader_must_know() -> None:
    assert set(Video.__annotations__) == set(NAMES)
    assert "seconds" in BY_NAME["video_duration"].meaning
    assert "registered" in BY_NAME["region_code"].meaning
    assert "digits" in BY_NAME["id"].meaning
    tag = BY_NAME["video_tag"].meaning
    assert [
        word for word in ("video_tag_type", "video_tag_number", "type and number", "AIGC 2") if word not in tag
    ] == []
