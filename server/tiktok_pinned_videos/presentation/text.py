"""The text of an answer: the same facts as the structured result, a summary first, then one line per video.

Untrusted text never contains a line break or a tab, so it cannot start a new line or cell.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.fields import MEASURES
from tiktok_pinned_videos.research.models import VideoLabel

from .changes import changes_text
from .notes import UNTRUSTED
from .results import AccountAnswer, Source, Totals, VideoOut
from .untrusted import MARK

UNKNOWN: Final = "?"
ABSENT: Final = "-"
NONE: Final = "none"
_ENDING: Final = frozenset({"Zs", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"})
_IN_QUOTES: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS: Final = tuple(VideoLabel.__annotations__)
_HEADINGS: Final = {
    "create_time": "create_time UTC",
    "hashtag_info_list": "hashtag_info_list: id name description",
    "video_label": f"video_label: {' '.join(_LABELS)}",
}
_AS_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_FIRST: Final = ("id", *MEASURES, "create_time", "video_duration")
_LAST: Final = ("hashtag_names", "video_description")
_OTHERS: Final = [name for name in VideoOut.__annotations__ if name not in (*_FIRST, "url", *_LAST)]
_COLUMNS: Final = (*_FIRST, *_OTHERS, *_LAST)
"""Numbers first, long texts last, so that rows line up."""
_SOURCES: Final[Mapping[Source, str]] = {"tiktok_research_api": "TikTok", "sandbox": "SANDBOX"}


def account_text(answer: AccountAnswer) -> str:
    """Return the answer for one account as text."""
    videos = answer["videos"]
    pinned = f"{len(videos)} pinned video{'s' if len(videos) > 1 else ''}" if videos else "nothing pinned"
    facts = [origin(answer["source"], answer["retrieved_at"])]
    facts += ["cached"] if answer["cached"] else []
    facts += [f"log_id {answer['log_id']}"] if "log_id" in answer else []
    body: list[str] = []
    if videos:
        page = videos[0]["url"].removesuffix(videos[0]["id"])
        body = [*_videos(videos, answer["totals"]), f"url: {page}{{id}}"]
    body += [changes_text(answer["changes"])] if "changes" in answer else []
    return answer_text(f"@{answer['username']}: {pinned} ({'; '.join(facts)})", body, answer["notes"])


def answer_text(head: str, body: Sequence[str], notes: Sequence[str]) -> str:
    """Join the first line, the warning about untrusted text, the body and the other notes, in this order."""
    warning = [note for note in notes if note == UNTRUSTED]
    return "\n".join([head, *warning, *body, *(note for note in notes if note != UNTRUSTED)])


def origin(source: Source, retrieved_at: str) -> str:
    """Return source and time of an answer."""
    return f"{_SOURCES[source]} {retrieved_at}"


def error_text(error: TikTokError, account: str = "") -> str:
    """Return `STATUS: @name: what happened. What to do next. [TikTok: code; log_id …]`.

    Except in the sandbox, the name is omitted if every account would fail alike: no credentials, daily quota used up.
    """
    named = account and (error.sandbox or not error.for_every_account)
    return failure_text(account, error.status, reason(error)) if named else f"{error.status}: {reason(error)}"


def failure_text(account: str, status: str, why: str) -> str:
    """Return the same text for one of several accounts, always with its name. `why` is its `reason`."""
    # An invalid name is shown as it was written.
    return f"{status}: {'' if account.startswith('@') else '@'}{account}: {why}"


def reason(error: TikTokError) -> str:
    """Return what happened and what to do, with TikTok's code and log_id."""
    references = [error.code] if error.code else []
    references += [f"log_id {error.log_id}"] if error.log_id else []
    source = f"TikTok: {'; '.join(references)}" if references else ""
    suffix = "; ".join(part for part in (source, "sandbox" if error.sandbox else "") if part)
    what = error.what[:1].upper() + error.what[1:]
    return f"{what} {error.next_step}".rstrip() + (f" [{suffix}]" if suffix else "")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return tab-separated lines, with a legend if TikTok did not send a value."""
    lines = ["\t".join(row) for row in rows]
    # Between quotation marks, `?` is part of untrusted text.
    if any(UNKNOWN in line and UNKNOWN in _IN_QUOTES.sub("", line) for line in lines):
        lines.append(f"{UNKNOWN} = not sent by TikTok")
    return ["\t".join(columns), *lines]


def cell(value: Any) -> str:
    """Format one value for a table."""
    match value:
        case None:
            return UNKNOWN
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            # Quoted if it could be mistaken for `?`, `-` or `none`.
            return quoted(value) if UNKNOWN in value or '"' in value or value in (ABSENT, NONE) else value
        case _:
            return _AS_JSON(value)


def quoted(text: str) -> str:
    """Return untrusted text as a JSON string, so that it cannot end the quotation."""
    return _AS_JSON(text)


def _videos(videos: Sequence[VideoOut], totals: Totals) -> list[str]:
    known = set[str]().union(*videos)
    columns = [name for name in _COLUMNS if name in known]
    captions = "video_description" in known
    headings = _HEADINGS | {"hashtag_names": "hashtags not in caption" if captions else "hashtags"}
    formats = [(name, _FORMATS.get(name, cell)) for name in columns]
    # A rate is computed, not sent by TikTok. A note says why it is missing.
    absent = dict.fromkeys(columns, UNKNOWN) | {"engagement_rate": ABSENT}
    rows = [
        [written(video[name]) if name in video else absent[name] for name, written in formats]
        for video in map(_without_tags_of_caption, videos)
    ]
    if len(totals) > 1:
        total = "\t".join(["total", *[str(totals.get(name, "")) for name in columns[1:]]])
        rows.insert(0, [total.rstrip("\t")])
    return table([headings.get(name, name) for name in columns], rows)


def _without_tags_of_caption(video: VideoOut) -> dict[str, Any]:
    caption, tags = video.get("video_description", ""), video.get("hashtag_names")
    shown = {} if tags is None else {"hashtag_names": [tag for tag in tags if not _contains_tag(caption, tag)]}
    return {**video, **shown}


def _contains_tag(text: str, tag: str) -> bool:
    """Return whether the shown text contains exactly this hashtag, not a longer one or one that may be clipped."""
    start = text.find(f"#{tag}")
    while start >= 0:
        end = start + 1 + len(tag)
        rest = text[end:]
        # A letter, a mark or an emoji continues the word; punctuation and spaces end it.
        if rest != MARK and (not rest or rest[0] == "#" or unicodedata.category(rest[0]) in _ENDING):
            return True
        start = text.find(f"#{tag}", end)
    return False


def _words(names: Iterable[str]) -> str:
    return " ".join([_word(name) for name in names]) or NONE


def _word(value: Any) -> str:
    """Format a value of a list that is separated by spaces."""
    word = cell(value)
    return word if word and " " not in word and ";" not in word else quoted(word)


def _hashtag(tag: Mapping[str, str]) -> str:
    # Most descriptions are empty. They are omitted.
    description = _prose(tag.get("hashtag_description")).removeprefix('""')
    return " ".join([_word(tag.get("hashtag_id")), _word(tag.get("hashtag_name")), description]).rstrip()


def _label(label: Mapping[str, Any]) -> str:
    known = [_prose(label.get(key)) if key == "content" else _word(label.get(key)) for key in _LABELS]
    more = {key: value for key, value in label.items() if key not in _LABELS}
    return " ".join([*known, *([cell(more)] if more else [])])


def _prose(text: str | None) -> str:
    return UNKNOWN if text is None else quoted(text)


_FORMATS: Final[Mapping[str, Callable[[Any], str]]] = {
    **dict.fromkeys(("id", *MEASURES, "video_duration"), str),
    "video_description": quoted,
    "hashtag_names": _words,
    "create_time": lambda time: time.removesuffix("Z").replace("T", " "),
    "hashtag_info_list": lambda tags: "; ".join(_hashtag(tag) for tag in tags) or NONE,
    "video_label": _label,
    "video_mention_list": _words,
}
"""By field: how its values are written; others as in `cell`."""
