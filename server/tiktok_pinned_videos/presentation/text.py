"""The text channel: the same facts as the data, answer first, then a line per video, numbers exact.

No text from outside holds a line break, so every line begins with a word of ours and needs no mark that says so.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.fields import COUNTS

from .changes import changes_text
from .results import AccountAnswer, LabelOut, Source, VideoOut
from .untrusted import MARK

UNKNOWN: Final = "?"
_ENDING: Final = frozenset({"Zs", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"})
_IN_QUOTES: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS: Final = tuple(LabelOut.model_fields)
_HEADINGS: Final = {
    "hashtag_names": "more hashtags",
    "create_time": "create_time UTC",
    "hashtag_info_list": "hashtag_info_list: id name description",
    "video_label": f"video_label: {' '.join(_LABELS)}",
}
"""Most hashtags stand in the description already, and keys are the same in each row; said once, they cost half."""
_TOTALS: Final = (*COUNTS, "engagement_rate")
_TEXTS: Final = ("hashtag_names", "video_description")
_COLUMNS: Final = (
    "id",
    *_TOTALS,
    "create_time",
    "video_duration",
    *(
        name
        for name in VideoOut.model_fields
        if name not in ("id", "url", "create_time", "video_duration", *_TOTALS, *_TEXTS)
    ),
    *_TEXTS,
)
"""Numbers first, long texts last, so that rows line up."""
_SOURCES: Final[Mapping[Source, str]] = {"tiktok_research_api": "TikTok", "sandbox": "SANDBOX"}


def account_text(answer: AccountAnswer) -> str:
    """One account in words."""
    count = len(answer.videos)
    pinned = "nothing pinned" if not count else f"{count} pinned video{'s' if count > 1 else ''}"
    facts = [origin(answer.source, answer.retrieved_at)]
    if answer.cached:
        facts.append("cached")
    if answer.log_id:
        facts.append(f"log_id {answer.log_id}")
    lines = [f"@{answer.username}: {pinned} ({' '.join(facts)})"]
    if answer.videos:
        lines += _rows(answer)
    if answer.changes:
        lines.append(changes_text(answer.changes))
    return "\n".join([*lines, *answer.notes])


def origin(source: Source, retrieved_at: str) -> str:
    """Whose answer it is, and when it was given."""
    return f"{_SOURCES[source]} {retrieved_at}"


def error_text(error: TikTokError, account: str | None = None) -> str:
    """`STATUS: @name: what happened. What to do next. [TikTok code; log_id]`.

    Without the name where every account would have met the same: credentials, the day's quota.
    """
    about = f"@{account}: " if account and not error.for_every_account else ""
    return f"{error.status}: {about}{reason(error)}"


def failure_text(account: str, status: str, why: str) -> str:
    """The same of one account among several, which is always named; `why` is its `reason`."""
    return f"{status}: @{account}: {why}"


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
    # Foreign text that holds this mark stands between quotation marks: there it is somebody's own question mark.
    if any(UNKNOWN in _IN_QUOTES.sub("", value) for row in rows for value in row):
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
            # What reads like a mark of ours is quoted, so that it cannot be taken for one.
            return quoted(value) if UNKNOWN in value or '"' in value else value
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
    page = f"{answer.videos[0].url.removesuffix(answer.videos[0].id)}{{id}}"
    return table([page if name == "id" else _HEADINGS.get(name, name) for name in columns], rows)


def _video_cell(name: str, video: Mapping[str, Any]) -> str:
    value = video.get(name)
    if value is None:
        return UNKNOWN
    match name:
        case "video_description":
            text = quoted(value)
        case "create_time":
            text = value.removesuffix("Z").replace("T", " ")
        case "hashtag_names":
            description = video.get("video_description", "")
            named = {tag.get("hashtag_name") for tag in video.get("hashtag_info_list", ())}
            text = _names(tag for tag in value if tag not in named and not _stands_in(description, tag))
        case "hashtag_info_list":
            text = "; ".join(_hashtag(tag) for tag in value) or "-"
        case "video_label":
            text = _label(value)
        case "video_mention_list":
            text = _names(value)
        case _:
            text = cell(value)
    return text


def _stands_in(text: str, tag: str) -> bool:
    """Whether the text, as it is shown, holds exactly this hashtag: not a longer one, nor one that may be cut short."""
    start = text.find(f"#{tag}")
    while start >= 0:
        end = start + 1 + len(tag)
        rest = text[end:]
        # A letter, a mark or an emoji goes on with the word; punctuation and blanks end it.
        if rest != MARK and (not rest or rest[0] == "#" or unicodedata.category(rest[0]) in _ENDING):
            return True
        start = text.find(f"#{tag}", end)
    return False


def _names(names: Iterable[str]) -> str:
    # Separated by blanks they stay readable one by one, as long as none has a blank inside.
    return " ".join(_word(name) for name in names) or "-"


def _hashtag(tag: Mapping[str, str]) -> str:
    # Most have no description: the empty one is left out, one that was not sent is a mark as everywhere.
    description = _prose(tag.get("hashtag_description")).removeprefix('""')
    return " ".join([_word(tag.get("hashtag_id")), _word(tag.get("hashtag_name")), description]).rstrip()


def _label(label: Mapping[str, Any]) -> str:
    known = [_word(label.get(key)) if key != "content" else _prose(label.get(key)) for key in _LABELS]
    more = {key: value for key, value in label.items() if key not in _LABELS}
    return " ".join([*known, *([cell(more)] if more else [])])


def _word(value: Any) -> str:
    """A value among others that are separated by blanks."""
    word = cell(value)
    return word if word and not {" ", ";"} & set(word) and word != "-" else quoted(word)


def _prose(text: str | None) -> str:
    return UNKNOWN if text is None else quoted(text)
