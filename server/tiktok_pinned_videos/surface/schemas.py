"""The published schemas, by hand: every word of a definition is paid for in every conversation.

A test compares them with what is parsed and what is answered, another one counts their tokens.
"""

from __future__ import annotations

from typing import Any, Final

from tiktok_pinned_videos.research.fields import FIELDS, NAMES, Kind

from .arguments import MEASURES, MOST_ACCOUNTS

_STRING: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_NUMBER: Final = {"type": "number"}
_BOOLEAN: Final = {"type": "boolean"}
_STRINGS: Final = {"type": "array", "items": _STRING}
_JSON_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    "id": _STRING,
    "int": _INTEGER,
    "str": _STRING,
    "bool": _BOOLEAN,
    "list[str]": _STRINGS,
    "hashtags": {"type": "array"},
    "label": {"type": "object"},
    "any": {},
}
_REFRESH: Final = {"type": "boolean", "description": "Ask TikTok again instead of the cache"}


def get_input() -> dict[str, Any]:
    """Arguments of `get_pinned_videos`."""
    return {
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "Name, @name or profile URL"},
            "fields": {
                "anyOf": [{"type": "array", "items": {"enum": list(NAMES)}}, _STRING],
                "description": "List or comma-separated; default: all that the statistics need",
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
            "usernames": {"type": "array", "items": _STRING, "minItems": 2, "maxItems": MOST_ACCOUNTS},
            "rank_by": {"enum": list(MEASURES), "default": MEASURES[0]},
            "refresh": _REFRESH,
        },
        "required": ["usernames"],
    }


def get_output() -> dict[str, Any]:
    """Structured result of `get_pinned_videos`."""
    video = {field.name: _STRING if field.name == "create_time" else _JSON_TYPES[field.kind] for field in FIELDS}
    return {
        "type": "object",
        "properties": {
            "username": _STRING,
            "status": {"enum": ["found", "nothing_pinned"]},
            "source": _source(),
            "retrieved_at": _STRING,
            "cached": _BOOLEAN,
            "log_id": _STRING,
            "totals": {"type": "object", "additionalProperties": _NUMBER},
            "changes": {"type": "object"},
            "videos": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {**video, "url": _STRING, "engagement_rate": _NUMBER},
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
        "totals": {"type": "object", "additionalProperties": _NUMBER},
        "changes": {"type": "object"},
        "top_video": {"type": "object"},
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
    return {"enum": ["tiktok_research_api", "sandbox"]}
