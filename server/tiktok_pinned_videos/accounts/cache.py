"""Answers by account: what is stored, for how long, and what it can serve.

A stored answer serves any subset of its fields. "Nothing pinned" and "no such account" are remembered for at most a
minute, other failures never. Values are cleaned texts and counts as TikTok sent them; nothing here is secret.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from pydantic import ValidationError

from tiktok_pinned_videos.research.errors import NotFoundError
from tiktok_pinned_videos.research.models import Missing, Snapshot, Video
from tiktok_pinned_videos.state.base import StateStore
from tiktok_pinned_videos.state.steps import Step, Write

from .looks import Changes
from .names import in_key

_SHORT_TTL: Final = 60.0
_SEEN_TTL: Final = 15 * 86_400.0
_CLOCKS_DIFFER: Final = 60.0
"""Seconds by which the clock of whoever stored an answer may be ahead of ours; one further ahead was wrong."""
_DECODED_AT_MOST: Final = 256
_VERSION: Final = 3


@dataclass(frozen=True, slots=True)
class Kept(Snapshot):
    """A snapshot as it is stored, with what had changed by then."""

    changes: Changes | None = None

    @classmethod
    def of(cls, new: Snapshot, changes: Changes | None) -> Kept:
        """A new snapshot, to be stored."""
        return cls(new.username, new.fields, new.videos, new.retrieved_at, new.log_id, new.sandbox, changes)


Stored: TypeAlias = Snapshot | Missing
"""What can be known of an account."""


class AnswerCache:
    """Snapshots in a `StateStore`; decoding is remembered, since the same answer is read again and again."""

    def __init__(self, store: StateStore, *, ttl: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._ttl = ttl
        self._clock = clock
        self._decoded: dict[str, tuple[bytes, Stored]] = {}

    @property
    def enabled(self) -> bool:
        """Whether anything is stored at all."""
        return self._ttl > 0

    async def find(self, username: str) -> Stored | None:
        """What is stored of an account and still true, however its name is written."""
        return self.read(username, await self._store.get(self.key(username))) if self.enabled else None

    def key(self, username: str) -> str:
        """Where an account is stored, for whoever reads several keys at once."""
        return _key(username)

    def seen_key(self, username: str) -> str:
        """Where it is kept that an account was answered."""
        return f"seen:{in_key(username)}"

    def read(self, username: str, value: bytes | None) -> Stored | None:
        """What `find` finds, from the value that the account's key has."""
        key = _key(username)
        if value is None:
            self._decoded.pop(key, None)
            return None
        remembered = self._decoded.get(key)
        stored = remembered[1] if remembered is not None and remembered[0] == value else _decode(value)
        if stored is None or not self.enabled or not self._is_current(stored):
            return None
        if len(self._decoded) >= _DECODED_AT_MOST:
            self._decoded.pop(next(iter(self._decoded)))
        self._decoded[key] = (value, stored)
        return stored

    def storing(self, new: Kept, *, instead_of: Stored | None, at_most: float) -> list[Step[bool]]:
        """How to store what TikTok answered, unless what is stored (`instead_of`) has more fields of the same account.

        It is kept for `at_most` seconds: what had changed names videos of an earlier look, which is to be forgotten.
        """
        richer = isinstance(instead_of, Snapshot) and instead_of.videos and not new.serves(instead_of.fields)
        answer = [] if richer else self._writing(new, at_most)
        return [*answer, Write((self.seen_key(new.username),), b"1", _SEEN_TTL)]

    def storing_missing(self, username: str, error: NotFoundError) -> list[Step[bool]]:
        """How to remember for a short while that TikTok knows no such account."""
        return self._writing(Missing(username, self._clock(), error.code, error.log_id, error.sandbox))

    async def seen(self, beginning: str, *, limit: int) -> list[str]:
        """Accounts that were answered before and begin like this, in lower case."""
        keys = await self._store.keys(self.seen_key(beginning), limit=limit)
        return sorted(unquote(key.removeprefix("seen:")) for key in keys)

    async def count(self) -> int:
        """How many accounts are stored (at most a thousand are counted)."""
        return len(await self._store.keys("pinned:", limit=1000))

    def _writing(self, stored: Stored, at_most: float = math.inf) -> list[Step[bool]]:
        if not self.enabled:
            return []
        return [Write((_key(stored.username),), _encode(stored), min(at_most, self._ttl_of(stored)))]

    def _ttl_of(self, stored: Stored) -> float:
        lasting = isinstance(stored, Snapshot) and stored.videos
        return self._ttl if lasting else min(_SHORT_TTL, self._ttl)

    def _is_current(self, stored: Stored) -> bool:
        # The store's own time says little: another server may allow longer, and a clock may have been wrong.
        age = self._clock() - stored.retrieved_at
        return -_CLOCKS_DIFFER <= age < self._ttl_of(stored)


def _key(username: str) -> str:
    return f"pinned:{in_key(username)}"


def _encode(stored: Stored) -> bytes:
    record: dict[str, Any] = {
        "version": _VERSION,
        "username": stored.username,
        "retrieved_at": stored.retrieved_at,
        "log_id": stored.log_id,
        "sandbox": stored.sandbox,
    }
    match stored:
        case Snapshot():
            record |= {"fields": stored.fields, "videos": [video.as_json() for video in stored.videos]}
            record |= {"changes": stored.changes.as_json()} if isinstance(stored, Kept) and stored.changes else {}
        case Missing():
            record |= {"code": stored.code}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _decode(value: bytes) -> Stored | None:
    try:
        record: Any = json.loads(value)
        if record["version"] != _VERSION:
            return None
        known: dict[str, Any] = {
            "username": str(record["username"]),
            "retrieved_at": float(record["retrieved_at"]),
            "log_id": record["log_id"],
            "sandbox": bool(record["sandbox"]),
        }
        if "videos" not in record:
            return Missing(code=record["code"], **known)
        return Kept(
            changes=Changes.from_json(record.get("changes")),
            fields=tuple(str(name) for name in record["fields"]),
            videos=tuple(Video.model_validate(video) for video in record["videos"]),
            **known,
        )
    except (ValueError, TypeError, KeyError, ValidationError):
        return None
