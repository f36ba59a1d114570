"""What has changed, in both channels of both tools."""

from __future__ import annotations

from typing import Any

from tiktok_pinned_videos.presentation.comparison import compared, comparison_text
from tiktok_pinned_videos.presentation.results import account_answer
from tiktok_pinned_videos.presentation.text import account_text
from tiktok_pinned_videos.research.fields import DEFAULT
from tiktok_pinned_videos.research.models import Snapshot, Video
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.observations import Change, Changes
from tiktok_pinned_videos.service.service import Answer

NOON = 1_780_315_200  # 2026-06-01T12:00:00Z
DAY = 86_400
CHANGES = Changes(
    since=NOON - 9 * DAY,
    pinned=(Change("7", NOON - DAY, NOON), Change("8", NOON - DAY, NOON), Change("9", NOON - 3 * DAY, NOON - 2 * DAY)),
    unpinned=(Change("5", NOON - DAY, NOON),),
    growth=(("view_count", 31_200), ("like_count", -4), ("share_count", 0)),
)
QUIET = Changes(NOON - DAY, (), (), ())


def answer(username: str = "nasa", *, changes: Changes | None, videos: int = 1) -> Answer:
    pinned = tuple(Video(id=str(number), view_count=100) for number in range(7, 7 + videos))
    return Answer(Snapshot(username, DEFAULT, pinned, float(NOON), None, False), False, 1, changes=changes)


def told(changes: Changes | None, **more: Any) -> tuple[dict[str, Any], str]:
    out = account_answer(answer(changes=changes, **more))
    return out.as_json(), account_text(out)


def test_what_changed_stands_in_the_data_with_the_looks_between_which_it_did() -> None:
    data, _ = told(CHANGES)

    assert data["changes"] == {
        "since": "2026-05-23T12:00:00Z",
        "pinned": [
            {"id": "7", "after": "2026-05-31T12:00:00Z", "by": "2026-06-01T12:00:00Z"},
            {"id": "8", "after": "2026-05-31T12:00:00Z", "by": "2026-06-01T12:00:00Z"},
            {"id": "9", "after": "2026-05-29T12:00:00Z", "by": "2026-05-30T12:00:00Z"},
        ],
        "unpinned": [{"id": "5", "after": "2026-05-31T12:00:00Z", "by": "2026-06-01T12:00:00Z"}],
        "view_count": 31_200,
        "like_count": -4,
        "share_count": 0,
    }


def test_the_text_says_the_same_in_one_line() -> None:
    _, words = told(CHANGES)

    assert [line for line in words.splitlines() if line.startswith("Since")] == [
        "Since 2026-05-23T12:00:00Z: pinned 7 8 between 2026-05-31T12:00:00Z and 2026-06-01T12:00:00Z, "
        "9 between 2026-05-29T12:00:00Z and 2026-05-30T12:00:00Z; "
        "unpinned 5 between 2026-05-31T12:00:00Z and 2026-06-01T12:00:00Z; "
        "growth of the videos pinned both times: view_count +31200, like_count -4, share_count +0"
    ]


def test_that_nothing_changed_is_said_too_and_of_nothing_pinned() -> None:
    data, words = told(QUIET)
    empty, _ = told(QUIET, videos=0)

    assert data["changes"] == empty["changes"] == {"since": "2026-05-31T12:00:00Z", "pinned": [], "unpinned": []}
    assert "Since 2026-05-31T12:00:00Z: the same videos pinned" in words.splitlines()


def test_counts_that_all_stood_still_are_said_in_few_words() -> None:
    _, words = told(Changes(NOON - DAY, (), (), (("view_count", 0), ("like_count", 0))))

    assert "Since 2026-05-31T12:00:00Z: the same videos pinned; their counts unchanged" in words.splitlines()


def test_an_answer_without_a_past_says_nothing_of_it() -> None:
    data, words = told(None)

    assert "changes" not in data
    assert "Since" not in words


def test_a_comparison_counts_what_changed_and_names_no_video() -> None:
    outcomes = [
        Outcome("nasa", answer=answer("nasa", changes=CHANGES)),
        Outcome("esa", answer=answer("esa", changes=None, videos=2)),
    ]
    comparison = compared(outcomes, "view_count")
    accounts = comparison.as_json()["accounts"]
    first = {"since": "2026-05-23T12:00:00Z", "pinned": 3, "unpinned": 1}
    header, *rows = [line.split("\t") for line in comparison_text(comparison).splitlines() if "\t" in line]

    assert [account.get("changes") for account in accounts] == [
        None,
        {**first, "view_count": 31_200, "like_count": -4, "share_count": 0},
    ]
    assert header[-1] == "changes"
    assert [row[-1] for row in rows] == [
        "-",
        "since 2026-05-23T12:00:00Z: 3 pinned, 1 unpinned, view_count +31200, like_count -4, share_count +0",
    ]


def test_a_comparison_without_any_past_has_no_column_for_it() -> None:
    outcomes = [Outcome(name, answer=answer(name, changes=None)) for name in ("nasa", "esa")]

    assert "changes" not in comparison_text(compared(outcomes, "view_count"))
