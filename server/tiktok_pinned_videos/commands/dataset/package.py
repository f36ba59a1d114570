"""What is derived from the records: two tables, and the Frictionless Data Package that describes them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tiktok_pinned_videos.about import NAME, version
from tiktok_pinned_videos.presentation.times import iso
from tiktok_pinned_videos.research.fields import BY_NAME, Kind
from tiktok_pinned_videos.research.wire import PINNED_VIDEOS_PATH

from .. import rows
from .folder import ACCOUNTS, RESPONSES, VIDEOS
from .record import Record

REFRESH_WITHIN: Final = timedelta(days=15)
"""TikTok's Research API terms want data refreshed at least every 15 days."""
_ACCOUNT_COLUMNS: Final = ("username", "status", "reason", "videos", "retrieved_at", "source", "log_id")
_TYPES: Final[Mapping[Kind, str]] = {"int": "integer", "bool": "boolean"}
_JSON: Final = frozenset({"hashtags", "label", "any"})
_MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "username": ("string", "The account, as it was asked for."),
    "status": ("string", "found, nothing_pinned, or the word for why there is no answer."),
    "reason": ("string", "Of a failure: what happened, and what can be done."),
    "videos": ("integer", "How many videos are pinned; empty where that is not known."),
    "retrieved_at": ("datetime", "When TikTok answered, UTC."),
    "source": ("string", "tiktok_research_api, or sandbox for invented data."),
    "log_id": ("string", "TikTok's reference of the answer."),
    "url": ("string", "The public page of the video."),
    "engagement_rate": ("number", "(likes + comments + shares) / views, four digits; empty unless all four are known."),
    "create_time": ("datetime", "When the video was posted, UTC."),
}


def tables(records: Sequence[Record], fields: Sequence[str]) -> dict[str, bytes]:
    """`videos.csv`, a row a video, and `accounts.csv`, a row an account."""
    videos = [row for record in records if record.answered for row in rows.video_rows(record.result, fields)]
    accounts = [[_about(record).get(name) for name in _ACCOUNT_COLUMNS] for record in records]
    return {
        VIDEOS: rows.written([_video_columns(fields), *videos]).encode("utf-8"),
        ACCOUNTS: rows.written([_ACCOUNT_COLUMNS, *accounts]).encode("utf-8"),
    }


def package(
    records: Sequence[Record], fields: Sequence[str], files: Mapping[str, bytes], *, base_url: str | None
) -> bytes:
    """`datapackage.json`; `files` are the others as they are on the disk. `base_url`: None of the embedded sandbox."""
    times = sorted(record.retrieved_at for record in records if record.answered)
    sandbox = any(record.source == "sandbox" for record in records)
    what = "invented data of the sandbox, not TikTok's" if sandbox else "from TikTok's Research API"
    told: dict[str, Any] = {
        "profile": "data-package",
        "name": "tiktok-pinned-videos",
        "title": "Pinned videos of TikTok accounts" + (" (sandbox: invented data)" if sandbox else ""),
        "description": f"Which videos each account has pinned, and their counts, {what}.",
        "sources": [
            {"title": "Sandbox (invented data)" if sandbox else "TikTok Research API"}
            | ({"path": base_url.rstrip("/") + PINNED_VIDEOS_PATH} if base_url else {})
        ],
        "program": {"name": NAME, "version": version()},
        "requested_fields": list(fields),
        "accounts": dict(sorted(Counter(record.status for record in records).items())),
    }
    if times:
        told["first_retrieved_at"] = iso(times[0])
        told["last_retrieved_at"] = iso(times[-1])
        told["refresh_by"] = (datetime.fromtimestamp(times[0], UTC) + REFRESH_WITHIN).date().isoformat()
    resources: list[dict[str, Any]] = [
        _table("videos", VIDEOS, "A row a video.", _video_schema(fields)),
        _table("accounts", ACCOUNTS, "A row an account.", _schema(_ACCOUNT_COLUMNS, {}, key="username")),
        {
            "name": "responses",
            "path": RESPONSES,
            "description": "A line an account: TikTok's answer as it came. Both tables are derived from it.",
            "type": "file",
            "format": "jsonl",
            "mediatype": "application/jsonl",
            "encoding": "utf-8",
        },
    ]
    for resource in resources:
        content = files[resource["path"]]
        resource["bytes"] = len(content)
        resource["hash"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    told["resources"] = resources
    return (json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def of_this_program(content: bytes) -> dict[str, Any] | None:
    """A package that this program wrote; None where it is another's."""
    try:
        told: Any = json.loads(content)
        return told if told["program"]["name"] == NAME and isinstance(told["sources"][0], dict) else None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _about(record: Record) -> dict[str, Any]:
    about: dict[str, Any] = {"username": record.username, "status": record.status, "source": record.source}
    about |= {"retrieved_at": iso(record.retrieved_at), "log_id": record.log_id}
    if record.failure is not None:
        return about | {"reason": record.failure[1]}
    return about | {"videos": record.result["totals"]["videos"]}


def _video_columns(fields: Sequence[str]) -> list[str]:
    # The creator's name is a field too; two columns of one name are none to a reader of tables.
    before = len(rows.ABOUT_ACCOUNT)
    names = rows.columns(fields)
    return [f"video_{name}" if place >= before and name == "username" else name for place, name in enumerate(names)]


def _video_schema(fields: Sequence[str]) -> dict[str, Any]:
    columns = _video_columns(fields)
    asked = dict(zip(columns[len(rows.ABOUT_ACCOUNT) :], fields, strict=False))
    schema = _schema(columns, asked, key=None)
    reference = {"resource": "accounts", "fields": "username"}
    return schema | {"foreignKeys": [{"fields": "username", "reference": reference}]}


def _schema(columns: Sequence[str], asked: Mapping[str, str], *, key: str | None) -> dict[str, Any]:
    """A Table Schema; `asked`: which of the columns are fields of TikTok's."""
    described = [_column(name, asked.get(name)) for name in columns]
    return {"fields": described, "missingValues": [""]} | ({"primaryKey": key} if key else {})


def _column(name: str, field: str | None) -> dict[str, Any]:
    if field is None or name in _MEANINGS:
        kind, meaning = _MEANINGS[name]
        return {"name": name, "type": kind, "description": meaning}
    known = BY_NAME[field]
    said = known.meaning
    if known.kind == "list[str]":
        said += " Separated by blanks; a JSON array where one has a blank inside."
    if known.kind in _JSON:
        said += " As JSON."
    return {"name": name, "type": _TYPES.get(known.kind, "string"), "description": said}


def _table(name: str, path: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "path": path,
        "profile": "tabular-data-resource",
        "description": description + " A text that begins with = + - or @ has a ' before it.",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": {"delimiter": ",", "quoteChar": '"', "doubleQuote": True, "lineTerminator": "\n", "header": True},
        "schema": schema,
    }
