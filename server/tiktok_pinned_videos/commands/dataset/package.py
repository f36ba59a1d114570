"""Files derived from the records: two tables, and the Frictionless Data Package that describes the files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Final

from tiktok_pinned_videos.about import NAME, version
from tiktok_pinned_videos.presentation.times import iso
from tiktok_pinned_videos.research.fields import BY_NAME, Kind
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.research.wire import PINNED_VIDEOS_PATH

from .. import rows
from .folder import ACCOUNTS, VIDEOS
from .journal import SANDBOX, Record

_REFRESH_WITHIN: Final = timedelta(days=15)
"""TikTok's Research API terms require data to be refreshed at least every 15 days."""
_TYPES: Final[Mapping[Kind, str]] = {"int": "integer", "bool": "boolean"}
_FORMATS: Final[Mapping[Kind, str]] = {
    "list[str]": " Separated by spaces; a JSON array if one of them contains a space.",
    **dict.fromkeys(("hashtags", "label", "any"), " As JSON."),
}
_OWN: Final = {
    "url": ("string", "The public page of the video."),
    "engagement_rate": ("number", "(likes + comments + shares) / views; empty unless all four are known."),
    "video_username": ("string", BY_NAME["username"].meaning),
    "create_time": ("datetime", "When the video was posted, in UTC."),
}
"""Columns of videos that differ from the field of their name."""


def tables(records: Sequence[Record], fields: Sequence[str]) -> dict[str, bytes]:
    """`videos.csv`, one row per video, and `accounts.csv`, one row per account. There is at least one record."""
    found = [record for record in records if record.failure is None and record.result["videos"]]
    videos = [[_shown(record), *row[1:]] for record in found for row in rows.rows_of(record.result, fields)]
    accounts = [_account(record) for record in records]
    return {
        VIDEOS: rows.written([rows.columns(fields), *videos]).encode("utf-8"),
        ACCOUNTS: rows.written([accounts[0], *(account.values() for account in accounts)]).encode("utf-8"),
    }


def package(records: Sequence[Record], fields: Sequence[str], files: Mapping[str, bytes], base_url: str) -> bytes:
    """`datapackage.json` about `files`. `base_url` is the API's; empty for the embedded sandbox."""
    times = sorted(record.retrieved_at for record in records if record.failure is None)
    invented = any(record.source == SANDBOX for record in records)
    source = {"title": "Sandbox (invented data)" if invented else "TikTok Research API"}
    content: dict[str, Any] = _template() | {
        "sources": [source | ({"path": base_url + PINNED_VIDEOS_PATH} if base_url else {})],
        "program": {"name": NAME, "version": version()},
        "requested_fields": list(fields),
        "accounts": dict(sorted(Counter(record.status for record in records).items())),
    }
    if times:
        content["first_retrieved_at"] = iso(times[0])
        content["last_retrieved_at"] = iso(times[-1])
        content["refresh_by"] = (datetime.fromtimestamp(times[0], UTC) + _REFRESH_WITHIN).date().isoformat()
    videos, accounts, _ = content["resources"]
    about_account = {column["name"]: column for column in accounts["schema"]["fields"]}
    videos["schema"]["fields"] = [about_account.get(name) or _column(name) for name in rows.columns(fields)]
    for resource in content["resources"]:
        file = files[resource["path"]]
        resource.update(bytes=len(file), hash=f"sha256:{hashlib.sha256(file).hexdigest()}")
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _template() -> dict[str, Any]:
    return json.loads(resources.files(__package__ or "").joinpath("template.json").read_text("utf-8"))


def facts_of(content: bytes) -> tuple[tuple[str, ...], str] | None:
    """Return the requested fields and the address of the source in a `datapackage.json`; None if it is not ours."""
    try:
        package: Any = json.loads(content)
        fields, address = tuple(package["requested_fields"]), package["sources"][0].get("path", "")
        ours = package["program"]["name"] == NAME and set(fields) <= BY_NAME.keys() and address.isprintable()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return (fields, address) if ours else None


def _shown(record: Record) -> str:
    """The username with escapes for what a table cannot hold; invalid names may have any character."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in record.username
    )


def _account(record: Record) -> dict[str, Any]:
    """A row of `accounts.csv`."""
    return {
        "username": _shown(record),
        "status": record.status,
        "reason": clean(record.failure[1]) if record.failure else None,
        "videos": None if record.failure else record.result["totals"]["videos"],
        "retrieved_at": iso(record.retrieved_at),
        "source": record.source,
        "log_id": record.log_id,
    }


def _column(name: str) -> dict[str, str]:
    """The column of a field of the videos."""
    if name in _OWN:
        kind, meaning = _OWN[name]
    else:
        field = BY_NAME[name]
        kind, meaning = _TYPES.get(field.kind, "string"), field.meaning + _FORMATS.get(field.kind, "")
    return {"name": name, "type": kind, "description": meaning}
