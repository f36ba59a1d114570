"""Answers by account: what is stored, for how long, and what it can serve.

A stored answer serves any subset of its fields. "Nothing pinned" and "no such account" are remembered for at most a
minute, other failures never. Values are cleaned texts and counts as TikTok sent them; nothing here is secret.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from tiktok_pinned_videos.research.errors import NotFoundError
from tiktok_pinned_videos.research.models import Missing, Snapshot
from tiktok_pinned_videos.research.names import in_key
from tiktok_pinned_videos.service.observations import Changes
from tiktok_pinned_videos.state.base import StateStore
from tiktok_pinned_videos.state.steps import Find, Read, Step, Write

_SHORT_TTL: Final = 60.0
_SEEN_TTL: Final = 15 * 86_400.0
_CLOCKS_DIFFER: Final = 60.0
"""Seconds by which the clock of whoever stored an answer may be ahead of ours; one further ahead was wrong."""


@dataclass(frozen=True, slots=True)
class CachedSnapshot(Snapshot):
    """A snapshot as it is stored, with what had changed by then."""

    changes: Changes | None = None

    @classmethod
    def of(cls, new: Snapshot, changes: Changes | None) -> CachedSnapshot:
        """A new snapshot, to be stored."""
        return cls(new.username, new.fields, new.videos, new.retrieved_at, new.log_id, new.sandbox, changes)


Stored: TypeAlias = CachedSnapshot | Missing
"""What can be known of an account."""
_JSON: Final = TypeAdapter[Stored](Stored)


class AnswerCache:
    """Snapshots in a `StateStore`."""

    def __init__(self, store: StateStore, *, ttl: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._ttl = ttl
        self._clock = clock

    @property
    def enabled(self) -> bool:
        """Whether anything is stored at all."""
        return self._ttl > 0

    async def find(self, username: str) -> Stored | None:
        """What is stored of an account and still true, however its name is written."""
        if not self.enabled:
            return None
        (value,) = await self._store.do(Read((self.key(username),)))
        return self.read(value)

    def key(self, username: str) -> str:
        """Where an account is stored, for whoever reads several keys at once."""
        return f"pinned:{in_key(username)}"

    def seen_key(self, username: str) -> str:
        """Where it is kept that an account was answered."""
        return f"seen:{in_key(username)}"

    def read(self, value: bytes | None) -> Stored | None:
        """What `find` finds, from the value that the account's key has."""
        stored = None if value is None else _decoded(value)
        return stored if stored is not None and self.enabled and self._is_current(stored) else None

    def storing(self, new: CachedSnapshot, *, instead_of: Stored | None, at_most: float) -> list[Step[bool]]:
        """How to store what TikTok answered, unless what is stored (`instead_of`) has more fields of the same account.

        It is stored for `at_most` seconds, as long as the observations behind its changes.
        """
        richer = isinstance(instead_of, CachedSnapshot) and instead_of.videos and not new.serves(instead_of.fields)
        answer = [] if richer else self._writing(new, at_most)
        return [*answer, Write((self.seen_key(new.username),), b"1", _SEEN_TTL)]

    def storing_missing(self, username: str, error: NotFoundError) -> list[Step[bool]]:
        """How to remember for a short while that TikTok knows no such account."""
        return self._writing(Missing(username, self._clock(), error.code, error.log_id, error.sandbox))

    async def seen(self, beginning: str, *, limit: int) -> list[str]:
        """Accounts that were answered before and begin like this, in lower case."""
        keys = await self._store.do(Find((self.seen_key(beginning),), limit))
        return sorted(unquote(key.removeprefix("seen:")) for key in keys)

    async def count(self) -> int:
        """How many accounts are stored (at most a thousand are counted)."""
        return len(await self._store.do(Find(("pinned:",), 1000)))

    def _writing(self, stored: Stored, at_most: float = math.inf) -> list[Step[bool]]:
        if not self.enabled:
            return []
        value = _JSON.dump_json(stored, exclude_unset=True)  # of a video, what TikTok did not send is not set
        return [Write((self.key(stored.username),), value, min(at_most, self._ttl_of(stored)))]

    def _ttl_of(self, stored: Stored) -> float:
        lasting = isinstance(stored, CachedSnapshot) and stored.videos
        return self._ttl if lasting else min(_SHORT_TTL, self._ttl)

    def _is_current(self, stored: Stored) -> bool:
        # The store's own time says little: another server may allow longer, and a clock may have been wrong.
        age = self._clock() - stored.retrieved_at
        return -_CLOCKS_DIFFER <= age < self._ttl_of(stored)


def _decoded(value: bytes) -> Stored | None:
    """What another version has stored in another shape is nothing."""
    try:
        return _JSON.validate_json(value)
    except ValidationError:
        return None
