"""The structured result of `get_pinned_videos`: TikTok's names and meanings, ids as strings, absent values absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NotRequired, cast
from urllib.parse import quote

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from tiktok_pinned_videos.research.fields import COUNTS, ENGAGEMENT_OF
from tiktok_pinned_videos.research.models import Video
from tiktok_pinned_videos.service.service import Answer

from .changes import ChangesOut, changes_out
from .notes import SANDBOX, clipping_notes, missing_notes, untrusted_notes
from .statistics import Statistics, VideoLink
from .times import iso
from .untrusted import Clipping, Phrase, Prose, UntrustedJSON, UntrustedLabel

Source = Literal["tiktok_research_api", "sandbox"]


class HashtagOut(TypedDict, total=False):
    """One entry of `hashtag_info_list`."""

    hashtag_id: str
    hashtag_description: Prose
    hashtag_name: Phrase


class _VideoFacts(TypedDict, total=False):
    create_time: str
    username: Phrase
    region_code: Phrase
    video_description: Prose
    music_id: str
    video_duration: int


class VideoOut(VideoLink, _VideoFacts, Statistics, total=False):
    """One video."""

    hashtag_names: list[Phrase]
    hashtag_info_list: list[HashtagOut]
    video_mention_list: list[Phrase]
    video_label: UntrustedLabel
    is_stem_verified: bool
    sticker_info_list: UntrustedJSON
    effect_info_list: UntrustedJSON
    video_tag: UntrustedJSON


class _NumberOfVideos(TypedDict):
    videos: int


class Totals(_NumberOfVideos, Statistics):
    """Sums over an account's pinned videos, as far as TikTok sent the counts."""


class AccountAnswer(TypedDict):
    """The whole structured result."""

    username: Phrase
    status: Literal["found", "nothing_pinned"]
    source: Source
    retrieved_at: str
    cached: bool
    log_id: NotRequired[Phrase]
    notes: list[str]
    totals: Totals
    changes: NotRequired[ChangesOut]
    videos: list[VideoOut]


_ANSWER: Final = TypeAdapter(AccountAnswer)


def account_answer(answer: Answer, *, whole: bool = False) -> AccountAnswer:
    """Return the structured result of one account. `whole`: do not clip texts (for people and files)."""
    clipping = Clipping(whole=whole)
    snapshot = answer.snapshot
    result = _ANSWER.validate_python(
        {
            "username": snapshot.username,
            "status": snapshot.status,
            "source": source_of(sandbox=snapshot.sandbox),
            "retrieved_at": iso(snapshot.retrieved_at),
            "cached": answer.cached,
            **({"log_id": snapshot.log_id} if snapshot.log_id else {}),
            "totals": totals_of(snapshot.videos),
            **({"changes": changes_out(answer.changes)} if answer.changes else {}),
            "videos": videos_json(snapshot.username, snapshot.videos, rated=True),
            "notes": [],
        },
        context=clipping,
    )
    result["notes"] = _notes(answer, clipped=clipping.happened)
    return result


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


def videos_json(username: str, videos: Sequence[Video], *, rated: bool = False) -> list[dict[str, Any]]:
    """Return the values that TikTok sent, with each video's page, the time in ISO 8601 and, if `rated`, the rate."""
    page = video_url(username, "")
    return [
        {
            **video,
            **({"create_time": iso(video["create_time"])} if "create_time" in video else {}),
            **({"engagement_rate": rate} if rated and (rate := engagement_rate(video)) is not None else {}),
            "url": page + video["id"],
        }
        for video in videos
    ]


def _notes(answer: Answer, *, clipped: bool) -> list[str]:
    snapshot = answer.snapshot
    notes = [SANDBOX] if snapshot.sandbox else []
    if snapshot.videos:
        notes += untrusted_notes(snapshot.videos, snapshot.fields) + missing_notes(snapshot.videos, snapshot.fields)
    if clipped:
        notes += clipping_notes(f"tiktok://pinned/{quote(snapshot.username, safe='')}" if answer.stored else None)
    return notes + ([answer.quota_note] if answer.quota_note else [])
