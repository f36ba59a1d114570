"""The order of a comparison: by which measure, and where those stand that have none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kit import (
    VIRTUAL_TIME,
    Asked,
    Clock,
    Reply,
    by_name,
    compare,
    get,
    refusal,
    statuses,
    talking,
    tiktok,
    unknown_account,
    video,
    videos,
)

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]


def with_counts(**values: Any) -> Callable[[Asked], Reply]:
    """One video whose values are these; None leaves one out."""
    return lambda asked: videos([{k: v for k, v in video(asked, **values).items() if v is not None}])


async def test_accounts_come_ranked_then_unmeasured_then_empty_then_failed_each_in_the_order_asked() -> None:
    script = by_name(
        gone=unknown_account,
        empty=lambda _: videos([]),
        mute=with_counts(share_count=None),
        low=with_counts(share_count=1),
        tie_b=with_counts(share_count=5),
        tie_a=with_counts(share_count=5),
        top=with_counts(share_count=9),
        hidden=lambda _: refusal(400, "invalid_params", "This account is private"),
        zero=with_counts(share_count=0),
    )
    async with tiktok(script) as upstream, talking(upstream) as client:
        names = ["gone", "empty", "mute", "zero", "low", "tie_b", "hidden", "tie_a", "top"]
        told = await compare(client, names, rank_by="share_count")

        assert list(statuses(told).items()) == [
            ("top", "found"), ("tie_b", "found"), ("tie_a", "found"), ("low", "found"), ("zero", "found"),
            ("mute", "found"), ("empty", "nothing_pinned"), ("gone", "not_found"), ("hidden", "refused"),
        ]  # fmt: skip
        assert [account.get("rank") for account in told["accounts"]] == [1, 2, 3, 4, 5, None, None, None, None]
        assert [name for account in told["accounts"] for name in account if account.get("reason")] == [
            "username", "status", "reason",
        ] * 2  # fmt: skip
        mute, empty = told["accounts"][5:7]
        assert "share_count" not in mute["totals"]
        assert "top_video" not in mute
        assert empty["totals"] == {"videos": 0}
        assert [note for note in told["notes"] if "@mute" in note and "share_count" in note]
        assert told["rank_by"] == "share_count"


async def test_a_total_over_some_of_the_videos_says_so_and_is_ranked_by_what_is_known() -> None:
    def partial(asked: Asked) -> Reply:
        return videos([
            video(asked, id=1, view_count=100, like_count=9, comment_count=1, share_count=0),
            {"id": 2, "like_count": 50},
        ])  # fmt: skip

    async with tiktok(by_name(half=partial, full=with_counts(view_count=50))) as upstream, talking(upstream) as client:
        told = await compare(client, ["full", "half"])

        half = told["accounts"][0]
        assert (half["username"], half["totals"]["view_count"], half["top_video"]["id"]) == ("half", 100, "1")
        assert half["totals"]["engagement_rate"] == 0.1  # of the one video that has all four
        assert [note for note in told["notes"] if note.startswith("@half: Total view_count is over 1 of 2 videos")]


@pytest.mark.parametrize(
    ("measure", "best"),
    [
        ("view_count", "1"),
        ("like_count", "2"),
        ("comment_count", "3"),
        ("share_count", "4"),
        ("favorites_count", "5"),
        ("engagement_rate", "6"),
    ],
)
async def test_the_top_video_is_the_highest_by_the_measure_and_tells_it(measure: str, best: str) -> None:
    base = {"view_count": 1000, "like_count": 1, "comment_count": 1, "share_count": 1, "favorites_count": 1}
    items = [
        {"id": 1, **base, "view_count": 9000}, {"id": 2, **base, "like_count": 5},
        {"id": 3, **base, "comment_count": 5}, {"id": 4, **base, "share_count": 5},
        {"id": 5, **base, "favorites_count": 5}, {"id": 6, **base, "view_count": 9},
    ]  # fmt: skip
    async with tiktok(lambda _: videos(items)) as upstream, talking(upstream) as client:
        told = await compare(client, ["a", "b"], rank_by=measure)

        top = told["accounts"][0]["top_video"]
        assert top["id"] == best
        assert top["url"] == f"https://www.tiktok.com/@a/video/{best}"
        assert measure in top
        assert [account["rank"] for account in told["accounts"]] == [1, 2]


async def test_the_british_spelling_of_a_measure_is_understood() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        assert (await compare(client, ["a", "b"], rank_by="favourites_count"))["rank_by"] == "favorites_count"


async def test_the_time_told_is_the_oldest_used() -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        await get(client, "old")
        clock.now += 120
        told = await compare(client, ["new", "old"])

        assert told["retrieved_at"] == "2026-06-01T12:00:00Z"
        times = {account["username"]: (account["retrieved_at"], account["cached"]) for account in told["accounts"]}
        assert times == {"old": ("2026-06-01T12:00:00Z", True), "new": ("2026-06-01T12:02:00Z", False)}
