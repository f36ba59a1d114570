"""An account's answer: from the cache, from a flight under way, or from TikTok. The one door to `research` for all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tiktok_pinned_videos.research.client import ResearchClient
from tiktok_pinned_videos.research.errors import NotFoundError
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import PinnedVideos, Video
from tiktok_pinned_videos.research.oauth import AccessToken
from tiktok_pinned_videos.state.base import StateStore

from .cache import AnswerCache, Entry
from .flight import Flights, Lease
from .ledger import Ledger
from .looks import Changes
from .names import same_account


@dataclass(frozen=True, slots=True)
class Answer:
    """What is told about one account: the fields asked for, no others."""

    username: str
    fields: tuple[str, ...]
    videos: tuple[Video, ...]
    retrieved_at: float
    """Unix seconds; a cached answer keeps its own."""
    log_id: str | None
    sandbox: bool
    cached: bool
    requests: int
    """Research requests that this call itself caused."""
    quota_note: str | None = None
    changes: Changes | None = None
    """What has changed since the oldest look that is remembered; None where there is no past."""


class PinnedVideosService:
    """Answers for accounts. Raises one of `research.errors`."""

    def __init__(
        self,
        *,
        client: ResearchClient,
        cache: AnswerCache,
        ledger: Ledger,
        store: StateStore,
        namespace: str,
        timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self.cache = cache
        self.ledger = ledger
        self.store = store
        self._namespace = namespace
        self._timeout = timeout
        self._monotonic = monotonic
        self._flights: Flights[PinnedVideos | Entry] = Flights()

    async def answer(self, username: str, fields: tuple[str, ...], *, refresh: bool = False) -> Answer:
        """One account, `username` as from `names.parse_username`, `fields` as from `research.fields.parse_fields`."""
        key = same_account(username)
        looked_from = 0.0
        while True:
            if not refresh or looked_from:
                entry = await self.cache.find(username)
                if entry is not None and entry.retrieved_at >= looked_from and entry.serves(fields):
                    return await self._told(username, fields, entry, cached=not looked_from, requests=0)
            since = self.cache.now() if refresh else 0.0
            flown = await self._flights.join(key, fields, lambda: self._fetch(username, fields, refresh=refresh))
            if flown is not None:
                result, leads = flown
                requests = result.requests if leads and isinstance(result, PinnedVideos) else 0
                cached = isinstance(result, Entry) and not refresh
                return await self._told(username, fields, result, cached=cached, requests=requests)
            looked_from = since

    async def from_cache(self, username: str, fields: tuple[str, ...]) -> Answer | None:
        """The same, only if no request is needed for it: `NotFoundError` too, where that is what is remembered."""
        entry = await self.cache.find(username)
        if entry is None or not entry.serves(fields):
            return None
        return await self._told(username, fields, entry, cached=True, requests=0)

    async def ask(self, username: str, fields: tuple[str, ...]) -> PinnedVideos:
        """Ask TikTok afresh, for its body as it came."""
        return await self._ask_and_keep(username, fields)

    async def stored(self, username: str) -> Entry | None:
        """What is kept for an account; never sends a request."""
        return await self.cache.find(username)

    @property
    def token(self) -> AccessToken | None:
        """The access token in use, for a status report."""
        return self._client.auth.token

    def store_description(self) -> str:
        """Which store is in use and whether it works, in a few words."""
        return self.store.describe()

    async def aclose(self) -> None:
        """Cancel what is under way and close connections and store."""
        await self._flights.aclose()
        await self._client.aclose()
        await self.store.aclose()

    async def _fetch(self, username: str, fields: tuple[str, ...], *, refresh: bool) -> PinnedVideos | Entry:
        if not self.store.shared or not self.cache.enabled:
            return await self._ask_and_keep(username, await self._with_stored(username, fields))
        lease = Lease(self.store, f"{self._namespace}:flight:{same_account(username).encode().hex()}")
        started, give_up = self.cache.now(), self._monotonic() + self._timeout
        while not await lease.try_acquire():
            await lease.wait()
            entry = await self.cache.find(username)
            if entry is not None and entry.serves(fields) and (not refresh or entry.retrieved_at >= started):
                return entry
            if self._monotonic() >= give_up:
                break
        else:
            async with lease.held():
                # Another process may have answered between our look and the lease.
                entry = None if refresh else await self.cache.find(username)
                if entry is not None and entry.serves(fields):
                    return entry
                return await self._ask_and_keep(username, await self._with_stored(username, fields))
        # Whoever holds the lease has had all the time one account may take: ask without it.
        return await self._ask_and_keep(username, await self._with_stored(username, fields))

    async def _with_stored(self, username: str, fields: tuple[str, ...]) -> tuple[str, ...]:
        """The fields wanted now and those stored for this account, so that neither call's are lost to the other."""
        entry = await self.cache.find(username)
        wanted = {*fields, *(entry.fields if entry is not None else ())}
        return tuple(name for name in NAMES if name in wanted)

    async def _ask_and_keep(self, username: str, fields: tuple[str, ...]) -> PinnedVideos:
        try:
            answer = await self._client.pinned_videos(username, fields)
        except NotFoundError as error:
            await self.cache.keep_missing(username, error)
            raise
        await self.cache.keep(answer)
        return answer

    async def _told(
        self, username: str, fields: tuple[str, ...], source: PinnedVideos | Entry, *, cached: bool, requests: int
    ) -> Answer:
        if isinstance(source, Entry) and source.missing:
            raise NotFoundError(
                "TikTok knows no account of this name.", code=source.code, log_id=source.log_id, sandbox=source.sandbox
            )
        exact = set(source.fields) == set(fields)
        return Answer(
            username=username,
            fields=fields,
            videos=source.videos if exact else tuple(video.only(fields) for video in source.videos),
            retrieved_at=source.retrieved_at,
            log_id=source.log_id,
            sandbox=source.sandbox,
            cached=cached,
            requests=requests,
            quota_note=await self.ledger.note(),
        )
