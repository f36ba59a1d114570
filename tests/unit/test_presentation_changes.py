"""What changed since the oldest observation, in both channels of both tools."""

from __future__ import annotations

import pytest

from kit.calls import account, answer, compare, get, talking
from kit.tiktok import pinned, tiktok
from kit.virtual import VIRTUAL_TIME, Clock
from tiktok_pinned_videos.presentation.comparison import compared, comparison_text
from tiktok_pinned_videos.presentation.text import account_text
from tiktok_pinned_videos.service.history import Change, Changes
from tiktok_pinned_videos.service.many import Outcome

NOON = 1_780_315_200  # 2026-06-01T12:00:00Z
DAY = 86_400
CHANGES = Changes(
    since=NOON - 9 * DAY,
    pinned=(Change("7", NOON - DAY, NOON), Change("8", NOON - DAY, NOON), Change("9", NOON - 3 * DAY, NOON - 2 * DAY)),
    unpinned=(Change("5", NOON - DAY, NOON),),
    growth=(("view_count", 31_200), ("like_count", -4), ("share_count", 0)),
)
QUIET = Changes(NOON - DAY, (), (), (("view_count", 0), ("like_count", 0)))
VIDEO = {"id": 7, "view_count": 100}


def test_the_data_has_the_observations_between_which_each_change_happened() -> None:
    changes = account(VIDEO, changes=CHANGES)["changes"]

    assert changes["pinned"][2] == {"id": "9", "after": "2026-05-29T12:00:00Z", "by": "2026-05-30T12:00:00Z"}
    assert changes["unpinned"] == [{"id": "5", "after": "2026-05-31T12:00:00Z", "by": "2026-06-01T12:00:00Z"}]
    assert {name: value for name, value in changes.items() if name not in ("pinned", "unpinned")} == {
        "since": "2026-05-23T12:00:00Z", "view_count": 31_200, "like_count": -4, "share_count": 0,
    }  # fmt: skip


def test_the_text_has_the_same_in_one_line() -> None:
    assert [line for line in account_text(account(VIDEO, changes=CHANGES)).splitlines() if "since" in line] == [
        "since 2026-05-23T12:00:00Z: pinned 7 8 between 2026-05-31T12:00:00Z and 2026-06-01T12:00:00Z, "
        "9 between 2026-05-29T12:00:00Z and 2026-05-30T12:00:00Z; "
        "unpinned 5 between 2026-05-31T12:00:00Z and 2026-06-01T12:00:00Z; "
        "videos pinned both times: view_count +31200, like_count -4, share_count +0"
    ]


def test_a_change_of_nothing_is_one_word_and_growth_of_the_same_videos_is_said_to_be_theirs() -> None:
    for changes, line in (
        (QUIET, "unchanged"),
        (Changes(NOON - DAY, (), (), ()), "pins unchanged"),
        (Changes(NOON - DAY, (), (), (("view_count", 5),)), "same videos: view_count +5"),
    ):
        assert f"since 2026-05-31T12:00:00Z: {line}" in account_text(account(VIDEO, changes=changes)).splitlines()


def test_a_comparison_counts_pins_and_has_no_zeros_for_accounts_without_change() -> None:
    given = {"nasa": CHANGES, "esa": QUIET, "jaxa": None}
    outcomes = [Outcome(name, answer=answer(VIDEO, username=name, changes=each)) for name, each in given.items()]
    comparison = compared(outcomes, "view_count")
    heading, *rows = [line.split("\t") for line in comparison_text(comparison).splitlines() if "\t" in line]

    changes = comparison["accounts"][0].get("changes", {})
    assert [changes.get(name) for name in ("pinned_count", "unpinned_count", "view_count")] == [3, 1, 31_200]
    assert heading[-1] == "changes"
    assert [row[-1] for row in rows] == [
        "since 2026-05-23T12:00:00Z: 3 pinned, 1 unpinned, view_count +31200, like_count -4, share_count +0",
        "since 2026-05-31T12:00:00Z: unchanged",
        "no earlier answer",
    ]


@pytest.mark.anyio
@VIRTUAL_TIME
async def test_a_refreshed_answer_has_changes_and_none_without_history() -> None:
    for days in (15, 0):
        clock = Clock()
        async with tiktok(pinned) as upstream, talking(upstream, clock=clock, history_days=days) as client:
            first = await get(client, "nasa")
            clock.now += 60
            second = await get(client, "nasa", refresh=True)
            both = await compare(client, ["nasa", "esa"])

            assert second.get("changes", {}).get("since") == (first["retrieved_at"] if days else None)
            assert [("changes" in each) for each in both["accounts"] if each["username"] == "nasa"] == [bool(days)]
