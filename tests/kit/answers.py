"""Structured results without a server: the result for videos as TikTok sends them."""

from __future__ import annotations

from typing import Any

from tiktok_pinned_videos.presentation.results import AccountAnswer, account_answer
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Snapshot, video_from_item
from tiktok_pinned_videos.service.service import Answer


def answer(*items: dict[str, Any], fields: tuple[str, ...] = NAMES, **changes: Any) -> Answer:
    """What the service returns for an account whose pinned videos TikTok sent like this."""
    facts: dict[str, Any] = {
        "username": "nasa", "fields": fields, "videos": tuple(video_from_item(item, fields) for item in items),
        "retrieved_at": 1_795_346_400.0, "log_id": "L0G", "sandbox": False,
    }  # fmt: skip
    around: dict[str, Any] = {"cached": False, "requests": 1}
    for name, value in changes.items():
        (facts if name in facts else around)[name] = value
    return Answer(Snapshot(**facts), **around)


def account(*items: dict[str, Any], **changes: Any) -> AccountAnswer:
    """The structured result of that answer."""
    return account_answer(answer(*items, **changes))
