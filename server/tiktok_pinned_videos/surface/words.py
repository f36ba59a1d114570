"""The text channel: the same facts as the data, answer first, then a line per video, numbers exact."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.fields import COUNTS

from .answers import AccountAnswer, Source, VideoOut
from .changes import changes_text

UNKNOWN: Final = "?"
_HASHTAG: Final = re.compile(r"#(\w+)")
_HEADINGS: Final = {"hashtag_names": "more hashtag_names", "create_time": "create_time UTC"}
"""Most hashtags stand in the description already; said once, they cost half."""
_TOTALS: Final = (*COUNTS, "engagement_rate")
_TEXTS: Final = ("hashtag_names", "video_description")
_COLUMNS: Final = (
    "id",
    "create_time",
    "video_duration",
    *_TOTALS,
    *(
        name
        for name in VideoOut.model_fields
        if name not in ("id", "url", "create_time", "video_duration", *_TOTALS, *_TEXTS)
    ),
    *_TEXTS,
)
"""Numbers first, long texts last, so that rows line up."""
_SOURCES: Final[Mapping[Source, str]] = {"tiktok_research_api": "TikTok Research API", "sandbox": "SANDBOX"}


def account_text(answer: AccountAnswer) -> str:
    """One account in words."""
    count = len(answer.videos)
    pinned = "nothing pinned" if not count else f"{count} pinned video{'s' if count > 1 else ''}"
    facts = [_SOURCES[answer.source], answer.retrieved_at]
    if answer.cached:
        facts.append("cached")
    if answer.log_id:
        facts.append(f"log_id {answer.log_id}")
    lines = [f"@{answer.username}: {pinned} ({', '.join(facts)})"]
    if answer.videos:
        lines.append(f"url: {answer.videos[0].url.removesuffix(answer.videos[0].id)}{{id}}")
        lines += _rows(answer)
    if answer.changes:
        lines.append(changes_text(answer.changes))
    lines += [f"Note: {note}" for note in answer.notes]
    return "\n".join(lines)


def source_name(source: Source) -> str:
    """The source as it is told in words."""
    return _SOURCES[source]


def error_text(error: TikTokError) -> str:
    """`STATUS: what happened. What to do next. [TikTok code; log_id]`."""
    return f"{error.status}: {reason(error)}"


def reason(error: TikTokError) -> str:
    """What happened and what to do, with TikTok's references."""
    references = [part for part in (error.code, error.log_id and f"log_id {error.log_id}") if part]
    if error.sandbox:
        references.append("sandbox")
    suffix = f" [{'; '.join(references)}]" if references else ""
    what = error.what[:1].upper() + error.what[1:]
    return f"{what} {error.next_step}".rstrip() + suffix


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Tab-separated lines; a value TikTok did not send is a question mark, and said to be."""
    lines = ["\t".join(columns), *("\t".join(row) for row in rows)]
    if any(UNKNOWN in row for row in rows):
        lines.append(f"{UNKNOWN} = not sent by TikTok")
    return lines


def cell(value: Any) -> str:
    """One value as it stands in a table."""
    match value:
        case None:
            return UNKNOWN
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def quoted(text: str) -> str:
    """Foreign prose between quotation marks that it cannot close."""
    return json.dumps(text, ensure_ascii=False)


def _rows(answer: AccountAnswer) -> list[str]:
    videos = [video.model_dump(mode="json", exclude_none=True) for video in answer.videos]
    columns = [name for name in _COLUMNS if any(name in video for video in videos)]
    rows = [[_video_cell(name, video) for name in columns] for video in videos]
    totals = answer.totals.model_dump(exclude_none=True)
    if len(totals) > 1:
        total_row = "\t".join(["total", *(str(totals.get(name, "")) for name in columns[1:])])
        rows.insert(0, [total_row.rstrip("\t")])
    return table([_HEADINGS.get(name, name) for name in columns], rows)


def _video_cell(name: str, video: Mapping[str, Any]) -> str:
    value = video.get(name)
    if value is None:
        return UNKNOWN
    match name:
        case "video_description":
            return quoted(value)
        case "create_time":
            return value.removesuffix("Z").replace("T", " ")
        case "hashtag_names":
            in_description = set(_HASHTAG.findall(video.get("video_description", "")))
            return _names(tag for tag in value if tag not in in_description)
        case "video_mention_list":
            return _names(value)
        case _:
            return cell(value)


def _names(names: Iterable[str]) -> str:
    # Separated by blanks they stay readable one by one, as long as none has a blank inside.
    return " ".join(name if name and " " not in name else quoted(name) for name in names) or "-"
