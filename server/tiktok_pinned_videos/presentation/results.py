"""The structured result of `get_pinned_videos`: TikTok's names and meanings, ids as strings, absent values absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from tiktok_pinned_videos.research.fields import COUNTS, ENGAGEMENT_OF
from tiktok_pinned_videos.research.models import Video
from tiktok_pinned_videos.service.service import Answer

from .changes import ChangesOut, changes_out
from .notes import SANDBOX, clipping_notes, missing_notes, untrusted_notes
from .statistics import Out, Statistics, VideoLink
from .times import iso
from .untrusted import Clipping, Phrase, Prose, UntrustedJSON

Source = Literal["tiktok_research_api", "sandbox"]


class HashtagOut(Out):
    """One entry of `hashtag_info_list`."""

    hashtag_id: str | None = None
    hashtag_description: Prose | None = None
    hashtag_name: Phrase | None = None


class LabelOut(BaseModel):
    """`video_label`: five documented keys, and any others TikTok adds."""

    model_config = ConfigDict(extra="allow")
    # The documented way to type unknown keys.
    __pydantic_extra__: dict[Phrase, UntrustedJSON]  # pyright: ignore[reportIncompatibleVariableOverride] - may be None there

    type: int | None = None
    content: Prose | None = None
    vote: bool | None = None
    warn: bool | None = None
    sink: bool | None = None


class _VideoFacts(VideoLink):
    create_time: str | None = None
    username: Phrase | None = None
    region_code: Phrase | None = None
    video_description: Prose | None = None
    music_id: str | None = None
    video_duration: int | None = None


class VideoOut(Statistics, _VideoFacts):
    """One video."""

    hashtag_names: list[Phrase] | None = None
    hashtag_info_list: list[HashtagOut] | None = None
    video_mention_list: list[Phrase] | None = None
    video_label: LabelOut | None = None
    is_stem_verified: bool | None = None
    sticker_info_list: UntrustedJSON = None
    effect_info_list: UntrustedJSON = None
    video_tag: UntrustedJSON = None


class _NumberOfVideos(Out):
    videos: int


class Totals(Statistics, _NumberOfVideos):
    """Sums over an account's pinned videos, as far as TikTok sent the counts."""


class AccountAnswer(Out):
    """The whole structured result."""

    username: Phrase
    status: Literal["found", "nothing_pinned"]
    source: Source
    retrieved_at: str
    cached: bool
    log_id: Phrase | None = None
    notes: list[str]
    totals: Totals
    changes: ChangesOut | None = None
    videos: list[VideoOut]

    def as_json(self) -> dict[str, Any]:
        """JSON-ready, without values that TikTok did not send."""
        return self.model_dump(mode="json", exclude_none=True)


def account_answer(answer: Answer, *, whole: bool = False) -> AccountAnswer:
    """Return the structured result of one account. `whole`: do not clip texts (for people and files)."""
    clipping = Clipping(whole=whole)
    snapshot = answer.snapshot
    result = AccountAnswer.model_validate(
        {
            "username": snapshot.username,
            "status": snapshot.status,
            "source": source_of(sandbox=snapshot.sandbox),
            "retrieved_at": iso(snapshot.retrieved_at),
            "cached": answer.cached,
            "log_id": snapshot.log_id,
            "totals": totals_of(snapshot.videos),
            "changes": changes_out(answer.changes),
            "videos": [
                {**video_json(snapshot.username, video), "engagement_rate": engagement_rate(video)}
                for video in snapshot.videos
            ],
            "notes": [],
        },
        context=clipping,
    )
    result.notes = _notes(answer, clipped=clipping.happened)
    return result


def totals_of(videos: Sequence[Video]) -> Totals:
    """Return the sums over the videos that have a value, and the rate over the videos that have all four counts."""
    sums = {
        name: sum(known)
        for name in COUNTS
        if (known := [value for video in videos if (value := getattr(video, name)) is not None])
    }
    rated = [video for video in videos if engagement_rate(video) is not None]
    views = sum(video.view_count or 0 for video in rated)
    acts = sum(getattr(video, name) for video in rated for name in ENGAGEMENT_OF)
    return Totals(videos=len(videos), engagement_rate=round(acts / views, 4) if views else None, **sums)


def engagement_rate(video: Video) -> float | None:
    """(likes + comments + shares) / views to four digits, where all four are known and there are views."""
    acts = [getattr(video, name) for name in ENGAGEMENT_OF]
    if video.view_count is None or video.view_count <= 0 or None in acts:
        return None
    return round(sum(acts) / video.view_count, 4)


def video_url(username: str, video_id: str) -> str:
    """The public page of a video."""
    return f"https://www.tiktok.com/@{quote(username, safe='')}/video/{video_id}"


def source_of(*, sandbox: bool) -> Source:
    """Return the source of an answer."""
    return "sandbox" if sandbox else "tiktok_research_api"


def video_json(username: str, video: Video) -> dict[str, Any]:
    """Return the values of a video that TikTok sent, with its page and the time in ISO 8601."""
    values = video.as_json()
    if video.create_time is not None:
        values["create_time"] = iso(video.create_time)
    return {**values, "url": video_url(username, video.id)}


def _notes(answer: Answer, *, clipped: bool) -> list[str]:
    snapshot = answer.snapshot
    notes = [SANDBOX] if snapshot.sandbox else []
    if snapshot.videos:
        notes += untrusted_notes(snapshot.videos, snapshot.fields) + missing_notes(snapshot.videos, snapshot.fields)
    if clipped:
        notes += clipping_notes(f"tiktok://pinned/{quote(snapshot.username, safe='')}" if answer.stored else None)
    return notes + ([answer.quota_note] if answer.quota_note else [])
