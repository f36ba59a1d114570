"""The text channel's shorter forms: nothing is lost in them, and nothing foreign can be taken for a mark of ours."""

from __future__ import annotations

from typing import Any

import pytest

from tiktok_pinned_videos.presentation.results import account_answer
from tiktok_pinned_videos.presentation.text import account_text
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Snapshot, video_from_item
from tiktok_pinned_videos.service.service import Answer


def row(item: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The cells of the one video's row by their headings, and the lines below the table."""
    snapshot = Snapshot("nasa", NAMES, (video_from_item({"id": 1, **item}, NAMES),), 1_780_315_200.0, None, False)
    lines = account_text(account_answer(Answer(snapshot, False, 1))).splitlines()
    headings = next(place for place, line in enumerate(lines) if line.startswith("https://"))
    cells = next(line for line in lines[headings + 1 :] if line.startswith("1"))
    return dict(zip(lines[headings].split("\t"), cells.split("\t"), strict=True)), lines[headings + 2 :]


def test_a_hashtags_details_name_their_keys_once() -> None:
    tags = [
        {"hashtag_id": 15, "hashtag_name": "baking", "hashtag_description": "Bread; and more."},
        {"hashtag_id": 16, "hashtag_name": "oven door", "hashtag_description": ""},
        {"hashtag_name": "a;b"},
    ]
    cells, below = row({"hashtag_info_list": tags, "hashtag_names": ["baking", "oven door", "crumb"]})

    assert cells["hashtag_info_list: id name description"] == '15 baking "Bread; and more."; 16 "oven door"; ? "a;b" ?'
    assert cells["more hashtags"] == "crumb"
    assert "? = not sent by TikTok" in below


def test_a_label_names_its_keys_once_and_what_is_new_in_it_with_its_own() -> None:
    label = {"type": 2, "content": "Made by ?", "warn": True, "sink": False, "new": ["x"]}
    cells, below = row({"video_label": label})

    assert cells["video_label: type content vote warn sink"] == '2 "Made by ?" ? true false {"new":["x"]}'
    assert "? = not sent by TikTok" in below


@pytest.mark.parametrize(
    ("field", "value", "cell"),
    [
        ("region_code", "?", '"?"'),
        ("region_code", "DE", "DE"),
        ("video_mention_list", ["?", "-", "esa"], '"?" "-" esa'),
        ("video_mention_list", [], "-"),
        ("hashtag_info_list", [], "-"),
        ("video_description", "?", '"?"'),
    ],
)
def test_a_text_that_reads_like_a_mark_of_ours_is_quoted(field: str, value: object, cell: str) -> None:
    cells, below = row({field: value})

    assert cells[next(name for name in cells if name.startswith(field))] == cell
    assert "? = not sent by TikTok" not in below


@pytest.mark.parametrize(
    ("text", "tags", "more"),
    [
        ("bread #baking", ["baking"], "-"),
        ("bread #baking, #oven!", ["baking", "oven"], "-"),
        ("#a#b", ["a", "b"], "-"),
        ("#bakingbread", ["baking"], "baking"),
        ("#Baking", ["baking"], "baking"),
        ("#fire\U0001f525", ["fire"], "fire"),
        ("#\u0939\u093f\u0928\u094d\u0926\u0940 x", ["\u0939"], "\u0939"),
        ("#\u0939\u093f\u0928\u094d\u0926\u0940 x", ["\u0939\u093f\u0928\u094d\u0926\u0940"], "-"),
        ("#bakery #bake", ["bake"], "-"),
        ("x" * 292 + " #baking", ["bak"], "bak"),
        ("x" * 294 + " #bakery", ["bake"], "bake"),
        ("no tag: baking", ["baking"], "baking"),
    ],
)
def test_a_hashtag_is_left_out_only_if_the_text_as_shown_holds_exactly_it(
    text: str, tags: list[str], more: str
) -> None:
    cells, _ = row({"video_description": text, "hashtag_names": tags})

    assert cells["more hashtags"] == more
