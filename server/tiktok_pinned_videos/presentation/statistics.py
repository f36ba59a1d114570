"""Parts of results that several of them have, in the order of their keys. A value that is not known has no key."""

from __future__ import annotations

from typing_extensions import TypedDict


class Counts(TypedDict, total=False):
    """The five counts, as far as TikTok sent them."""

    view_count: int
    like_count: int
    comment_count: int
    share_count: int
    favorites_count: int


class Statistics(Counts, total=False):
    """The counts and the rate computed from them."""

    engagement_rate: float


class VideoLink(TypedDict):
    """Id and public page of a video."""

    id: str
    url: str
