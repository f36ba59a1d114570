"""Answers for accounts: from the store, from a request in flight, or from TikTok.

A request starts with one read of the store, and ends with one write that stores its whole result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.research.budget import RequestContext, UnwantedError
from tiktok_pinned_videos.research.client import Fetched, ResearchClient
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Snapshot
from tiktok_pinned_videos.research.names import in_key, same_account
from tiktok_pinned_videos.research.oauth import AccessToken
from tiktok_pinned_videos.state.base import Store, UnusableStoreError

from .accounts import Accounts, CachedSnapshot, Known, Missing, Stored
from .history import Changes
from .quota import Ledger
from .single_flight import Ask, SingleFlight, lease

Fields: TypeAlias = tuple[str, ...]
_GONE: Final = (errors.Status.NOT_FOUND, errors.Status.REFUSED)
"""After these answers of TikTok the stored data of the account is deleted, as TikTok's terms require."""


class StoppingError(errors.APIConnectionError):
    """The program ends before an account is answered."""

    for_every_account = True
    next_step = "Call again."

    def __init__(self, what: str = "the program ended before this account was answered.") -> None:
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one call: a snapshot with the requested fields, and facts about the call."""

    snapshot: Snapshot
    cached: bool
    requests: int
    """Research requests that this call caused."""
    quota_note: str | None = None
    stored: bool = True
    """Whether the store has it, so that the resource `tiktok://pinned/{username}` shows it."""
    changes: Changes | None = None
    """The changes since the oldest observation; None without one."""


class _Found(NamedTuple):
    """The result of a request: an answer and whether it is new (another process may have sent it), or an error."""

    stored: Stored | None = None
    new: bool = True
    body: bytes = b""
    error: errors.TikTokError | None = None


class PinnedVideosService:
    """The service that answers for accounts, `max_concurrency` at once. Raises errors of `research.errors`.

    `accounts` (what is stored), `ledger` (the quota) and `store` can be read without a request.
    """

    def __init__(
        self,
        *,
        client: ResearchClient,
        accounts: Accounts,
        ledger: Ledger,
        store: Store,
        max_concurrency: int,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self.accounts = accounts
        self.ledger = ledger
        self.store = store
        self._slots = asyncio.Semaphore(max_concurrency)
        self.clock = clock
        self._flights: SingleFlight[_Found] = SingleFlight()

    async def answer(self, username: str, fields: Fields, *, refresh: bool = False) -> Answer:
        """Return the answer of one account. `parse_username` and `parse_fields` return the arguments."""
        await self.check_usable()
        since, waited = self.clock(), False
        while True:
            stored = None if refresh and not waited else await self.accounts.answer(username)
            if stored is not None and stored.serves(fields) and (not refresh or stored.retrieved_at >= since):
                return await self._answer(username, fields, stored, new=waited)
            fetch = partial(self._fetch, username, fields, refresh)
            found, requests = await self._join(same_account(username), fields, fetch)
            if found.stored is not None:
                return await self._answer(username, fields, found.stored, new=found.new, requests=requests)
            waited = True  # that request had other fields, or was cancelled: read the store again

    async def from_cache(self, username: str, fields: Fields) -> Answer | None:
        """Return the answer if it is stored; None otherwise. Raises a stored `NotFoundError`."""
        stored = None if self._flights.closing else await self.accounts.answer(username)
        if stored is not None and stored.serves(fields):
            return await self._answer(username, fields, stored)
        return None

    async def fetch_raw(self, username: str, fields: Fields) -> Fetched:
        """Send a new request for exactly these fields, and return the answer with TikTok's body."""
        await self.check_usable()
        no_other_call_joins = object()
        found, _ = await self._join(no_other_call_joins, fields, partial(self._fetch_raw, username, fields))
        if not isinstance(found.stored, CachedSnapshot):
            raise StoppingError
        return Fetched(found.stored, found.body)

    async def check_usable(self) -> None:
        """Raise `ConfigurationError` if the store can never work as it is set up, such as one node of a cluster."""
        try:
            await self.store.check_usable()
        except UnusableStoreError as fault:
            what = f"the state store of TIKTOK_STATE cannot work: {fault}."
            raise errors.ConfigurationError(what, next_step=fault.next_step) from None

    @property
    def token(self) -> AccessToken | None:
        """The access token in use."""
        return self._client.auth.token

    async def aclose(self, *, drain: float = 0.0) -> None:
        """Close. Requests already sent may finish within `drain` seconds; all other calls end at once."""
        await self._flights.aclose(drain=drain, for_store=self.store.shared)
        await self._client.aclose()
        await self.store.aclose()

    async def _join(self, key: Hashable, fields: Fields, ask: Ask[_Found]) -> tuple[_Found, int]:
        if self._flights.closing:
            raise StoppingError
        found, cost = await self._flights.join(key, fields, ask) or (_Found(), 0)
        if found.error is not None:
            raise found.error.again(requests=cost)
        return found, cost

    async def _fetch(self, username: str, fields: Fields, refresh: bool, context: RequestContext) -> _Found:
        """Return an answer with these fields. If several processes need it at once, one of them sends the request."""
        started = self.clock()

        def enough(known: Known) -> bool:
            stored = known.stored
            return stored is not None and stored.serves(fields) and (not refresh or stored.retrieved_at > started)

        shared = self.store if self.store.shared and self.accounts.cached else None
        read = partial(self.accounts.load, username)
        async with self._slots, lease(shared, f"lease:{in_key(username)}", read, enough=enough) as known:
            if enough(known):
                return _Found(known.stored, new=refresh)
            # The stored fields are requested as well, so that later calls still find them.
            wanted = {*fields, *(known.stored.fields if isinstance(known.stored, CachedSnapshot) else ())}
            return await self._ask(username, tuple(name for name in NAMES if name in wanted), context, known)

    async def _fetch_raw(self, username: str, fields: Fields, context: RequestContext) -> _Found:
        async with self._slots:
            return await self._ask(username, fields, context, await self.accounts.load(username))

    async def _ask(self, username: str, fields: Fields, context: RequestContext, known: Known) -> _Found:
        """Send the request and store its result."""
        try:
            fetched = await self._client.pinned_videos(username, fields, context)
        except UnwantedError:
            return _Found()
        except errors.TikTokError as error:
            # Without a code, a gateway answered instead of TikTok: its status says nothing about the account.
            if error.status in _GONE and error.code is not None:
                context.on_the_wire = True  # until the store has deleted it
                await self.accounts.remove(username, error)
            return _Found(error=error)
        context.on_the_wire = True  # until it is stored
        return _Found(await self.accounts.save(fetched.snapshot, known), body=fetched.body)

    async def _answer(
        self, username: str, fields: Fields, stored: Stored, *, new: bool = False, requests: int = 0
    ) -> Answer:
        if isinstance(stored, Missing):
            raise stored.error()
        changes = stored.changes.only(fields) if stored.changes is not None else None
        note = None if self._flights.closing else await self.ledger.note()
        return Answer(stored.narrowed(username, fields), not new, requests, note, self.accounts.cached, changes)
