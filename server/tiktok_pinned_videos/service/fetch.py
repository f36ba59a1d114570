"""One request for an account: what is known of it, the lease, the request, and everything that is kept afterwards.

What a request is decided by is read in one step, and what it brings is written in one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tiktok_pinned_videos.research.budget import RequestContext
from tiktok_pinned_videos.research.client import Fetched, ResearchClient
from tiktok_pinned_videos.research.errors import NotFoundError, Status, TikTokError
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Missing
from tiktok_pinned_videos.research.names import in_key
from tiktok_pinned_videos.service.history import AccountHistory, History
from tiktok_pinned_videos.service.observations import observe
from tiktok_pinned_videos.state.base import StateStore
from tiktok_pinned_videos.state.steps import Delete, Read, Step

from .cache import AnswerCache, CachedSnapshot, Stored
from .quota import Ledger
from .single_flight import Lease

_GONE: Final = (Status.NOT_FOUND, Status.REFUSED)
"""When TikTok itself says so, nothing is kept of an account, as its terms want."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored and remembered of an account when a request begins."""

    stored: Stored | None
    past: AccountHistory


Found: TypeAlias = tuple[Stored, bool]
"""What is known of an account, and whether it is new; it is not where another process was quicker."""
_Finish: TypeAlias = Callable[..., Awaitable[list[Any]]]
"""Does the last steps of a request, and gives back what it has held for them: `StateStore.run` or `Lease.release`."""


class Fetcher:
    """Asks TikTok for accounts, `max_concurrency` at once. Raises one of `research.errors`, or `UnwantedError`."""

    def __init__(
        self,
        *,
        client: ResearchClient,
        cache: AnswerCache,
        history: History,
        ledger: Ledger,
        store: StateStore,
        max_concurrency: int,
        timeout: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._cache = cache
        self._history = history
        self._ledger = ledger
        self._store = store
        self._slots = asyncio.Semaphore(max_concurrency)
        self._timeout = timeout
        self._clock = clock
        self._monotonic = monotonic

    async def fetch(self, username: str, fields: tuple[str, ...], context: RequestContext, *, refresh: bool) -> Found:
        """An answer with these fields; of several processes that want it at once, one asks."""
        # A slot first: a lease that waits for a slot would have to be renewed for nothing.
        async with self._slots:
            if not self._store.shared or not self._cache.enabled:
                known = await self._known(username, context)
                return await self._ask_for(username, fields, context, known, self._store.run)
            async with Lease(self._store, f"lease:{in_key(username)}") as lease:
                return await self._fetch_leased(username, fields, context, lease, refresh=refresh)

    async def raw(self, username: str, fields: tuple[str, ...], context: RequestContext) -> Fetched:
        """A new answer with these fields and no others, and TikTok's body."""
        async with self._slots:
            known = await self._known(username, context)
            kept, body = await self._ask_and_keep(username, fields, context, known, self._store.run)
            return Fetched(kept, body)

    async def forget(self, username: str) -> None:
        """Nothing is kept of an account any more, its name neither."""
        await self._store.run(self._forgetting(username, self._cache.seen_key(username)))

    async def _fetch_leased(
        self, username: str, fields: tuple[str, ...], context: RequestContext, lease: Lease, *, refresh: bool
    ) -> Found:
        started, give_up = self._clock(), self._monotonic() + self._timeout
        while True:
            acquired, (values,) = await lease.try_acquire(self._reading(username))
            known = self._understood(values, context)
            stored = known.stored
            if stored is not None and serves(stored, fields) and (not refresh or stored.retrieved_at >= started):
                return stored, refresh
            # Whoever holds the lease has had all the time one account may take: ask without it.
            if acquired or self._monotonic() >= give_up:
                break
            await lease.wait()
        lease.keep()
        return await self._ask_for(username, fields, context, known, lease.release)

    async def _known(self, username: str, context: RequestContext) -> _Known:
        return self._understood(await self._store.do(self._reading(username)), context)

    def _reading(self, username: str) -> Read:
        history = self._history.keys(username, self._clock())
        return Read((self._cache.key(username), *self._ledger.keys(), *history))

    def _understood(self, values: list[bytes | None], context: RequestContext) -> _Known:
        now = self._clock()
        stored, closed, paused, *observations = values
        context.quota_state = self._ledger.quota_state((closed, paused), now)
        return _Known(self._cache.read(stored), self._history.past(observations, now))

    async def _ask_for(
        self, username: str, fields: tuple[str, ...], context: RequestContext, known: _Known, finish: _Finish
    ) -> Found:
        """Ask for the fields wanted now and those stored, so that neither call's are lost to the other."""
        wanted = {*fields, *(known.stored.fields if isinstance(known.stored, CachedSnapshot) else ())}
        asked = tuple(name for name in NAMES if name in wanted)
        kept, _ = await self._ask_and_keep(username, asked, context, known, finish)
        return kept, True

    async def _ask_and_keep(
        self, username: str, fields: tuple[str, ...], context: RequestContext, known: _Known, finish: _Finish
    ) -> tuple[CachedSnapshot, bytes]:
        try:
            fetched = await self._client.pinned_videos(username, fields, context)
        except TikTokError as error:
            # Without a code it is the status of a gateway, which says nothing of the account.
            if error.status in _GONE and error.code is not None:
                missing = self._cache.storing_missing(username, error) if isinstance(error, NotFoundError) else []
                await finish(self._forgetting(username), *missing)
            raise
        new = fetched.snapshot
        observation = observe(new.videos, new.retrieved_at, sandbox=new.sandbox)
        changes = known.past.changes_to(observation)
        kept = CachedSnapshot.of(new, changes)
        at_most = self._history.left_of(changes, kept.retrieved_at)
        written = await finish(
            *self._cache.storing(kept, instead_of=known.stored, at_most=at_most),
            *self._history.remembering(username, observation, known.past),
        )
        if not all(written):
            await self._store.run(*self._history.latest(username, observation))
        return kept, fetched.body

    def _forgetting(self, username: str, *more: str) -> Step[bool]:
        return Delete((self._cache.key(username), *self._history.keys(username, self._clock()), *more))


def serves(stored: Stored, fields: tuple[str, ...]) -> bool:
    """Whether these fields can be answered from what is stored."""
    return isinstance(stored, Missing) or stored.serves(fields)
