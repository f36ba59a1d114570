"""A reply of TikTok in the form that the parser reads, without a socket."""

from __future__ import annotations

import pytest

from kit.upstream import Reply, videos
from tiktok_pinned_videos.research import errors, refusals, wire
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Video


def parsed(reply: Reply) -> tuple[Video, ...]:
    """The videos of a reply, all of their fields asked for."""
    return wire.parse_pinned_videos(refusals.Reply(reply.status, reply.body), NAMES)[0]


def parsed_list(items: object, key: str = "pinned_videos_list") -> tuple[Video, ...]:
    """The videos of a good reply that holds `items` as its list."""
    return parsed(videos(items, key=key))


def failure(reply: Reply) -> errors.TikTokError:
    """The error that a reply is."""
    with pytest.raises(errors.TikTokError) as caught:
        parsed(reply)
    return caught.value
