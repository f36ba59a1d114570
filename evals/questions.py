"""Questions people ask, the calls that answer them, and the right answers over the sandbox, which never change.

`derive` finds the answer in what the calls returned and in nothing else. Add new questions at the end. After a change
of the sandbox, a failing `tests/unit/test_evals.py` lists the answers that are different now.
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
    """One question and how its answer is found."""

    ask: str
    calls: tuple[Call, ...]
    answer: str
    derive: Callable[[Sequence[Reading]], object]


def get(username: str, *fields: str, refresh: bool = False) -> Call:
    """A call about one account."""
    arguments: dict[str, Any] = {"username": username} | ({"fields": list(fields)} if fields else {})
    return "get_pinned_videos", arguments | ({"refresh": True} if refresh else {})


def compare(*usernames: str, by: str = "view_count") -> Call:
    """A call about several accounts."""
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


def _note(pattern: str) -> Callable[[Sequence[Reading]], object]:
    """What the pattern's group matches in the first note that has it."""
    return lambda read: next(found[1] for each in read[0]["notes"] if (found := re.search(pattern, each)))


def _unchanged(read: Sequence[Reading]) -> bool:
    changes = {name: value for name, value in read[-1]["changes"].items() if name != "since"}
    return changes.get("unchanged", not any(changes.values()))


def _outside_caption(read: Sequence[Reading]) -> str:
    video = read[0]["videos"][0]
    return ", ".join(name for name in video["hashtag_names"] if f"#{name}" not in video["video_description"])


def _best_video(what: str, name: str) -> Callable[[Sequence[Reading]], object]:
    """Of the accounts' top videos: `what` of the one with the most of `name`."""
    return lambda read: max(
        (one["top_video"] for one in read[0]["accounts"] if "top_video" in one), key=lambda top: top[name]
    )[what]


FIVE = ("nasa", "esa", "slow_travel", "corner_bakery", "kitchen_lab")

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
        "nasa",
        lambda read: _order(read).split(", ")[0],
    ),
    Question(
        "Order @slow_travel, @esa and @nasa by the likes of their pinned videos, most first, separated by commas.",
        (compare("slow_travel", "esa", "nasa", by="like_count"),),
        "slow_travel, nasa, esa",
        _order,
    ),
    Question(
        f"Whose pinned videos are seen least: {', '.join(FIVE)}?",
        (compare(*FIVE),),
        "kitchen_lab",
        lambda read: _order(read).split(", ")[-1],
    ),
    Question(
        "How many pinned videos have @nasa, @esa and @rain_studio together?",
        (compare("nasa", "esa", "rain_studio"),),
        "7",
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
        "@sandbox_quota reports a used-up quota: for this account only, or for all? One word: one or all.",
        (get("sandbox_quota"),),
        "one",
        lambda read: "one" if "this account only" in read[0]["error"] else "all",
    ),
    Question('What is the status for the name "not a name"?', (get("not a name"),), "invalid_argument", _status),
    # Unknown, and traps
    Question(
        "How many favorites has @corner_bakery's video 7215890311404130269? A number, or unknown.",
        (get("corner_bakery"),),
        "unknown",
        lambda read: _video(read, "7215890311404130269").get("favorites_count", "unknown"),
    ),
    Question(
        "Over how many videos is @kitchen_lab's total of favorites?",
        (get("kitchen_lab"),),
        "2",
        _note(r"favorites_count covers (\d+)"),
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
    # Found hard when a model tried it with the definitions alone
    Question(
        "Has anything changed on @esa between two answers of today? yes or no.",
        (get("esa"), get("esa", refresh=True)),
        "no",
        lambda read: "no" if _unchanged(read) else "yes",
    ),
    Question(
        "What is the engagement rate of @esa's pinned videos together in percent, with two decimals?",
        (get("esa"),),
        "10.73",
        lambda read: f"{read[0]['totals']['engagement_rate'] * 100:.2f}",
    ),
    Question(
        "Which hashtags of @kitchen_lab's first pinned video are not in its caption? Separated by commas.",
        (get("kitchen_lab"),),
        "firsttry",
        _outside_caption,
    ),
    Question(
        "Compare @nasa, @sandbox_missing, @sandbox_private and @sandbox_broken: for which can asking again help?",
        (compare("nasa", "sandbox_missing", "sandbox_private", "sandbox_broken"),),
        "sandbox_broken",
        _note(r"asking again later can help for @(\w+)\."),
    ),
    Question(
        "Which video is missing in @corner_bakery's total of favorites? Its id.",
        (get("corner_bakery"),),
        "7215890311404130269",
        _note(r"favorites_count .*TikTok sent no value for (\d+)"),
    ),
    Question(
        "Which pinned video of @nasa, @esa and @rain_studio has the most comments? Its id.",
        (compare("nasa", "esa", "rain_studio", by="comment_count"),),
        "7298740294892660705",
        _best_video("id", "comment_count"),
    ),
    Question(
        "The address of the most shared pinned video of @esa and @rain_studio?",
        (compare("esa", "rain_studio", by="share_count"),),
        "https://www.tiktok.com/@esa/video/7335859117227353665",
        _best_video("url", "share_count"),
    ),
    Question(
        "Which of @nasa, @sandbox_empty and @sandbox_missing exists but has nothing pinned?",
        (compare("nasa", "sandbox_empty", "sandbox_missing"),),
        "sandbox_empty",
        lambda read: ", ".join(one["username"] for one in read[0]["accounts"] if one["status"] == "nothing_pinned"),
    ),
    Question(
        "Which code does TikTok give for refusing @sandbox_private?",
        (get("sandbox_private"),),
        "invalid_params",
        lambda read: re.findall(r"TikTok: (\w+)", read[0]["error"])[0],
    ),
    Question(
        "Is the caption of @sandbox_hostile's longest pinned video shown whole? yes or no.",
        (get("sandbox_hostile"),),
        "no",
        lambda read: "no" if str(_top("video_duration", "video_description")(read)).endswith("…") else "yes",
    ),
)
