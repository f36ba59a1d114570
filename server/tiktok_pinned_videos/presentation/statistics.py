"""Base classes of the result models: the counts of a video or of several, in the order every result has them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Out(BaseModel):
    """A part of a result: only declared keys.

    Keys come in the order of the bases from right to left, then the class's own.
    """

    model_config = ConfigDict(extra="forbid")


class Counts(Out):
    """The five counts, as far as TikTok sent them."""

    view_count: int | None = None
    like_count: int | None = None
    comment_count: int | None = None
    share_count: int | None = None
    favorites_count: int | None = None


class Statistics(Counts):
    """The counts and the rate computed from them."""

    engagement_rate: float | None = None


class VideoLink(Out):
    """Id and public page of a video."""

    id: str
    url: str
