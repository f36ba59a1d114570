"""Resources and completion: field reference, status, stored answers and history. None of them sends a request."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import FIELDS
from tiktok_pinned_videos.research.names import parse_username

from .backend import Backend

_COMPLETIONS: Final = 100


def add_resources(server: MCPServer[Any], backend: Backend) -> None:
    """Register the resources and the completion of usernames."""
    stored = _Stored(backend)
    for uri, title, description, read in (
        ("tiktok://fields", "Field reference", "Names, types and meanings of the fields of a video", field_reference),
        ("tiktok://status", "Server status", "Source, quota used today and reset time, cache, token", stored.status),
        (
            "tiktok://pinned/{username}", "Stored pinned videos",
            "Every stored field of an account, texts whole; never sends a request", stored.pinned,
        ),
        (
            "tiktok://history/{username}", "Stored observations",
            "Ids and counts of an account's earlier answers, oldest first; never sends a request", stored.history,
        ),
    ):  # fmt: skip
        name = uri.removeprefix("tiktok://").partition("/")[0]
        kind = "text/markdown" if name == "fields" else "application/json"
        server.resource(uri, name=name, title=title, description=description, mime_type=kind)(read)
    server.completion()(stored.complete)


def field_reference() -> str:
    """The field table in Markdown, as in the README."""
    rows = [
        f"| `{field.name}` | {field.documented_type} | {field.meaning} | {'yes' if field.default else ''} |"
        for field in FIELDS
    ]
    return "\n".join(["| field | TikTok's type | meaning | default |", "|---|---|---|---|", *rows])


class _Stored:
    """What the server stores, as JSON."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def status(self) -> str:
        from tiktok_pinned_videos.presentation.results import source_of
        from tiktok_pinned_videos.presentation.times import iso

        settings = self._backend.settings
        status: dict[str, Any] = {
            "source": source_of(sandbox=settings.sandbox),
            "configured": settings.configured,
            "cache_ttl_seconds": settings.cache_ttl,
        }
        if not settings.configured:
            status["next"] = "Set TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET, or start with --sandbox."
            return _dumped(status)
        service = self._backend.service()
        quota, token = await service.ledger.status(), service.token
        status |= {
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
        return _dumped(status)

    async def pinned(self, username: str) -> str:
        from tiktok_pinned_videos.presentation.notes import untrusted_notes
        from tiktok_pinned_videos.presentation.results import source_of, videos_json
        from tiktok_pinned_videos.presentation.times import iso
        from tiktok_pinned_videos.research.models import Snapshot

        name = _name(username)
        entry = await self._backend.service().accounts.answer(name) if self._backend.settings.configured else None
        if not isinstance(entry, Snapshot):
            raise _nothing_stored(name)
        return _dumped(
            {
                "username": entry.username,
                "source": source_of(sandbox=entry.sandbox),
                "retrieved_at": iso(entry.retrieved_at),
                **({"log_id": entry.log_id} if entry.log_id else {}),
                "fields": entry.fields,
                "videos": videos_json(entry.username, entry.videos),
                "notes": untrusted_notes(entry.videos, entry.fields),
            }
        )

    async def history(self, username: str) -> str:
        from tiktok_pinned_videos.presentation.results import source_of
        from tiktok_pinned_videos.presentation.times import iso
        from tiktok_pinned_videos.research.fields import COUNTS

        name = _name(username)
        configured = self._backend.settings.configured
        observations = (await self._backend.service().accounts.load(name)).observations if configured else ()
        if not observations:
            raise _nothing_stored(name)
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

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        if argument.name not in ("username", "usernames"):
            return None
        if not self._backend.settings.configured:
            return Completion(values=[])
        # In a list of names the last one is being typed.
        before, comma, last = argument.value.rpartition(",")
        typed = last.strip().removeprefix("@")
        lead = f"{before}{comma} " if comma else ""
        seen = await self._backend.service().accounts.seen(typed, limit=_COMPLETIONS)
        taken = {part.strip().removeprefix("@").casefold() for part in before.split(",")}
        return Completion(values=[lead + name for name in seen if name not in taken])


def _name(username: str) -> str:
    try:
        return parse_username(username)
    except InvalidArgumentError as error:
        raise ResourceNotFoundError(f"No account can have this name: {error}") from None


def _nothing_stored(name: str) -> ResourceNotFoundError:
    what = f"Nothing is stored for @{name}."
    return ResourceNotFoundError(f"{what} Call get_pinned_videos with this username first, then read again.")


def _dumped(value: Any) -> str:
    return json.dumps(cast("object", value), ensure_ascii=False, separators=(",", ":"))
