"""The text channel: every fact of the structured result, in columns whose names say what they hold."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kit.calls import account
from kit.upstream import EXAMPLE_VIDEOS
from tiktok_pinned_videos.presentation.notes import UNTRUSTED
from tiktok_pinned_videos.presentation.text import account_text, cell, error_text, failure_text, reason, table
from tiktok_pinned_videos.research.errors import NotFoundError, QuotaExceededError

FULL: dict[str, Any] = {
    "id": 7298412345678901249, "create_time": 1699370400, "username": "slow_oven", "region_code": "DE",
    "video_description": "Rye bread #baking #sourdough", "music_id": 7011223344556677889,
    "like_count": 902311, "comment_count": 11873, "share_count": 20114, "view_count": 11904822,
    "favorites_count": 214905, "hashtag_names": ["baking", "sourdough", "two words"],
    "hashtag_info_list": [{"hashtag_id": 1599000000000123, "hashtag_name": "baking", "hashtag_description": "Bread."}],
    "video_mention_list": ["@oma_erna"],
    "video_label": {"type": 0, "content": "AI", "vote": False, "warn": True, "sink": False, "more": 5},
    "video_duration": 58, "is_stem_verified": False, "sticker_info_list": [{"sticker_id": 5}],
    "effect_info_list": {"effect": "E"}, "video_tag": "tagged",
}  # fmt: skip


def leaves(value: object) -> list[object]:
    """Every value in it that is neither a list nor an object."""
    match value:
        case dict():
            return [leaf for item in value.values() for leaf in leaves(item)]
        case list():
            return [leaf for item in value for leaf in leaves(item)]
        case _:
            return [value]


def rows(text: str) -> list[dict[str, str]]:
    """The table of an answer, one dict per video or total."""
    lines = [line.split("\t") for line in text.splitlines() if "\t" in line]
    return [dict(zip(lines[0], cells, strict=cells[0] != "total")) for cells in lines[1:]]


def row(item: dict[str, Any]) -> dict[str, str]:
    """The cells of one video, which has these values."""
    return rows(account_text(account({"id": 1, **item})))[-1]


def test_the_text_has_every_fact_of_the_structured_result() -> None:
    result = account(FULL, dict(FULL, id=2, video_description='Says "quote"\tand #baking'))
    data, text = result, account_text(result)
    values = [
        leaf for video in data["videos"] for name, value in video.items() if name != "url" for leaf in leaves(value)
    ]
    shown = {str(value).lower() if isinstance(value, bool) else str(value) for value in values}
    shown |= {str(value) for name, value in data["totals"].items() if name != "videos"}
    written = {"2023-11-07T15:20:00Z": "2023-11-07 15:20:00", 'Says "quote" and #baking': r"Says \"quote\" and #baking"}

    assert [value for value in shown if written.get(value, value) not in text] == []
    assert "url: https://www.tiktok.com/@nasa/video/{id}" in text.splitlines()


def test_the_answer_comes_first_then_the_warning_then_one_line_per_video() -> None:
    lines = account_text(account(FULL, *EXAMPLE_VIDEOS, cached=True)).splitlines()

    assert lines[0] == "@nasa: 4 pinned videos (TikTok 2026-11-22T11:20:00Z; cached; log_id L0G)"
    assert lines[1] == UNTRUSTED
    assert lines[2].startswith("id\tview_count\tlike_count\t")
    assert [line.partition("\t")[0] for line in lines[3:8]] == [
        "total",
        *(str(v["id"]) for v in (FULL, *EXAMPLE_VIDEOS)),
    ]


def test_nothing_pinned_is_one_line() -> None:
    assert account_text(account()) == "@nasa: nothing pinned (TikTok 2026-11-22T11:20:00Z; log_id L0G)"


def test_hashtags_in_the_caption_are_left_out_and_the_heading_says_so() -> None:
    video = {"id": 1, "video_description": "bread #baking", "hashtag_names": ["baking", "oven", "none"]}

    assert row(video)["hashtags not in caption"] == 'oven "none"'
    assert row(video | {"hashtag_names": ["baking"]})["hashtags not in caption"] == "none"
    assert row({"hashtag_names": ["baking"]})["hashtags"] == "baking"


def test_a_hashtag_is_left_out_only_if_the_caption_has_exactly_that_one() -> None:
    for text, tag in (
        ("#bakingbread", "baking"), ("#Baking", "baking"), ("#fire\U0001f525", "fire"),
        ("x" * 294 + " #baking", "bak"), ("no tag: baking", "baking"),
    ):  # fmt: skip
        assert row({"video_description": text, "hashtag_names": [tag]})["hashtags not in caption"] == tag


def test_the_keys_of_hashtags_and_labels_are_in_the_heading_once() -> None:
    tags = [
        {"hashtag_id": 15, "hashtag_name": "baking", "hashtag_description": "Bread; and more."},
        {"hashtag_id": 16, "hashtag_name": "oven door", "hashtag_description": ""},
        {"hashtag_name": "a;b"},
    ]
    label = {"type": 2, "content": "Made by ?", "warn": True, "sink": False, "new": ["x"]}
    cells = row({"hashtag_info_list": tags, "video_label": label})

    assert cells["hashtag_info_list: id name description"] == '15 baking "Bread; and more."; 16 "oven door"; ? "a;b" ?'
    assert cells["video_label: type content vote warn sink"] == '2 "Made by ?" ? true false {"new":["x"]}'


def test_a_text_that_looks_like_one_of_our_marks_is_quoted() -> None:
    for text in ("?", "-", "none", '"?"', "what ? now"):
        _, written, *legend = table(["region_code"], [[cell(text)]])

        assert (json.loads(written), legend) == (text, [])


def test_a_value_that_was_not_sent_is_a_question_mark_with_a_legend() -> None:
    text = account_text(account({"id": 1, "region_code": "DE", "video_description": "why?"}, {"id": 2}))

    assert [cells["region_code"] for cells in rows(text)] == ["DE", "?"]
    assert "? = not sent by TikTok" in text.splitlines()


@given(st.text(), st.lists(st.text()))
def test_no_text_of_a_user_makes_a_line_or_a_cell_of_its_own(caption: str, tags: list[str]) -> None:
    plain = account_text(account({"id": 1, "video_description": "a", "hashtag_names": ["b"], "region_code": "c"}))
    text = account_text(
        account({"id": 1, "video_description": caption, "hashtag_names": ["b", *tags], "region_code": caption})
    )
    notes = ("Long texts were cut", "? = not sent")
    lines = [line for line in text.splitlines() if not line.startswith(notes)]

    assert [line.count("\t") for line in lines] == [line.count("\t") for line in plain.splitlines()]


def test_an_error_has_status_account_reason_and_tiktoks_own_code() -> None:
    error = NotFoundError("no such account.", next_step="Check it.", code="invalid_params", log_id="L1")

    assert (
        error_text(error, "nasa") == "not_found: @nasa: No such account. Check it. [TikTok: invalid_params; log_id L1]"
    )
    assert failure_text("nasa", "not_found", reason(error)) == error_text(error, "nasa")
    assert failure_text("@@nasa", "invalid_argument", "X.") == "invalid_argument: @@nasa: X."
    assert reason(NotFoundError("gone.", next_step="", sandbox=True)) == "Gone. [sandbox]"


def test_a_failure_of_every_account_is_not_said_of_one_unless_the_sandbox_simulates_it() -> None:
    assert not error_text(QuotaExceededError("spent."), "nasa").startswith("quota_exceeded: @nasa")
    assert error_text(QuotaExceededError("spent.", sandbox=True), "nasa").startswith("quota_exceeded: @nasa: ")
