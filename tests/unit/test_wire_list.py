"""What a list of pinned videos may be on TikTok's wire, and each value of a video in it."""

from __future__ import annotations

from typing import Any

import pytest

from kit import EXAMPLE_VIDEOS, OK, Reply, failure, parsed, parsed_list, raw, videos
from tiktok_pinned_videos.research import refusals, wire
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import MAX_SAFE_INTEGER

# --- the list --------------------------------------------------------------------------------------------------------

LIST_KEYS = ("pinned_videos_list", "user_pinned_videos", "pinned_video_list")


@pytest.mark.parametrize("key", LIST_KEYS)
def test_every_list_key_is_read(key: str) -> None:
    assert [video.id for video in parsed_list(EXAMPLE_VIDEOS, key)] == [
        "7777777777777777777",
        "3333333333333333333",
        "9999999999999999999",
    ]


@pytest.mark.parametrize(
    "data",
    [None, {}, *({key: empty} for key in LIST_KEYS for empty in (None, [])), {"has_more": False, "cursor": 3}],
    ids=repr,
)
def test_an_absent_null_or_empty_list_is_nothing_pinned(data: object) -> None:
    assert parsed(raw({"data": data, "error": OK})) == ()


def test_a_200_with_the_code_ok_but_no_data_is_nothing_pinned() -> None:
    assert parsed(raw({"error": OK})) == ()


def test_of_several_lists_the_first_that_holds_something_counts() -> None:
    first, second = [{"id": 1}], [{"id": 2}]
    both = {"user_pinned_videos": second, "pinned_videos_list": first}
    late = {"pinned_videos_list": [], "user_pinned_videos": None, "pinned_video_list": second}

    assert [video.id for video in parsed(raw({"data": both, "error": OK}))] == ["1"]
    assert [video.id for video in parsed(raw({"data": late, "error": OK}))] == ["2"]


@pytest.mark.parametrize("data", [[], [{"id": 1}], "x", "", 0, False, True, 1.5], ids=repr)
def test_data_that_is_no_object_is_an_upstream_error(data: object) -> None:
    assert failure(raw({"data": data, "error": OK})).status == "upstream_error"


@pytest.mark.parametrize("key", LIST_KEYS)
@pytest.mark.parametrize("items", [{}, {"id": 1}, "", "x", 0, 1, False, True], ids=repr)
def test_a_list_that_is_no_list_is_an_upstream_error(key: str, items: object) -> None:
    assert failure(videos(items, key=key)).status == "upstream_error"


@pytest.mark.parametrize("garbage", [{"id": 1}, "x", 5, [3], [None], [{"no": "id"}]], ids=repr)
def test_an_empty_list_does_not_hide_garbage_under_another_key(garbage: object) -> None:
    body = {"data": {"pinned_videos_list": [], "user_pinned_videos": garbage}, "error": OK}

    assert failure(raw(body)).status == "upstream_error"


@pytest.mark.parametrize("item", [None, [], "x", 7, True, {}, {"view_count": 3}], ids=repr)
def test_one_item_that_is_no_video_spoils_the_whole_answer(item: object) -> None:
    error = failure(videos([*EXAMPLE_VIDEOS, item]))

    assert (error.status, error.retryable) == ("upstream_error", False)


# --- values ----------------------------------------------------------------------------------------------------------

COUNTS = ("like_count", "comment_count", "share_count", "view_count", "favorites_count", "video_duration")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (7777777777777777777, "7777777777777777777"),
        (9999999999999999999, "9999999999999999999"),
        (2**53 + 1, "9007199254740993"),
        (10**60 + 1, "1" + "0" * 59 + "1"),
        ("9999999999999999999", "9999999999999999999"),
        ("007", "007"),
        ("1" * 400, "1" * 400),
        (0, "0"),
    ],
)
def test_an_id_keeps_every_digit(sent: object, told: str) -> None:
    item = {"id": sent, "music_id": sent, "hashtag_info_list": [{"hashtag_id": sent}]}
    (video,) = parsed_list([item])
    hashtags = video.hashtag_info_list or []

    assert [video.id, video.music_id, *(tag.hashtag_id for tag in hashtags)] == [told] * 3


@pytest.mark.parametrize(
    "sent", [None, "", " ", "12 ", "0x1F", "1e5", "-3", "\u0663", "abc", 1.0, 7.5, True, False, [], {}, [1]], ids=repr
)
def test_what_is_neither_an_integer_nor_digits_is_no_id(sent: object) -> None:
    assert failure(videos([{"id": sent}])).status == "upstream_error"


WRONG: list[tuple[str, list[Any]]] = [
    *((name, ["5", 5.0, True, [5], {}, MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, 10**30]) for name in COUNTS),
    ("create_time", ["1699370400", 1.5, False, [], 253_402_300_800, 10**25]),
    ("username", [5, True, [], {}]),
    ("region_code", [49, ["DE"]]),
    ("video_description", [5, False, ["a"], {"text": "a"}]),
    ("music_id", [1.5, "x", True, [1]]),
    ("hashtag_names", ["baking", {"0": "a"}, [1], [None], [["a"]], 5]),
    ("video_mention_list", ["@a", [5], {}, True]),
    ("is_stem_verified", [0, 1, "true", "false", []]),
    ("hashtag_info_list", ["x", 5, [5], [None], [[]], [{"hashtag_id": "x"}], [{"hashtag_name": 5}]]),
    ("video_label", ["x", 5, [], [{}], {"type": "0"}, {"vote": 0}, {"content": 5}, {"type": 2**60}]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG for value in values])
def test_a_documented_value_of_the_wrong_type_spoils_the_whole_answer(name: str, value: object) -> None:
    error = failure(videos([{"id": 1}, {"id": 2, name: value}]))

    assert (error.status, error.retryable) == ("upstream_error", False)
    assert name in error.what


def test_the_largest_exact_count_is_still_an_answer() -> None:
    item = dict.fromkeys(("view_count", "favorites_count"), MAX_SAFE_INTEGER) | {"like_count": 5}

    (video,) = parsed_list([{"id": 1, **item}])
    assert video.as_json() == {"id": "1", **item}


@pytest.mark.parametrize("name", ["view_count", "like_count", "favorites_count", "favourites_count"])
def test_counts_whose_sum_no_reader_keeps_exact_are_an_upstream_error(name: str) -> None:
    item = {name: MAX_SAFE_INTEGER}

    assert failure(videos([{"id": 1, **item}, {"id": 2, **item}])).status == "upstream_error"


def test_an_engagement_beyond_exact_numbers_is_an_upstream_error() -> None:
    item = {
        "id": 1,
        "view_count": 1,
        "like_count": MAX_SAFE_INTEGER,
        "comment_count": MAX_SAFE_INTEGER,
        "share_count": 1,
    }

    assert failure(videos([item])).status == "upstream_error"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "id"])
def test_a_null_is_as_if_it_had_not_been_sent(name: str) -> None:
    (video,) = parsed_list([{"id": 1, name: None}])

    assert video.as_json() == {"id": "1"}


def test_nulls_inside_hashtags_and_labels_are_absent() -> None:
    item = {
        "id": 1,
        "hashtag_info_list": [{"hashtag_id": 5, "hashtag_description": None}],
        "video_label": {"vote": None},
    }
    (video,) = parsed_list([item])

    assert video.as_json() == {"id": "1", "hashtag_info_list": [{"hashtag_id": "5"}], "video_label": {}}


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"favorites_count": 5}, 5),
        ({"favourites_count": 5}, 5),
        ({"favorites_count": None, "favourites_count": 5}, 5),
        ({"favorites_count": 0, "favourites_count": 5}, 0),
        ({}, None),
    ],
)
def test_both_spellings_of_favorites_are_read(item: dict[str, Any], told: int | None) -> None:
    (video,) = parsed_list([{"id": 1, **item}])

    assert video.favorites_count == told


def test_a_single_hashtag_struct_is_read_as_a_list_of_one() -> None:
    (video,) = parsed_list([{"id": 1, "hashtag_info_list": {"hashtag_id": 5, "hashtag_name": "a"}}])

    assert video.as_json()["hashtag_info_list"] == [{"hashtag_id": "5", "hashtag_name": "a"}]


def test_unknown_keys_are_ignored_everywhere_but_in_labels() -> None:
    item = {
        "id": 1,
        "voice_to_text": "x",
        "hashtag_info_list": [{"hashtag_id": 1, "new": 2}],
        "video_label": {"new": 2},
    }
    (video,) = parsed(raw({"data": {"pinned_videos_list": [item], "cursor": 1}, "error": OK, "extra": []}))

    assert video.as_json() == {"id": "1", "hashtag_info_list": [{"hashtag_id": "1"}], "video_label": {"new": 2}}


@pytest.mark.parametrize("name", ["sticker_info_list", "effect_info_list", "video_tag", "video_label"])
def test_numbers_that_readers_would_round_become_text_where_nothing_is_documented(name: str) -> None:
    body = (
        b'{"data":{"pinned_videos_list":[{"id":1,"%s":{"big":9007199254740993,"low":-9007199254740992,"fits":'
        b'9007199254740991,"half":0.5,"huge":1e400,"round":1e20,"deep":[[9223372036854775807]]}}]},"error":{"code":"ok"}}'
    )
    (video,) = parsed(Reply(200, body % name.encode()))

    assert video.as_json()[name] == {
        "big": "9007199254740993",
        "low": "-9007199254740992",
        "fits": 9007199254740991,
        "half": 0.5,
        "huge": "1e400",
        "round": "1e20",
        "deep": [["9223372036854775807"]],
    }


def test_untyped_values_nested_without_end_are_an_upstream_error_not_a_crash() -> None:
    nested: object = 1
    for _ in range(200):
        nested = [nested]

    assert failure(videos([{"id": 1, "video_tag": nested}])).status == "upstream_error"


@pytest.mark.parametrize("seconds", [0, 1, 253_402_300_799])
def test_times_to_the_end_of_year_9999_are_read(seconds: int) -> None:
    assert [video.create_time for video in parsed_list([{"id": 1, "create_time": seconds}])] == [seconds]


@pytest.mark.parametrize(("log_id", "told"), [("2026X", "2026X"), (None, None), ("", None), (7, None), ({}, None)])
def test_a_log_id_is_told_only_where_tiktok_sent_one_as_text(log_id: object, told: str | None) -> None:
    reply = refusals.Reply(200, videos([], log_id=log_id).body)

    assert wire.parse_pinned_videos(reply, NAMES) == ((), told)


def test_a_byte_order_mark_does_not_spoil_an_answer() -> None:
    assert len(parsed(Reply(200, b"\xef\xbb\xbf" + videos(EXAMPLE_VIDEOS).body))) == 3


def test_half_a_surrogate_pair_in_a_caption_is_dropped() -> None:
    body = b'{"data":{"pinned_videos_list":[{"id":1,"video_description":"a\\ud83db"}]},"error":{"code":"ok"}}'
    (video,) = parsed(Reply(200, body))

    assert video.video_description == "ab"
