"""Answers by account: what is stored, for how long, and what it can serve.

A stored answer serves any subset of its fields. "Nothing pinned" and "no such account" are remembered for at most a
minute, other failures never. Values are cleaned texts and counts as TikTok sent them; nothing here is secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from pydantic import ValidationError

from tiktok_pinned_videos.research.errors import NotFoundError
from tiktok_pinned_videos.research.models import PinnedVideos, Video
from tiktok_pinned_videos.state.base import StateStore

from .names import same_account

_SHORT_TTL: Final = 60.0
_SEEN_TTL: Final = 15 * 86_400.0
_DECODED_AT_MOST: Final = 256
_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one account."""

    username: str
    """As it was asked for when it was stored."""
    fields: tuple[str, ...]
    videos: tuple[Video, ...]
    retrieved_at: float
    log_id: str | None
    sandbox: bool
    code: str | None = None
    """TikTok's code, where it was no success."""
    missing: bool = False
    """TikTok knows no such account."""

    def serves(self, fields: tuple[str, ...]) -> bool:
        """Whether these fields can be answered from it."""
        return self.missing or not self.videos or set(fields) <= set(self.fields)


class AnswerCache:
    """Entries in a `StateStore`; decoding is remembered, since the same answer is read again and again."""

    def __init__(self, store: StateStore, *, namespace: str, ttl: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._prefix = f"{namespace}:pinned:"
        self._seen_prefix = f"{namespace}:seen:"
        self._ttl = ttl
        self._clock = clock
        self._decoded: dict[str, tuple[bytes, Entry]] = {}

    @property
    def enabled(self) -> bool:
        """Whether anything is stored at all."""
        return self._ttl > 0

    def now(self) -> float:
        """The clock that `retrieved_at` is read from."""
        return self._clock()

    async def find(self, username: str) -> Entry | None:
        """The living entry of an account, however its name is written."""
        if not self.enabled:
            return None
        key = self._prefix + _ascii(username)
        value = await self._store.get(key)
        if value is None:
            self._decoded.pop(key, None)
            return None
        remembered = self._decoded.get(key)
        entry = remembered[1] if remembered is not None and remembered[0] == value else _decode(value)
        # A store shared with a server of another setting may hold an answer for longer than this one allows.
        if entry is None or self._clock() - entry.retrieved_at >= self._ttl_of(entry):
            return None
        if len(self._decoded) >= _DECODED_AT_MOST:
            self._decoded.pop(next(iter(self._decoded)))
        self._decoded[key] = (value, entry)
        return entry

    async def keep(self, answer: PinnedVideos) -> None:
        """Store what TikTok answered, unless more fields of that account are stored already."""
        entry = Entry(answer.username, answer.fields, answer.videos, answer.retrieved_at, answer.log_id, answer.sandbox)
        stored = await self.find(answer.username)
        if stored is None or entry.serves(stored.fields):
            await self._write(entry)
        await self._store.set(self._seen_prefix + _ascii(answer.username), b"1", ttl=_SEEN_TTL)

    async def keep_missing(self, username: str, error: NotFoundError) -> None:
        """Remember for a short while that TikTok knows no such account."""
        await self._write(Entry(username, (), (), self._clock(), error.log_id, error.sandbox, error.code, missing=True))

    async def seen(self, beginning: str, *, limit: int) -> list[str]:
        """Accounts that were answered before and begin like this, in lower case."""
        prefix = self._seen_prefix
        keys = await self._store.keys(prefix + _ascii(beginning), limit=limit)
        return sorted(unquote(key.removeprefix(prefix)) for key in keys)

    async def count(self) -> int:
        """How many accounts are stored (at most a thousand are counted)."""
        return len(await self._store.keys(self._prefix, limit=1000))

    async def _write(self, entry: Entry) -> None:
        if self.enabled:
            await self._store.set(self._prefix + _ascii(entry.username), _encode(entry), ttl=self._ttl_of(entry))

    def _ttl_of(self, entry: Entry) -> float:
        return self._ttl if entry.videos else min(_SHORT_TTL, self._ttl)


def _ascii(username: str) -> str:
    return quote(same_account(username), safe="")


def _encode(entry: Entry) -> bytes:
    record = {
        "version": _VERSION,
        "username": entry.username,
        "fields": entry.fields,
        "videos": [video.as_json() for video in entry.videos],
        "retrieved_at": entry.retrieved_at,
        "log_id": entry.log_id,
        "sandbox": entry.sandbox,
        "code": entry.code,
        "missing": entry.missing,
    }
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _decode(value: bytes) -> Entry | None:
    try:
        record: Any = json.loads(value)
        if record["version"] != _VERSION:
            return None
        return Entry(
            username=str(record["username"]),
            fields=tuple(str(name) for name in record["fields"]),
            videos=tuple(Video.model_validate(video) for video in record["videos"]),
            retrieved_at=float(record["retrieved_at"]),
            log_id=record["log_id"],
            sandbox=bool(record["sandbox"]),
            code=record["code"],
            missing=bool(record["missing"]),
        )
    except (ValueError, TypeError, KeyError, ValidationError):
        return None
