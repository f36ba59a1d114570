"""An account's answer: from the cache, from a request under way, or from TikTok. What everything above asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tiktok_pinned_videos.research.budget import RequestContext, UnwantedError
from tiktok_pinned_videos.research.client import Fetched, ResearchClient
from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.models import Missing, Snapshot
from tiktok_pinned_videos.research.names import same_account
from tiktok_pinned_videos.research.oauth import AccessToken
from tiktok_pinned_videos.service.history import History
from tiktok_pinned_videos.service.observations import Changes, Observation
from tiktok_pinned_videos.state.base import StateStore, StateStoreError

from .cache import AnswerCache, Stored
from .fetch import Fetcher, Found, serves
from .quota import Ledger, QuotaStatus
from .single_flight import SingleFlight

_log = logging.getLogger("tiktok_pinned_videos.calls")


@dataclass(frozen=True, slots=True)
class Answer:
    """A snapshot as one call gets it: its fields, no others, and what the call adds."""

    snapshot: Snapshot
    cached: bool
    requests: int
    """Research requests that this call itself caused."""
    quota_note: str | None = None
    stored: bool = True
    """Whether the store has it, so that the resource `tiktok://pinned/{username}` shows it."""
    changes: Changes | None = None
    """What has changed since the oldest observation that is remembered; None where there is no past."""


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


class PinnedVideosService:
    """Answers for accounts. Raises one of `research.errors`, each caller its own."""

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        client: ResearchClient,
        cache: AnswerCache,
        history: History,
        ledger: Ledger,
        store: StateStore,
        clock: Callable[[], float],
    ) -> None:
        self._fetcher = fetcher
        self._client = client
        self._cache = cache
        self._history = history
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._flights: SingleFlight[Found | TikTokError | None] = SingleFlight(_log_unclaimed)

    async def answer(self, username: str, fields: tuple[str, ...], *, refresh: bool = False) -> Answer:
        """One account, `username` as from `names.parse_username`, `fields` as from `research.fields.parse_fields`."""
        key, since, looked = same_account(username), self._clock(), False
        while True:
            stored = None if refresh and not looked else await self._cache.find(username)
            if stored is not None and serves(stored, fields) and (not refresh or stored.retrieved_at >= since):
                return await self._answer(username, fields, stored, new=looked, requests=0)
            ask = partial(self._fetch, username, fields, refresh=refresh)
            result, requests = await self._flights.join(key, fields, ask) or (None, 0)
            if isinstance(result, TikTokError):
                raise result.again(requests=requests)
            if result is not None:
                stored, new = result
                return await self._answer(username, fields, stored, new=new, requests=requests)
            looked = True  # it brought other fields, or ended while nobody wanted it: look, and ask again

    async def from_cache(self, username: str, fields: tuple[str, ...]) -> Answer | None:
        """The same, only if no request is needed for it: `NotFoundError` too, where that is what is remembered."""
        stored = await self._cache.find(username)
        if stored is None or not serves(stored, fields):
            return None
        return await self._answer(username, fields, stored, new=False, requests=0)

    async def fetch_raw(self, username: str, fields: tuple[str, ...]) -> Fetched:
        """Ask TikTok afresh, for its body as it came."""
        context = RequestContext()
        try:
            return await self._fetcher.raw(username, fields, context)
        except TikTokError as error:
            error.requests = context.requests
            raise

    async def stored(self, username: str) -> Stored | None:
        """What is kept for an account; never sends a request."""
        return await self._cache.find(username)

    async def observations(self, username: str) -> tuple[Observation, ...]:
        """What is remembered of earlier answers, in the order of time; never sends a request."""
        return await self._history.observations(username, self._clock())

    async def forget(self, username: str) -> None:
        """Nothing is kept of an account any more."""
        await self._fetcher.forget(username)

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
            state=self._store.describe(),
            accounts_cached=await self._cache.count(),
            token=self.token,
            now=self._clock(),
        )

    async def check_state(self) -> str:
        """Write to the store to see that it serves; its description. Raises `StateStoreError` when it does not."""
        await self._store.ping()
        if self._store.degraded:
            raise StateStoreError(self._store.describe())
        return self._store.describe()

    @property
    def token(self) -> AccessToken | None:
        """The access token in use."""
        return self._client.auth.token

    async def aclose(self, *, drain: float = 0.0) -> None:
        """Give requests already sent `drain` seconds to finish, cancel the rest, close connections and store."""
        del drain
        await self._flights.aclose()
        await self._client.aclose()
        await self._store.aclose()

    async def _fetch(
        self, username: str, fields: tuple[str, ...], context: RequestContext, *, refresh: bool
    ) -> Found | TikTokError | None:
        """What becomes of one flight, for all who wait for it: an error is a value here, raised anew for each."""
        try:
            return await self._fetcher.fetch(username, fields, context, refresh=refresh)
        except TikTokError as error:
            return error
        except UnwantedError:
            return None

    async def _answer(
        self, username: str, fields: tuple[str, ...], stored: Stored, *, new: bool, requests: int
    ) -> Answer:
        if isinstance(stored, Missing):
            raise stored.error()
        changes = stored.changes
        if changes is not None and stored.fields != fields:
            changes = changes.only(fields)
        return Answer(stored.narrowed(username, fields), not new, requests, await self._ledger.note(), changes=changes)


def _log_unclaimed(account: str, requests: int) -> None:
    _log.info(
        "ended with nobody waiting; an answer is kept for the next call: account=%s requests=%d", account, requests
    )
