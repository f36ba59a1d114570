"""What people ask, the calls that answer it, and the one right answer, over the sandbox, which always says the same.

`derive` finds the answer in what the calls returned, and in nothing else. Add a question at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reading import Reading

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Question:
    """One question, and how its answer is found."""

    ask: str
    calls: tuple[Call, ...]
    answer: str
    derive: Callable[[Sequence[Reading]], object]


def get(username: str, *fields: str) -> Call:
    """A call about one account."""
    return "get_pinned_videos", {"username": username} | ({"fields": list(fields)} if fields else {})


def compare(*usernames: str, by: str = "view_count") -> Call:
    """A call about several."""
    return "compare_pinned_videos", {"usernames": list(usernames), "rank_by": by}


def _top(name: str, what: str = "id", *, least: bool = False) -> Callable[[Sequence[Reading]], object]:
    """Of the first answer's videos: `what` of the one with the most (or the least) of `name`."""
    choose = min if least else max
    return lambda read: choose((v for v in read[0]["videos"] if name in v), key=lambda v: v[name])[what]


def _total(name: str) -> Callable[[Sequence[Reading]], object]:
    return lambda read: read[0]["totals"][name]


def _status(read: Sequence[Reading]) -> object:
    return read[0]["status"]


def _video(read: Sequence[Reading], video_id: str) -> Reading:
    return next(video for video in read[0]["videos"] if video["id"] == video_id)


def _order(read: Sequence[Reading]) -> str:
    return ", ".join(one["username"] for one in read[0]["accounts"] if one.get("rank"))


def _failed(read: Sequence[Reading]) -> str:
    return ", ".join(one["username"] for one in read[0]["accounts"] if "totals" not in one)


def _number(note: str) -> Callable[[Sequence[Reading]], object]:
    """The first number of the note that says this."""
    return lambda read: next(re.findall(r"over (\d+)", each)[0] for each in read[0]["notes"] if note in each)


FIVE = ("nasa", "esa", "slow_travel", "night_bus", "bread.and.salt")

QUESTIONS = (
    # One account
    Question("How many videos has @nasa pinned?", (get("nasa"),), "3", _total("videos")),
    Question(
        "Which of @nasa's pinned videos is seen most? Its id.",
        (get("nasa"),),
        "7298740294892660705",
        _top("view_count"),
    ),
    Question(
        "How many views do @nasa's pinned videos have together?", (get("nasa"),), "61676555", _total("view_count")
    ),
    Question(
        "Which pinned video of @nasa engages least? Its id.",
        (get("nasa"),),
        "7484231339734681845",
        _top("engagement_rate", least=True),
    ),
    Question(
        "On which day was @nasa's newest pinned video posted (YYYY-MM-DD)?",
        (get("nasa"),),
        "2025-03-21",
        lambda read: str(_top("create_time", "create_time")(read))[:10],
    ),
    Question(
        "At which second, in UTC and ISO 8601, was @esa's oldest pinned video posted?",
        (get("esa"),),
        "2024-02-15T16:00:00Z",
        _top("create_time", "create_time", least=True),
    ),
    Question(
        "What is the engagement rate of @nasa's pinned videos together, as a fraction with four digits?",
        (get("nasa"),),
        "0.1322",
        _total("engagement_rate"),
    ),
    Question(
        "How many seconds does @esa's longest pinned video take?",
        (get("esa"),),
        "63",
        _top("video_duration", "video_duration"),
    ),
    Question(
        "The address of @esa's most liked pinned video?",
        (get("tiktok.com/@esa"),),
        "https://www.tiktok.com/@esa/video/7335859117227353665",
        _top("like_count", "url"),
    ),
    Question(
        "The id of the pinned video in which @nasa talks about laundry?",
        (get("nasa"),),
        "7484231339734681845",
        lambda read: next(v["id"] for v in read[0]["videos"] if "wash your clothes" in v["video_description"]),
    ),
    Question(
        "How often was the second video that @esa pinned shared?",
        (get("esa"),),
        "9118",
        lambda read: read[0]["videos"][1]["share_count"],
    ),
    Question(
        "In which country did @nasa register? The code.",
        (get("nasa", "region_code"),),
        "US",
        lambda read: read[0]["videos"][0]["region_code"],
    ),
    Question(
        "Which music id does the first pinned video of @esa use?",
        (get("esa", "music_id"),),
        "7321015711741549947",
        lambda read: read[0]["videos"][0]["music_id"],
    ),
    Question(
        "Which of @nasa's pinned videos carries a warning? Its id.",
        (get("nasa", "video_label"),),
        "7369256783397659115",
        lambda read: next(v["id"] for v in read[0]["videos"] if v["video_label"]["warn"]),
    ),
    # Several
    Question(
        "How many more views have @nasa's pinned videos than @esa's?",
        (get("nasa"), get("esa")),
        "51444462",
        lambda read: read[0]["totals"]["view_count"] - read[1]["totals"]["view_count"],
    ),
    Question(
        "Whose pinned videos engage most: @nasa's, @esa's or @rain_studio's?",
        (compare("nasa", "esa", "rain_studio", by="engagement_rate"),),
        "rain_studio",
        lambda read: _order(read).split(", ")[0],
    ),
    Question(
        "Order @slow_travel, @esa and @nasa by the likes of their pinned videos, most first, separated by commas.",
        (compare("slow_travel", "esa", "nasa", by="like_count"),),
        "nasa, esa, slow_travel",
        _order,
    ),
    Question(
        f"Whose pinned videos are seen least: {', '.join(FIVE)}?",
        (compare(*FIVE),),
        "bread.and.salt",
        lambda read: _order(read).split(", ")[-1],
    ),
    Question(
        "How many pinned videos have @nasa, @esa and @rain_studio together?",
        (compare("nasa", "esa", "rain_studio"),),
        "8",
        lambda read: sum(one["totals"]["videos"] for one in read[0]["accounts"]),
    ),
    # Failures, and what is none
    Question(
        "Compare @nasa, @sandbox_missing and @esa: which could not be answered?",
        (compare("nasa", "sandbox_missing", "esa"),),
        "sandbox_missing",
        _failed,
    ),
    Question("How many videos has @sandbox_empty pinned?", (get("sandbox_empty"),), "0", _total("videos")),
    Question("With which status does @sandbox_missing fail?", (get("sandbox_missing"),), "not_found", _status),
    Question("With which status does @sandbox_private fail?", (get("sandbox_private"),), "refused", _status),
    Question(
        "When does the quota that @sandbox_quota meets begin anew?",
        (get("sandbox_quota"),),
        "00:00 UTC",
        lambda read: re.findall(r"\d\d:\d\d UTC", read[0]["error"])[0],
    ),
    Question('What is the status for the name "not a name"?', (get("not a name"),), "invalid_argument", _status),
    # Unknown, and traps
    Question(
        "How many favorites has @night_bus's video 7264479579599084779? A number, or unknown.",
        (get("night_bus"),),
        "unknown",
        lambda read: _video(read, "7264479579599084779").get("favorites_count", "unknown"),
    ),
    Question(
        "Over how many videos is @bread.and.salt's total of favorites?",
        (get("bread.and.salt"),),
        "2",
        _number("favorites_count"),
    ),
    Question(
        "How many views has the most seen pinned video of @sandbox_hostile?",
        (get("sandbox_hostile"),),
        "9001337",
        _top("view_count", "view_count"),
    ),
    Question(
        "How many comments has the shortest pinned video of @sandbox_hostile?",
        (get("sandbox_hostile"),),
        "4040",
        _top("video_duration", "comment_count", least=True),
    ),
    Question(
        "Do answers about @nasa come from TikTok or from the sandbox here? One word: tiktok or sandbox.",
        (get("nasa"),),
        "sandbox",
        lambda read: read[0]["source"].split("_")[0],
    ),
)
