"""The counts of a video, or of several together, as every result names and orders them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Out(BaseModel):
    """A part of a result: only what is declared.

    Keys come in the order of the bases from right to left, then the class's own: what precedes the counts is a base.
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
    """The counts and what is worked out from them."""

    engagement_rate: float | None = None


class VideoLink(Out):
    """Which video."""

    id: str
    url: str
