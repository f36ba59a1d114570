"""The structured result: sums, rates, what is absent, and notes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from kit import EXAMPLE_VIDEOS
from kit.answers import leaves, told
from tiktok_pinned_videos.presentation.results import video_url
from tiktok_pinned_videos.presentation.text import account_text
from tiktok_pinned_videos.presentation.times import iso

# --- numbers ---------------------------------------------------------------------------------------------------------


def counts(views: int | None, likes: int | None, comments: int | None, shares: int | None) -> dict[str, Any]:
    names = ("view_count", "like_count", "comment_count", "share_count")
    known = zip(names, (views, likes, comments, shares), strict=True)
    return {"id": 1, **{name: value for name, value in known if value is not None}}


def test_the_documentations_example_adds_up() -> None:
    data = told(*EXAMPLE_VIDEOS).as_json()

    assert data["totals"] == {
        "videos": 3,
        "view_count": 61676555,
        "like_count": 7859721,
        "comment_count": 25112,
        "share_count": 27290,
        "engagement_rate": 0.1283,
    }
    assert [video["engagement_rate"] for video in data["videos"]] == [0.1411, 0.0914, 0.1509]


@pytest.mark.parametrize(
    ("item", "rate"),
    [
        (counts(100, 10, 5, 1), 0.16),
        (counts(3, 1, 0, 0), 0.3333),
        (counts(3, 2, 0, 0), 0.6667),
        (counts(1, 5, 5, 5), 15.0),
        (counts(100, 0, 0, 0), 0.0),
        (counts(10**9, 1, 0, 0), 0.0),
        (counts(0, 5, 5, 5), None),
        (counts(None, 1, 1, 1), None),
        (counts(100, None, 1, 1), None),
        (counts(100, 1, None, 1), None),
        (counts(100, 1, 1, None), None),
        (counts(-5, 1, 1, 1), None),
    ],
)
def test_engagement_is_told_where_all_four_counts_are_known_and_there_are_views(
    item: dict[str, Any], rate: float | None
) -> None:
    (video,) = told(item).as_json()["videos"]

    assert video.get("engagement_rate") == rate


def test_the_total_rate_is_the_ratio_of_the_sums_of_the_videos_that_have_all_four() -> None:
    answer = told(counts(1000, 10, 10, 10), counts(10, 1, 1, 1), counts(10**6, None, 5, 5)).as_json()

    assert answer["totals"]["engagement_rate"] == round(33 / 1010, 4)
    assert answer["totals"]["view_count"] == 1001010
    assert answer["totals"]["like_count"] == 11
    assert sum("engagement_rate" in video for video in answer["videos"]) == 2
    assert [note for note in answer["notes"] if "engagement_rate" in note and "2 of 3" in note]


def test_a_count_no_video_has_is_left_out_of_the_totals() -> None:
    totals = told({"id": 1, "view_count": 5}, {"id": 2, "view_count": 6}).as_json()["totals"]

    assert totals == {"videos": 2, "view_count": 11}


def test_a_zero_that_was_sent_is_told() -> None:
    data = told({"id": 1, "view_count": 0, "like_count": 0}).as_json()

    assert data["totals"] == {"videos": 1, "view_count": 0, "like_count": 0}
    assert (data["videos"][0]["view_count"], data["videos"][0]["like_count"]) == (0, 0)


def test_a_total_over_some_videos_only_says_so() -> None:
    answer = told({"id": 1, "view_count": 5}, {"id": 2, "view_count": 6, "share_count": 1}, {"id": 3, "view_count": 7})
    about = [note for note in answer.notes if "share_count" in note]

    assert len(about) == 1
    assert "1 of 3" in about[0]
    assert [note for note in answer.notes if "view_count" in note] == []
    assert about[0] in account_text(answer)


def test_no_number_of_a_result_is_one_that_json_cannot_say() -> None:
    item = counts(1, 2**51, 2**51, 2**51) | {"favorites_count": 2**53 - 1}
    numbers = [leaf for leaf in leaves(told(item).as_json()) if isinstance(leaf, int | float)]

    assert all(math.isfinite(number) and abs(number) <= 2**53 - 1 for number in numbers)


# --- absent, empty and ordered ---------------------------------------------------------------------------------------


def test_nothing_pinned_is_an_empty_list_and_a_total_of_none() -> None:
    assert told().as_json() == {
        "username": "nasa",
        "status": "nothing_pinned",
        "source": "tiktok_research_api",
        "retrieved_at": "2026-11-22T11:20:00Z",
        "cached": False,
        "log_id": "L0G",
        "totals": {"videos": 0},
        "videos": [],
        "notes": [],
    }


def test_what_was_not_sent_is_absent_never_null_or_zero() -> None:
    data = told({"id": 1}, log_id=None).as_json()

    assert data["videos"] == [{"id": "1", "url": "https://www.tiktok.com/@nasa/video/1"}]
    assert "log_id" not in data
    assert "null" not in json.dumps(data)


def test_only_what_was_asked_for_is_told() -> None:
    item = dict(EXAMPLE_VIDEOS[0], video_description="hello", favorites_count=5)
    (video,) = told(item, fields=("id", "view_count")).as_json()["videos"]

    assert set(video) == {"id", "url", "view_count"}


def test_videos_stay_in_tiktoks_order() -> None:
    ids = ["5", "9", "1", "7"]

    assert [video["id"] for video in told(*({"id": id_} for id_ in ids)).as_json()["videos"]] == ids


def test_every_id_is_a_string_of_all_its_digits() -> None:
    big = 10**120 + 1
    item = {"id": big, "music_id": big, "hashtag_info_list": [{"hashtag_id": big, "hashtag_name": "a"}]}
    data = told(item).as_json()
    (video,) = data["videos"]

    assert [video["id"], video["music_id"], video["hashtag_info_list"][0]["hashtag_id"]] == [str(big)] * 3
    assert video["url"].endswith(f"/video/{big}")
    assert account_text(told(item)).count(str(big)) == 3


def test_a_long_id_in_an_untyped_value_is_whole() -> None:
    item = {"id": 1, "sticker_info_list": [{"sticker_id": "7" * 150}]}

    assert told(item).as_json()["videos"][0]["sticker_info_list"] == [{"sticker_id": "7" * 150}]


@pytest.mark.parametrize(
    ("seconds", "iso_time"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1699370400, "2023-11-07T15:20:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (1699370400.999, "2023-11-07T15:20:00Z"),
    ],
)
def test_times_are_utc_in_iso_8601(seconds: float, iso_time: str) -> None:
    assert iso(seconds) == iso_time


@pytest.mark.parametrize(
    ("username", "url"),
    [
        ("nasa", "https://www.tiktok.com/@nasa/video/7"),
        ("a.b_c", "https://www.tiktok.com/@a.b_c/video/7"),
        ("кошка", "https://www.tiktok.com/@%D0%BA%D0%BE%D1%88%D0%BA%D0%B0/video/7"),
    ],
)
def test_a_video_has_an_address_that_can_be_opened(username: str, url: str) -> None:
    assert video_url(username, "7") == url


# --- notes -----------------------------------------------------------------------------------------------------------


def test_foreign_text_is_labelled_once_in_each_channel() -> None:
    answer = told({"id": 1, "video_description": "a", "hashtag_names": ["b"]}, {"id": 2, "video_description": "c"})

    assert [note for note in answer.notes if "untrusted" in note.casefold()] == ["Untrusted text"]
    assert account_text(answer).casefold().count("untrusted") == 1


@pytest.mark.parametrize(
    ("item", "cut"),
    [
        ({"video_description": "x" * 300}, False),
        ({"video_description": "x" * 301}, True),
        ({"hashtag_names": ["x" * 100]}, False),
        ({"hashtag_names": ["ok", "x" * 101]}, True),
        ({"video_mention_list": ["x" * 101]}, True),
        ({"username": "x" * 101}, True),
        ({"region_code": "x" * 101}, True),
        ({"hashtag_info_list": [{"hashtag_name": "x" * 101}]}, True),
        ({"hashtag_info_list": [{"hashtag_description": "x" * 300}]}, False),
        ({"hashtag_info_list": [{"hashtag_description": "x" * 301}]}, True),
        ({"video_label": {"content": "x" * 300}}, False),
        ({"video_label": {"content": "x" * 301}}, True),
        ({"video_label": {"new": "x" * 100}}, False),
        ({"video_label": {"new": "x" * 101}}, True),
        ({"video_label": {"new": [{"deep": "x" * 101}]}}, True),
        ({"video_label": {"k" * 101: 1}}, True),
        ({"video_tag": {"k": "x" * 101}}, True),
        ({"sticker_info_list": ["x" * 101]}, True),
    ],
    ids=lambda value: json.dumps(value).replace("x" * 90, "").replace("k" * 90, "") if isinstance(value, dict) else "",
)
def test_a_note_names_the_resource_exactly_when_something_was_cut(item: dict[str, Any], cut: bool) -> None:
    answer = told({"id": 1, **item})
    shown = json.dumps(answer.as_json()["videos"], ensure_ascii=False)

    assert ("…" in shown) is cut
    assert any("tiktok://pinned/nasa" in note for note in answer.notes) is cut
    assert ("tiktok://pinned/nasa" in account_text(answer)) is cut
    assert ("x" * 100 + "x" * 201 in shown) is False


def test_a_sandbox_answer_says_so_in_both_channels() -> None:
    answer = told({"id": 1}, sandbox=True)

    assert answer.source == "sandbox"
    assert any("sandbox" in note.casefold() for note in answer.notes)
    assert "SANDBOX" in account_text(answer)


def test_a_cached_answer_says_so_and_keeps_its_time_and_log_id_in_both_channels() -> None:
    answer = told({"id": 1}, cached=True)
    text = account_text(answer)

    assert answer.cached
    assert [part in text for part in ("cached", "2026-11-22T11:20:00Z", "L0G")] == [True] * 3


def test_the_quota_note_is_told_in_both_channels() -> None:
    answer = told(quota_note="Quota: 800 of 1000")

    assert "Quota: 800 of 1000" in answer.notes
    assert "Quota: 800 of 1000" in account_text(answer)
