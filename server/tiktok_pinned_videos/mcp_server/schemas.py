"""The published schemas, by hand: every word of a definition is paid for in every conversation.

A test compares them with what is parsed and what is answered, another one counts their tokens, a third holds them to
what other makers' converters understand: each property has one `type`, an `enum` too, and nothing is a choice of
schemas (`anyOf`), for services behind such converters refuse what else there is. Some fields have no documented type:
these are answered, and published nowhere.
"""

from __future__ import annotations

from typing import Any, Final

from tiktok_pinned_videos.presentation.comparison import MEASURES
from tiktok_pinned_videos.research.fields import FIELDS, NAMES, Kind

from .arguments import MAX_ACCOUNTS

_STRING: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_NUMBER: Final = {"type": "number"}
_BOOLEAN: Final = {"type": "boolean"}
_STRINGS: Final = {"type": "array", "items": _STRING}
_OBJECT: Final = {"type": "object"}
_JSON_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    "id": _STRING,
    "int": _INTEGER,
    "str": _STRING,
    "bool": _BOOLEAN,
    "list[str]": _STRINGS,
    "hashtags": {"type": "array", "items": _OBJECT},
    "label": _OBJECT,
}
_REFRESH: Final = {"type": "boolean", "description": "Skip the cache"}


def get_input() -> dict[str, Any]:
    """Arguments of `get_pinned_videos`."""
    return {
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "Name, @name or profile URL"},
            "fields": {
                "type": "array",
                "items": {"type": "string", "enum": list(NAMES)},
                "description": "Leave out or [] for what the statistics need",
            },
            "refresh": _REFRESH,
        },
        "required": ["username"],
    }


def compare_input() -> dict[str, Any]:
    """Arguments of `compare_pinned_videos`."""
    return {
        "type": "object",
        "properties": {
            "usernames": {"type": "array", "items": _STRING, "minItems": 2, "maxItems": MAX_ACCOUNTS},
            "rank_by": {"type": "string", "enum": list(MEASURES), "default": MEASURES[0]},
            "refresh": _REFRESH,
        },
        "required": ["usernames"],
    }


def get_output() -> dict[str, Any]:
    """Structured result of `get_pinned_videos`."""
    typed = {field.name: _JSON_TYPES[field.kind] for field in FIELDS if field.kind in _JSON_TYPES}
    video = typed | {"create_time": _STRING, "url": _STRING, "engagement_rate": _NUMBER}
    return {
        "type": "object",
        "properties": {
            "username": _STRING,
            "status": {"type": "string", "enum": ["found", "nothing_pinned"]},
            "source": _source(),
            "retrieved_at": _STRING,
            "cached": _BOOLEAN,
            "log_id": _STRING,
            "totals": _totals(),
            "changes": _OBJECT,
            "videos": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": video,
                    "required": ["id", "url"],
                },
            },
            "notes": _STRINGS,
        },
        "required": ["username", "status", "source", "retrieved_at", "cached", "totals", "videos", "notes"],
    }


def compare_output() -> dict[str, Any]:
    """Structured result of `compare_pinned_videos`."""
    account = {
        "rank": _INTEGER,
        "username": _STRING,
        "status": _STRING,
        "retrieved_at": _STRING,
        "cached": _BOOLEAN,
        "totals": _totals(),
        "changes": _OBJECT,
        "top_video": {
            "type": "object",
            "properties": {"id": _STRING, "url": _STRING, **_statistics(), "video_description": _STRING},
            "required": ["id", "url"],
            "additionalProperties": False,
        },
        "reason": _STRING,
    }
    return {
        "type": "object",
        "properties": {
            "source": _source(),
            "retrieved_at": _STRING,
            "rank_by": _STRING,
            "accounts": {
                "type": "array",
                "items": {"type": "object", "properties": account, "required": ["username", "status"]},
            },
            "notes": _STRINGS,
        },
        "required": ["source", "retrieved_at", "rank_by", "accounts", "notes"],
    }


def _source() -> dict[str, Any]:
    return {"type": "string", "enum": ["tiktok_research_api", "sandbox"]}


def _totals() -> dict[str, Any]:
    return {"type": "object", "properties": {"videos": _INTEGER, **_statistics()}, "additionalProperties": False}


def _statistics() -> dict[str, Any]:
    return {name: _NUMBER if name == "engagement_rate" else _INTEGER for name in MEASURES}
