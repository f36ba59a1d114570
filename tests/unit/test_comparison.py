"""Comparisons: the order of the accounts, what each says, and the notes about those that failed."""

from __future__ import annotations

from typing import Any

import pytest

from kit.calls import answer
from tiktok_pinned_videos.presentation.comparison import Comparison, compared, comparison_text
from tiktok_pinned_videos.presentation.notes import UNTRUSTED
from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.research.fields import DEFAULT, MEASURES
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer

COUNTS = {"view_count": 100, "like_count": 1, "comment_count": 1, "share_count": 1, "favorites_count": 1}


def found(username: str, *videos: dict[str, Any], **changes: Any) -> Outcome[Answer]:
    """An account with these videos; None leaves a count out."""
    items = [{"id": number, **COUNTS, **video} for number, video in enumerate(videos, start=1)]
    return Outcome(username, answer=answer(*items, username=username, fields=DEFAULT, **changes))


def failed(username: str, error: errors.TikTokError) -> Outcome[Answer]:
    return Outcome(username, error=error)


def statuses(comparison: Comparison) -> list[tuple[str, str, int | None]]:
    return [(account["username"], account["status"], account.get("rank")) for account in comparison["accounts"]]


def test_accounts_are_ranked_then_unranked_then_empty_then_failed_each_in_the_order_asked() -> None:
    outcomes = [
        failed("gone", errors.NotFoundError("no account.")),
        found("empty"),
        found("mute", {"share_count": None}),
        found("zero", {"share_count": 0}),
        found("tie_b", {"share_count": 5}),
        failed("hidden", errors.PermissionDeniedError("private.")),
        found("tie_a", {"share_count": 5}),
        found("top", {"share_count": 9}),
    ]

    assert statuses(compared(outcomes, "share_count")) == [
        ("top", "found", 1), ("tie_b", "found", 2), ("tie_a", "found", 3), ("zero", "found", 4),
        ("mute", "found", None), ("empty", "nothing_pinned", None), ("gone", "not_found", None),
        ("hidden", "refused", None),
    ]  # fmt: skip


def test_the_top_video_is_the_highest_by_the_measure_of_the_ranking() -> None:
    videos = [{name: 1000 if name == measure else 500 for name in COUNTS} for measure in COUNTS]
    videos.append({"view_count": 1, "like_count": 5})
    outcomes = [found("nasa", *videos), found("esa", {})]

    for number, measure in enumerate(MEASURES, start=1):
        top = compared(outcomes, measure)["accounts"][0].get("top_video", {})
        assert (top.get("id"), set(top)) == (str(number), {"id", "url", measure})


def test_the_oldest_time_used_is_that_of_the_comparison_and_each_account_keeps_its_own() -> None:
    outcomes = [found("new", {}), found("old", {}, retrieved_at=1_795_346_000.0, cached=True)]
    comparison = compared(outcomes, "view_count")
    text = comparison_text(comparison)

    assert comparison["retrieved_at"] == "2026-11-22T11:13:20Z"
    assert [(one.get("retrieved_at"), one.get("cached")) for one in comparison["accounts"]] == [
        ("2026-11-22T11:20:00Z", False), ("2026-11-22T11:13:20Z", True),
    ]  # fmt: skip
    assert [line.split("\t")[9:11] for line in text.splitlines() if "\t" in line] == [
        ["retrieved_at", "cached"], ["2026-11-22T11:20:00Z", "no"], ["2026-11-22T11:13:20Z", "yes"],
    ]  # fmt: skip


def test_the_text_has_the_answer_the_warning_and_columns_that_say_what_they_hold() -> None:
    outcomes = [
        found("nasa", {"video_description": 'Say "hi"'}, {"video_description": "b", "comment_count": 7}),
        found("mute", {"comment_count": None, "video_description": "c"}),
        found("empty"),
        failed("gone", errors.NotFoundError("no account.", next_step="Check it.", code="invalid_params")),
    ]
    lines = comparison_text(compared(outcomes, "comment_count")).splitlines()

    assert lines[0] == "@nasa leads by comment_count; 3 of 4 accounts answered (TikTok 2026-11-22T11:20:00Z)"
    assert lines[1] == UNTRUSTED
    assert lines[2].split("\t")[-3:] == ["top video id", "top video comment_count", "top video description"]
    assert lines[3].split("\t")[:3] == ["1", "nasa", "2"]
    assert lines[3].split("\t")[-3:] == ["2", "7", '"b"']
    assert lines[4].split("\t")[:6] == ["unranked", "mute", "1", "100", "1", "?"]
    assert lines[5].split("\t") == ["nothing_pinned", "empty", "0", *["-"] * 9]
    assert "url: https://www.tiktok.com/@{username}/video/{top video id}" in lines
    assert "not_found: @gone: No account. Check it. [TikTok: invalid_params]" in lines


def test_a_note_names_the_failures_for_which_asking_again_can_help_and_only_those() -> None:
    final = [
        failed("private", errors.PermissionDeniedError("x")),
        failed("gone", errors.NotFoundError("x")),
        failed("odd", errors.BadRequestError("x")),
        failed("a b", errors.InvalidArgumentError("x")),
        failed("simulated", errors.QuotaExceededError("x", sandbox=True)),
    ]
    again = [
        failed("slow", errors.APITimeoutError("x")),
        failed("broken", errors.InternalServerError("x")),
        failed("busy", errors.RateLimitError("x")),
        failed("spent", errors.QuotaExceededError("x")),
    ]
    some = compared([found("nasa", {}), *final, *again], "view_count")["notes"]
    none = compared([found("nasa", {}), *final], "view_count")["notes"]

    assert "9 of 10 accounts failed; asking again later can help for @slow, @broken, @busy, @spent." in some
    assert "5 of 6 accounts failed; asking again will not help." in none


def test_notes_say_which_account_is_not_ranked_and_which_videos_a_total_does_not_cover() -> None:
    outcomes = [found("mute", {"share_count": None}), found("half", {}, {"share_count": None})]
    notes = compared(outcomes, "share_count")["notes"]

    assert "@mute is not ranked: it has no share_count." in notes
    assert "@half: Total share_count covers 1 of 2 videos: TikTok sent no value for 2." in notes


def test_clipped_captions_are_announced_with_the_resource_only_if_it_is_stored() -> None:
    long = {"video_description": "x" * 301}

    for stored, said in ((True, "resource tiktok://pinned/{username} has them whole"), (False, "were cut (…).")):
        notes = compared([found("a", long, stored=stored), found("b", {})], "view_count")["notes"]
        assert [said in note for note in notes if "were cut" in note] == [True]


def test_if_all_fail_the_error_has_the_common_status_or_upstream_error_and_names_each() -> None:
    gone = [failed(name, errors.NotFoundError("no account.", next_step="Check it.")) for name in ("one", "two")]

    with pytest.raises(errors.TikTokError, match="one: not_found, two: not_found") as same:
        compared(gone, "view_count")
    with pytest.raises(errors.TikTokError, match=r"one: not_found, hidden: refused.* refused: Private") as mixed:
        compared([gone[0], failed("hidden", errors.PermissionDeniedError("private."))], "view_count")

    assert (same.value.status, mixed.value.status) == ("not_found", "upstream_error")
