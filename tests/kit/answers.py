"""Answers of the tools without a server: what is told of videos as TikTok sends them, and every value in it."""

from __future__ import annotations

from typing import Any

from tiktok_pinned_videos.presentation.results import AccountAnswer, account_answer
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Snapshot, video_from_item
from tiktok_pinned_videos.service.service import Answer


def told(*items: dict[str, Any], fields: tuple[str, ...] = NAMES, **changes: Any) -> AccountAnswer:
    """What is told of an account whose pinned videos TikTok sent like this."""
    facts: dict[str, Any] = {
        "username": "nasa",
        "fields": fields,
        "videos": tuple(video_from_item(item, fields) for item in items),
        "retrieved_at": 1_795_346_400.0,
        "log_id": "L0G",
        "sandbox": False,
    }
    around: dict[str, Any] = {"cached": False, "requests": 1}
    for name, value in changes.items():
        (facts if name in facts else around)[name] = value
    return account_answer(Answer(Snapshot(**facts), **around))


def leaves(value: object) -> list[object]:
    """Whatever is no list and no object, in the order of the JSON."""
    match value:
        case dict():
            return [leaf for item in value.values() for leaf in leaves(item)]
        case list():
            return [leaf for item in value for leaf in leaves(item)]
        case _:
            return [value]
