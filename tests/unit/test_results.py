"""The structured result: sums, rates, what is absent, ids, times and links."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.calls import account
from kit.upstream import EXAMPLE_VIDEOS
from tiktok_pinned_videos.presentation.results import video_url
from tiktok_pinned_videos.presentation.times import iso

RATED = ("view_count", "like_count", "comment_count", "share_count")


def counts(*values: int | None, **more: Any) -> dict[str, Any]:
    """A video with these views, likes, comments and shares; None leaves one out."""
    known = {name: value for name, value in zip(RATED, values, strict=True) if value is not None}
    return {"id": 1, **known, **more}


def test_the_documented_example_adds_up() -> None:
    data = account(*EXAMPLE_VIDEOS)

    assert data["totals"] == {
        "videos": 3, "view_count": 61676555, "like_count": 7859721, "comment_count": 25112, "share_count": 27290,
        "engagement_rate": 0.1283,
    }  # fmt: skip
    assert [video["engagement_rate"] for video in data["videos"]] == [0.1411, 0.0914, 0.1509]


@pytest.mark.parametrize(
    ("video", "rate"),
    [
        (counts(3, 2, 0, 0), 0.6667),
        (counts(1, 5, 5, 5), 15.0),
        (counts(100, 0, 0, 0), 0.0),
        (counts(0, 5, 5, 5), None),
        (counts(100, 1, 1, None), None),
    ],
)
def test_a_rate_needs_all_four_counts_and_views(video: dict[str, Any], rate: float | None) -> None:
    (result,) = account(video)["videos"]

    assert result.get("engagement_rate") == rate


def test_the_total_rate_is_over_the_sums_of_the_videos_that_have_all_four_counts() -> None:
    data = account(counts(1000, 10, 10, 10), counts(10, 1, 1, 1), counts(10**6, None, 5, 5))

    assert data["totals"]["engagement_rate"] == round(33 / 1010, 4)
    assert (data["totals"]["view_count"], data["totals"]["like_count"]) == (1001010, 11)


@given(st.lists(st.lists(st.none() | st.integers(0, 2**40), min_size=4, max_size=4), min_size=1, max_size=5))
def test_totals_are_the_sums_of_the_counts_that_were_sent(videos: list[list[int | None]]) -> None:
    totals = account(*(counts(*values) for values in videos))["totals"]

    columns = [[value for value in column if value is not None] for column in zip(*videos, strict=True)]
    assert [totals.get(name) for name in RATED] == [sum(column) if column else None for column in columns]


def test_a_value_that_was_not_sent_is_absent_and_a_zero_stays() -> None:
    data = account({"id": 1, "view_count": 0, "like_count": None}, log_id=None)

    assert data["videos"] == [{"id": "1", "url": "https://www.tiktok.com/@nasa/video/1", "view_count": 0}]
    assert data["totals"] == {"videos": 1, "view_count": 0}
    assert "log_id" not in data
    assert "null" not in json.dumps(data)


def test_nothing_pinned_is_an_empty_list_without_notes() -> None:
    assert account() == {
        "username": "nasa", "status": "nothing_pinned", "source": "tiktok_research_api",
        "retrieved_at": "2026-11-22T11:20:00Z", "cached": False, "log_id": "L0G",
        "totals": {"videos": 0}, "videos": [], "notes": [],
    }  # fmt: skip


def test_only_requested_fields_are_in_the_result_in_tiktoks_order() -> None:
    items = [dict(item, video_description="hello") for item in EXAMPLE_VIDEOS]
    videos = account(*items, fields=("id", "view_count"))["videos"]

    assert [video["id"] for video in videos] == [str(item["id"]) for item in EXAMPLE_VIDEOS]
    assert {name for video in videos for name in video} == {"id", "url", "view_count"}


def test_every_id_is_a_string_of_all_its_digits_however_long() -> None:
    big = 10**120 + 1
    item = {
        "id": big, "music_id": big, "hashtag_info_list": [{"hashtag_id": big, "hashtag_name": "a"}],
        "sticker_info_list": [{"sticker_id": "7" * 150}],
    }  # fmt: skip
    (video,) = account(item)["videos"]

    assert [video["id"], video["music_id"], video["hashtag_info_list"][0]["hashtag_id"]] == [str(big)] * 3
    assert video["url"].endswith(f"/video/{big}")
    assert video["sticker_info_list"] == [{"sticker_id": "7" * 150}]


def test_times_are_utc_in_iso_8601_from_the_first_to_the_last_year() -> None:
    times = {0: "1970-01-01T00:00:00Z", 1699370400.999: "2023-11-07T15:20:00Z", 253_402_300_799: "9999-12-31T23:59:59Z"}

    assert {seconds: iso(seconds) for seconds in times} == times


def test_the_link_of_a_video_is_valid_for_names_of_any_script() -> None:
    assert video_url("a.b_c", "7") == "https://www.tiktok.com/@a.b_c/video/7"
    assert video_url("кошка", "7") == "https://www.tiktok.com/@%D0%BA%D0%BE%D1%88%D0%BA%D0%B0/video/7"
