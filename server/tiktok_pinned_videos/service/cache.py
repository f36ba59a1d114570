"""The cache of answers: how long each is stored, and which calls it can answer.

A stored answer serves any subset of its fields. "Nothing pinned" and "no such account" are stored for at most a minute,
other failures never. The values are cleaned texts and counts as TikTok sent them; none is secret.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from tiktok_pinned_videos.research.errors import NotFoundError
from tiktok_pinned_videos.research.models import Snapshot
from tiktok_pinned_videos.research.names import in_key
from tiktok_pinned_videos.state.base import Entry, Store

from .history import Changes, observation_keys

_SHORT_TTL: Final = 60.0
_SEEN_TTL: Final = 15 * 86_400.0
_CLOCKS_DIFFER: Final = 60.0
"""Seconds by which another server's clock may be ahead. Answers further in the future are ignored."""


@dataclass(frozen=True, slots=True)
class CachedSnapshot(Snapshot):
    """A snapshot as it is stored, with the changes at that time."""

    changes: Changes | None = None

    @classmethod
    def of(cls, new: Snapshot, changes: Changes | None) -> CachedSnapshot:
        """Make one from a new snapshot."""
        return cls(new.username, new.fields, new.videos, new.retrieved_at, new.log_id, new.sandbox, changes)


@dataclass(frozen=True, slots=True)
class Missing:
    """The stored form of the answer that TikTok found no account with this name."""

    username: str
    retrieved_at: float
    code: str | None
    log_id: str | None
    sandbox: bool

    def serves(self, _fields: tuple[str, ...]) -> bool:
        """Whether it answers a call for these fields: always."""
        return True

    def error(self) -> NotFoundError:
        """Make the error again."""
        what = "TikTok found no account with this name."
        return NotFoundError(what, code=self.code, log_id=self.log_id, sandbox=self.sandbox)


Stored: TypeAlias = CachedSnapshot | Missing
_JSON: Final = TypeAdapter[Stored](Stored)


def answer_key(username: str) -> str:
    """Return the key of an account's answer."""
    return f"pinned:{in_key(username)}"


def stored_keys(username: str, now: float) -> list[str]:
    """Return every key that an account may have in the store, that of `seen` last."""
    return [answer_key(username), *observation_keys(username, now), _seen_key(username)]


def _seen_key(username: str) -> str:
    return f"seen:{in_key(username)}"


class AnswerCache:
    """Answers in a `Store`, for `ttl` seconds; 0 stores none."""

    def __init__(self, store: Store, *, ttl: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._ttl = ttl
        self._clock = clock

    @property
    def enabled(self) -> bool:
        """Whether any answer is stored."""
        return self._ttl > 0

    async def find(self, username: str) -> Stored | None:
        """The stored answer of an account, if it is still current."""
        if not self.enabled:
            return None
        (value,) = await self._store.get(answer_key(username))
        return self.read(value)

    def read(self, value: bytes | None) -> Stored | None:
        """Decode the value of `answer_key`. None if it is too old or has the format of another version."""
        if value is None or not self.enabled:
            return None
        try:
            stored = _JSON.validate_json(value)
        except ValidationError:
            return None
        # In addition to the store's expiry: another server may have a longer TTL, or its clock may be wrong.
        age = self._clock() - stored.retrieved_at
        return stored if -_CLOCKS_DIFFER <= age < self._ttl_of(stored) else None

    def entries(self, new: CachedSnapshot, *, before: Stored | None, at_most: float) -> list[Entry]:
        """The entries for a new answer, unless the one stored `before` has more fields of the same account.

        It is stored for `at_most` seconds, as long as the observations behind its changes.
        """
        richer = isinstance(before, CachedSnapshot) and before.videos and not new.serves(before.fields)
        return [*([] if richer else self._entry(new, at_most)), Entry(_seen_key(new.username), b"1", _SEEN_TTL)]

    def missing(self, username: str, error: NotFoundError) -> list[Entry]:
        """Return the entry that stores for a short time that TikTok found no such account."""
        return self._entry(Missing(username, self._clock(), error.code, error.log_id, error.sandbox))

    async def seen(self, prefix: str, *, limit: int) -> list[str]:
        """Return usernames that were answered before and begin with `prefix`, in lower case."""
        keys = await self._store.find(_seen_key(prefix), limit)
        return sorted(unquote(key.removeprefix("seen:")) for key in keys)

    async def count(self) -> int:
        """Return how many answers are stored (at most a thousand are counted)."""
        return len(await self._store.find("pinned:", 1000))

    def _entry(self, stored: Stored, at_most: float = math.inf) -> list[Entry]:
        if not self.enabled:
            return []
        value = _JSON.dump_json(stored, exclude_unset=True)  # of a video, what TikTok did not send is not set
        return [Entry(answer_key(stored.username), value, min(at_most, self._ttl_of(stored)))]

    def _ttl_of(self, stored: Stored) -> float:
        lasting = isinstance(stored, CachedSnapshot) and stored.videos
        return self._ttl if lasting else min(_SHORT_TTL, self._ttl)
