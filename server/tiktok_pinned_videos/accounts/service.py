"""An account's answer: from the cache, from a request under way, or from TikTok. What everything above asks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from tiktok_pinned_videos.research.client import Fetched, ResearchClient
from tiktok_pinned_videos.research.errors import NotFoundError, Status, TikTokError
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Missing, Snapshot
from tiktok_pinned_videos.research.oauth import AccessToken
from tiktok_pinned_videos.research.transport import Inquiry, UnwantedError
from tiktok_pinned_videos.state.base import StateStore

from .cache import AnswerCache, Kept, Stored
from .flight import Lease, SingleFlight
from .history import History, Past
from .ledger import Ledger, QuotaStatus
from .looks import Changes, Look, look_at
from .names import same_account

_GONE: Final = (Status.NOT_FOUND, Status.REFUSED)
"""After these nothing is remembered of an account, as TikTok's terms want."""
_log = logging.getLogger("tiktok_pinned_videos.calls")


@dataclass(frozen=True, slots=True)
class Answer:
    """A snapshot as one call gets it: its fields, no others, and what the call adds."""

    snapshot: Snapshot
    cached: bool
    requests: int
    """Research requests that this call itself caused."""
    quota_note: str | None = None
    changes: Changes | None = None
    """What has changed since the oldest look that is remembered; None where there is no past."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """Where everything stands; nothing secret."""

    quota: QuotaStatus
    state: str
    """Which store is in use and whether it works."""
    accounts_cached: int
    token: AccessToken | None
    now: float
    """Unix seconds, by the clock that all times here are read from."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a flight brought: a stored answer, or a new one."""

    what: Stored
    new: bool


class PinnedVideosService:
    """Answers for accounts. Raises one of `research.errors`, each caller its own."""

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
        self.store = store
        """Where state is kept; health checks look at it."""
        self._slots = asyncio.Semaphore(max_concurrency)
        self._timeout = timeout
        self._clock = clock
        self._monotonic = monotonic
        self._flights: SingleFlight[_Found | TikTokError | None] = SingleFlight(_log_unclaimed)

    async def answer(self, username: str, fields: tuple[str, ...], *, refresh: bool = False) -> Answer:
        """One account, `username` as from `names.parse_username`, `fields` as from `research.fields.parse_fields`."""
        key, since, looked = same_account(username), self._clock(), False
        while True:
            stored = None if refresh and not looked else await self._cache.find(username)
            if stored is not None and _serves(stored, fields) and (not refresh or stored.retrieved_at >= since):
                return await self._answer(username, fields, _Found(stored, new=looked), requests=0)
            ask = partial(self._fetch, username, fields, known=stored, refresh=refresh)
            result, requests = await self._flights.join(key, fields, ask) or (None, 0)
            looked = True
            match result:
                case None:  # it brought other fields, or ended while nobody wanted it: look, and ask again
                    continue
                case TikTokError():
                    raise result.again(requests=requests)
                case _Found():
                    return await self._answer(username, fields, result, requests=requests)

    async def from_cache(self, username: str, fields: tuple[str, ...]) -> Answer | None:
        """The same, only if no request is needed for it: `NotFoundError` too, where that is what is remembered."""
        stored = await self._cache.find(username)
        if stored is None or not _serves(stored, fields):
            return None
        return await self._answer(username, fields, _Found(stored, new=False), requests=0)

    async def ask(self, username: str, fields: tuple[str, ...]) -> Fetched:
        """Ask TikTok afresh, for its body as it came."""
        inquiry = Inquiry()
        try:
            async with self._slots:
                return await self._ask_and_keep(username, fields, inquiry, *await self._look(username))
        except TikTokError as error:
            error.requests = inquiry.requests
            raise

    async def stored(self, username: str) -> Stored | None:
        """What is kept for an account; never sends a request."""
        return await self._cache.find(username)

    async def looks(self, username: str) -> tuple[Look, ...]:
        """What is remembered of earlier answers, in the order of time; never sends a request."""
        return await self._history.looks(username, self._clock())

    async def forget(self, username: str) -> None:
        """Nothing is kept of an account any more."""
        await self._cache.forget(username)
        await self._history.forget(username, self._clock())

    async def seen(self, beginning: str, *, limit: int) -> list[str]:
        """Accounts answered before whose names begin like this, in lower case."""
        return await self._cache.seen(beginning, limit=limit)

    async def quota(self) -> QuotaStatus:
        """Where the day's quota stands; sends nothing."""
        return await self._ledger.status()

    async def status(self) -> ServiceStatus:
        """Where everything stands; sends nothing."""
        return ServiceStatus(
            quota=await self._ledger.status(),
            state=self.store.describe(),
            accounts_cached=await self._cache.count(),
            token=self.token,
            now=self._clock(),
        )

    @property
    def token(self) -> AccessToken | None:
        """The access token in use."""
        return self._client.auth.token

    async def aclose(self) -> None:
        """Cancel what is under way and close connections and store."""
        await self._flights.aclose()
        await self._client.aclose()
        await self.store.aclose()

    async def _fetch(
        self, username: str, fields: tuple[str, ...], inquiry: Inquiry, *, known: Stored | None, refresh: bool
    ) -> _Found | TikTokError | None:
        """What becomes of one flight, for all who wait for it: an error is a value here, raised anew for each."""
        try:
            # A slot first: a lease that waits for a slot would have to be renewed for nothing.
            async with self._slots:
                if not self.store.shared or not self._cache.enabled:
                    stored, past = await self._look(username)
                    return await self._ask_for(username, fields, inquiry, stored or known, past)
                return await self._fetch_leased(username, fields, inquiry, refresh=refresh)
        except TikTokError as error:
            return error
        except UnwantedError:
            return None

    async def _fetch_leased(self, username: str, fields: tuple[str, ...], inquiry: Inquiry, *, refresh: bool) -> _Found:
        lease = Lease(self.store, f"lease:{same_account(username).encode().hex()}")
        started, give_up = self._clock(), self._monotonic() + self._timeout
        while not await lease.try_acquire():
            await lease.wait()
            stored = await self._cache.find(username)
            if stored is not None and _serves(stored, fields) and (not refresh or stored.retrieved_at >= started):
                return _Found(stored, new=refresh)
            if self._monotonic() >= give_up:
                # Whoever holds the lease has had all the time one account may take: ask without it.
                return await self._ask_for(username, fields, inquiry, *await self._look(username))
        async with lease.held():
            # Another process may have answered between our look and the lease.
            stored, past = await self._look(username)
            if stored is not None and _serves(stored, fields) and (not refresh or stored.retrieved_at >= started):
                return _Found(stored, new=refresh)
            return await self._ask_for(username, fields, inquiry, stored, past)

    async def _look(self, username: str) -> tuple[Stored | None, Past]:
        """What is stored and remembered of an account, in one round trip."""
        now, cached = self._clock(), self._cache.key(username)
        first, *rest = await self.store.get_many([cached, *self._history.keys(username, now)])
        return self._cache.read(username, first), self._history.past(rest, now)

    async def _ask_for(
        self, username: str, fields: tuple[str, ...], inquiry: Inquiry, known: Stored | None, past: Past
    ) -> _Found:
        """Ask for the fields wanted now and those stored, so that neither call's are lost to the other."""
        wanted = {*fields, *(known.fields if isinstance(known, Snapshot) else ())}
        asked = tuple(name for name in NAMES if name in wanted)
        fetched = await self._ask_and_keep(username, asked, inquiry, known, past)
        return _Found(fetched.snapshot, new=True)

    async def _ask_and_keep(
        self, username: str, fields: tuple[str, ...], inquiry: Inquiry, known: Stored | None, past: Past
    ) -> Fetched:
        try:
            fetched = await self._client.pinned_videos(username, fields, inquiry)
        except TikTokError as error:
            if isinstance(error, NotFoundError):
                await self._cache.keep_missing(username, error)
            if error.status in _GONE:
                await self._history.forget(username, self._clock())
            raise
        new = fetched.snapshot
        look = look_at(new.videos, new.retrieved_at, sandbox=new.sandbox)
        changes = past.changes_to(look)
        kept = Kept.of(new, changes)
        await self._cache.keep(kept, instead_of=known, at_most=self._history.left_of(changes, kept.retrieved_at))
        await self._history.remember(username, look, past)
        return replace(fetched, snapshot=kept)

    async def _answer(self, username: str, fields: tuple[str, ...], found: _Found, *, requests: int) -> Answer:
        if isinstance(found.what, Missing):
            raise found.what.error()
        snapshot = found.what.narrowed(username, fields)
        changes = found.what.changes if isinstance(found.what, Kept) else None
        if changes is not None and found.what.fields != fields:
            changes = changes.only(fields)
        return Answer(snapshot, not found.new, requests, await self._ledger.note(), changes)


def _serves(stored: Stored, fields: tuple[str, ...]) -> bool:
    return isinstance(stored, Missing) or stored.serves(fields)


def _log_unclaimed(account: str, requests: int) -> None:
    _log.info(
        "ended with nobody waiting; an answer is kept for the next call: account=%s requests=%d", account, requests
    )
