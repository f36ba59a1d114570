"""The structured result of `get_pinned_videos`: TikTok's names and meanings, ids as strings, absent values absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, cast
from urllib.parse import quote

from typing_extensions import TypedDict

from tiktok_pinned_videos.research.fields import COUNTS, ENGAGEMENT_OF
from tiktok_pinned_videos.research.models import HashtagInfo, Video
from tiktok_pinned_videos.service.service import Answer

from .changes import ChangesOut, changes_out
from .notes import SANDBOX, clipping_notes, missing_notes, untrusted_notes
from .statistics import Statistics, VideoLink
from .times import iso
from .untrusted import Clipper

Source = Literal["tiktok_research_api", "sandbox"]


class _VideoFacts(TypedDict, total=False):
    create_time: str
    username: str
    region_code: str
    video_description: str
    music_id: str
    video_duration: int


class VideoOut(VideoLink, _VideoFacts, Statistics, total=False):
    """One video."""

    hashtag_names: list[str]
    hashtag_info_list: list[HashtagInfo]
    video_mention_list: list[str]
    video_label: dict[str, Any]
    is_stem_verified: bool
    sticker_info_list: Any
    effect_info_list: Any
    video_tag: Any


class _NumberOfVideos(TypedDict):
    videos: int


class Totals(_NumberOfVideos, Statistics):
    """Sums over an account's pinned videos, as far as TikTok sent the counts."""


class AccountAnswer(TypedDict):
    """The whole structured result."""

    username: str
    status: Literal["found", "nothing_pinned"]
    source: Source
    retrieved_at: str
    cached: bool
    log_id: NotRequired[str]
    notes: list[str]
    totals: Totals
    changes: NotRequired[ChangesOut]
    videos: list[VideoOut]


def account_answer(answer: Answer, *, whole: bool = False) -> AccountAnswer:
    """Return the structured result of one account. `whole`: do not clip texts (for people and files)."""
    clipper = Clipper(whole=whole)
    snapshot = answer.snapshot
    videos = videos_json(snapshot.username, [clipper.video(video) for video in snapshot.videos], rated=True)
    log_id = clipper.text(snapshot.log_id) if snapshot.log_id else None
    result = {
        "username": snapshot.username,
        "status": snapshot.status.value,
        "source": source_of(sandbox=snapshot.sandbox),
        "retrieved_at": iso(snapshot.retrieved_at),
        "cached": answer.cached,
        **({"log_id": log_id} if log_id else {}),
        "notes": _notes(answer, clipped=clipper.clipped),
        "totals": totals_of(snapshot.videos),
        **({"changes": changes_out(answer.changes)} if answer.changes else {}),
        "videos": videos,
    }
    return cast("AccountAnswer", result)


def totals_of(videos: Sequence[Video]) -> Totals:
    """Return the sums over the videos that have a value, and the rate over the videos that have all four counts."""
    totals: dict[str, Any] = {"videos": len(videos)}
    for name in COUNTS:
        if known := [count for video in videos if (count := video.get(name)) is not None]:
            totals[name] = sum(known)
    if rated := [video for video in videos if _has_rate(video)]:
        totals["engagement_rate"] = _rate(rated)
    return cast("Totals", totals)


def engagement_rate(video: Video) -> float | None:
    """(likes + comments + shares) / views to four digits, where all four are known and there are views."""
    return _rate([video]) if _has_rate(video) else None


def _has_rate(video: Video) -> bool:
    return video.get("view_count", 0) > 0 and video.keys() >= {*ENGAGEMENT_OF}


def _rate(videos: Sequence[Video]) -> float:
    acts = sum([video.get(name) or 0 for video in videos for name in ENGAGEMENT_OF])
    return round(acts / sum([video.get("view_count", 0) for video in videos]), 4)


def video_url(username: str, video_id: str) -> str:
    """The public page of a video."""
    return f"https://www.tiktok.com/@{quote(username, safe='')}/video/{video_id}"


def source_of(*, sandbox: bool) -> Source:
    """Return the source of an answer."""
    return "sandbox" if sandbox else "tiktok_research_api"


def videos_json(username: str, videos: Sequence[Video], *, rated: bool = False) -> list[VideoOut]:
    """Return the values that TikTok sent, with each video's page, the time in ISO 8601 and, if `rated`, the rate."""
    page = video_url(username, "")
    found = [
        {
            "id": video["id"],
            "url": page + video["id"],
            **video,
            **({"create_time": iso(video["create_time"])} if "create_time" in video else {}),
            **({"engagement_rate": rate} if rated and (rate := engagement_rate(video)) is not None else {}),
        }
        for video in videos
    ]
    return cast("list[VideoOut]", found)


def _notes(answer: Answer, *, clipped: bool) -> list[str]:
    snapshot = answer.snapshot
    notes = [SANDBOX] if snapshot.sandbox else []
    if snapshot.videos:
        notes += untrusted_notes(snapshot.videos, snapshot.fields) + missing_notes(snapshot.videos, snapshot.fields)
    if clipped:
        notes += clipping_notes(f"tiktok://pinned/{quote(snapshot.username, safe='')}" if answer.stored else None)
    return notes + ([answer.quota_note] if answer.quota_note else [])
