"""Files derived from the records: two tables, and the Frictionless Data Package that describes the files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from tiktok_pinned_videos.about import NAME, version
from tiktok_pinned_videos.presentation.times import iso
from tiktok_pinned_videos.research.fields import BY_NAME, Kind
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.research.wire import PINNED_VIDEOS_PATH

from .. import rows
from .folder import ACCOUNTS, RESPONSES, VIDEOS
from .journal import Record

_REFRESH_WITHIN: Final = timedelta(days=15)
"""TikTok's Research API terms require data to be refreshed at least every 15 days."""
_ACCOUNT_COLUMNS: Final = ("username", "status", "reason", "videos", "retrieved_at", "source", "log_id")
_ACCOUNT: Final = {"fields": "username", "reference": {"resource": "accounts", "fields": "username"}}
_TYPES: Final[Mapping[Kind, str]] = {"int": "integer", "bool": "boolean"}
_FORMATS: Final[Mapping[Kind, str]] = {
    "list[str]": " Separated by spaces; a JSON array if one of them contains a space.",
    **dict.fromkeys(("hashtags", "label", "any"), " As JSON."),
}
_MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "username": ("string", "The account, as it was requested."),
    "status": ("string", "found, nothing_pinned, or the status of the failure."),
    "reason": ("string", "For a failure: what happened and what to do."),
    "videos": ("integer", "Number of pinned videos; empty if it is not known."),
    "retrieved_at": ("datetime", "When TikTok answered, in UTC."),
    "source": ("string", "tiktok_research_api, or sandbox for invented data."),
    "log_id": ("string", "TikTok's reference for the answer."),
    "url": ("string", "The public page of the video."),
    "engagement_rate": ("number", "(likes + comments + shares) / views; empty unless all four are known."),
    "video_username": ("string", BY_NAME["username"].meaning),
    "create_time": ("datetime", "When the video was posted, in UTC."),
}


def tables(records: Sequence[Record], fields: Sequence[str]) -> dict[str, bytes]:
    """`videos.csv`, one row per video, and `accounts.csv`, one row per account."""
    found = [record for record in records if record.failure is None and record.result["videos"]]
    videos = [[_shown(record), *row[1:]] for record in found for row in rows.rows_of(record.result, fields)]
    return {
        VIDEOS: rows.written([rows.columns(fields), *videos]).encode("utf-8"),
        ACCOUNTS: rows.written([_ACCOUNT_COLUMNS, *map(_account, records)]).encode("utf-8"),
    }


def package(records: Sequence[Record], fields: Sequence[str], files: Mapping[str, bytes], base_url: str) -> bytes:
    """`datapackage.json` about `files`. `base_url` is the API's; empty for the embedded sandbox."""
    times = sorted(record.retrieved_at for record in records if record.failure is None)
    invented = any(record.source == "sandbox" for record in records)
    source = {"title": "Sandbox (invented data)" if invented else "TikTok Research API"}
    content: dict[str, Any] = {
        "profile": "data-package",
        "name": "tiktok-pinned-videos",
        "title": "Pinned videos of TikTok accounts" + (" (sandbox: invented data)" if invented else ""),
        "description": "The videos that each account has pinned, with their counts.",
        "sources": [source | ({"path": base_url + PINNED_VIDEOS_PATH} if base_url else {})],
        "program": {"name": NAME, "version": version()},
        "requested_fields": list(fields),
        "accounts": dict(sorted(Counter(record.status for record in records).items())),
    }
    if times:
        content["first_retrieved_at"] = iso(times[0])
        content["last_retrieved_at"] = iso(times[-1])
        content["refresh_by"] = (datetime.fromtimestamp(times[0], UTC) + _REFRESH_WITHIN).date().isoformat()
    described = {
        VIDEOS: _table("One row per video.", rows.columns(fields), foreignKeys=[_ACCOUNT]),
        ACCOUNTS: _table("One row per account.", _ACCOUNT_COLUMNS, primaryKey="username"),
        RESPONSES: {
            "description": "One line per account: TikTok's response as it came. Both tables are derived from it.",
            "type": "file",
            "format": "jsonl",
            "mediatype": "application/jsonl",
            "encoding": "utf-8",
        },
    }
    content["resources"] = [
        {"name": path.partition(".")[0], "path": path, **facts}
        | {"bytes": len(files[path]), "hash": f"sha256:{hashlib.sha256(files[path]).hexdigest()}"}
        for path, facts in described.items()
    ]
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


class Described(NamedTuple):
    """Facts in a `datapackage.json`: the requested fields and the address of the source."""

    fields: tuple[str, ...]
    address: str


def of_this_program(content: bytes) -> Described | None:
    """Read a `datapackage.json`; None if another program wrote it."""
    try:
        package: Any = json.loads(content)
        said = Described(tuple(package["requested_fields"]), package["sources"][0].get("path", ""))
        ours = package["program"]["name"] == NAME and set(said.fields) <= BY_NAME.keys() and said.address.isprintable()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return said if ours else None


def _shown(record: Record) -> str:
    """The username with escapes for what a table cannot hold; invalid names may have any character."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in record.username
    )


def _account(record: Record) -> list[Any]:
    """A row of `accounts.csv`."""
    reason = clean(record.failure[1]) if record.failure else None
    videos = None if record.failure else record.result["totals"]["videos"]
    log_id = record.log_id and clean(record.log_id)
    return [_shown(record), record.status, reason, videos, iso(record.retrieved_at), record.source, log_id]


def _column(name: str) -> dict[str, str]:
    if name in _MEANINGS:
        kind, meaning = _MEANINGS[name]
        return {"name": name, "type": kind, "description": meaning}
    field = BY_NAME[name]
    meaning = field.meaning + _FORMATS.get(field.kind, "")
    return {"name": name, "type": _TYPES.get(field.kind, "string"), "description": meaning}


def _table(description: str, columns: Sequence[str], **keys: Any) -> dict[str, Any]:
    """A CSV file with its Table Schema."""
    return {
        "profile": "tabular-data-resource",
        "description": f"{description} A text that begins with = + - or @ has a ' before it.",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {"fields": [_column(name) for name in columns], "missingValues": [""], **keys},
    }
