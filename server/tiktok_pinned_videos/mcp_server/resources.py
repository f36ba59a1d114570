"""Resources and completion: field reference, status, stored answers and history. None of them sends a request."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import FIELDS
from tiktok_pinned_videos.research.names import parse_username

from .backend import Backend

_JSON: Final = "application/json"
_COMPLETIONS: Final = 100


def add_resources(server: MCPServer[Any], backend: Backend) -> None:
    """Register the resources and the completion of usernames."""

    @server.resource(
        "tiktok://fields", name="fields", title="Field reference", mime_type="text/markdown",
        description="Names, types and meanings of the fields of a video",
    )  # fmt: skip
    def fields() -> str:
        return field_reference()

    @server.resource(
        "tiktok://status", name="status", title="Server status", mime_type=_JSON,
        description="Source, quota used today and reset time, cache, token",
    )  # fmt: skip
    async def status() -> str:
        return _dumped(await _status(backend))

    @server.resource(
        "tiktok://pinned/{username}", name="pinned", title="Stored pinned videos", mime_type=_JSON,
        description="Every stored field of an account, texts whole; never sends a request",
    )  # fmt: skip
    async def pinned(username: str) -> str:
        return await _pinned(backend, username)

    @server.resource(
        "tiktok://history/{username}", name="history", title="Stored observations", mime_type=_JSON,
        description="Ids and counts of an account's earlier answers, oldest first; never sends a request",
    )  # fmt: skip
    async def history(username: str) -> str:
        return await _history(backend, username)

    @server.completion()
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        if argument.name not in ("username", "usernames"):
            return None
        return await _complete(backend, argument)

    # The decorators register the functions.
    _ = (fields, status, pinned, history, complete)


def field_reference() -> str:
    """The field table in Markdown, as in the README."""
    rows = [
        f"| `{field.name}` | {field.documented_type} | {field.meaning} | {'yes' if field.default else ''} |"
        for field in FIELDS
    ]
    return "\n".join(["| field | TikTok's type | meaning | default |", "|---|---|---|---|", *rows])


async def _status(backend: Backend) -> dict[str, Any]:
    from tiktok_pinned_videos.presentation.results import source_of
    from tiktok_pinned_videos.presentation.times import iso

    settings = backend.settings
    status: dict[str, Any] = {
        "source": source_of(sandbox=settings.sandbox),
        "configured": settings.configured,
        "cache_ttl_seconds": settings.cache_ttl,
    }
    if not settings.configured:
        return status | {"next": "Set TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET, or start with --sandbox."}
    service = backend.service()
    quota, token = await service.ledger.status(), service.token
    return status | {
        "quota": {
            "used_today": quota.used,
            "daily_quota": quota.quota,
            "resets_at": quota.resets_at,
            "closed_by_tiktok": quota.closed,
        },
        "state": service.store.describe(),
        "accounts_cached": await service.accounts.count(),
        "token": {"state": "none"}
        if token is None
        else {"state": token.state(service.clock()).name.lower(), "expires_at": iso(token.expires_at)},
    }


async def _pinned(backend: Backend, username: str) -> str:
    from tiktok_pinned_videos.presentation.notes import untrusted_notes
    from tiktok_pinned_videos.presentation.results import source_of, video_url
    from tiktok_pinned_videos.presentation.times import iso
    from tiktok_pinned_videos.research.models import Snapshot

    name = _name(username)
    entry = await backend.service().accounts.answer(name) if backend.settings.configured else None
    if not isinstance(entry, Snapshot):
        raise ResourceNotFoundError(
            f"Nothing is stored for @{name}. Call get_pinned_videos with this username first, then read again."
        )
    videos = [
        video.as_json()
        | {"url": video_url(entry.username, video.id)}
        | ({"create_time": iso(video.create_time)} if video.create_time is not None else {})
        for video in entry.videos
    ]
    return _dumped(
        {
            "username": entry.username,
            "source": source_of(sandbox=entry.sandbox),
            "retrieved_at": iso(entry.retrieved_at),
            **({"log_id": entry.log_id} if entry.log_id else {}),
            "fields": entry.fields,
            "videos": videos,
            "notes": untrusted_notes(entry.videos, entry.fields),
        }
    )


async def _history(backend: Backend, username: str) -> str:
    from tiktok_pinned_videos.presentation.results import source_of
    from tiktok_pinned_videos.presentation.times import iso
    from tiktok_pinned_videos.research.fields import COUNTS

    name = _name(username)
    observations = (await backend.service().accounts.load(name)).observations if backend.settings.configured else ()
    if not observations:
        raise ResourceNotFoundError(
            f"Nothing is stored for @{name}. Call get_pinned_videos with this username first, then read again."
        )
    return _dumped(
        {
            "username": name,
            "source": source_of(sandbox=any(observation.sandbox for observation in observations)),
            "observations": [
                {
                    "retrieved_at": iso(observation.seen_at),
                    "videos": [
                        {
                            "id": id_,
                            **{key: count for key, count in zip(COUNTS, counts, strict=True) if count is not None},
                        }
                        for id_, counts in observation.videos.items()
                    ],
                }
                for observation in observations
            ],
        }
    )


def _name(username: str) -> str:
    try:
        return parse_username(username)
    except InvalidArgumentError as error:
        raise ResourceNotFoundError(f"No account can have this name: {error}") from None


async def _complete(backend: Backend, argument: CompletionArgument) -> Completion:
    if not backend.settings.configured:
        return Completion(values=[])
    # In a list of names the last one is being typed.
    before, comma, last = argument.value.rpartition(",")
    typed = last.strip().removeprefix("@")
    lead = f"{before}{comma} " if comma else ""
    seen = await backend.service().accounts.seen(typed, limit=_COMPLETIONS)
    taken = {part.strip().removeprefix("@").casefold() for part in before.split(",")}
    return Completion(values=[lead + name for name in seen if name not in taken])


def _dumped(value: Any) -> str:
    return json.dumps(cast("object", value), ensure_ascii=False, separators=(",", ":"))
