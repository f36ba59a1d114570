"""Many accounts as one call: several at once, a result for each, and no further request once asking is hopeless."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from tiktok_pinned_videos.research.errors import APITimeoutError, TikTokError

_log = logging.getLogger(__name__)
_FEW: Final = 4
_SLOW: Final = 0.04
"""Seconds; an answer that takes no longer than this is worth waiting for before more are asked for at once."""


class Costed(Protocol):
    """Whatever an account is answered with."""

    @property
    def requests(self) -> int:
        """How many requests it took; 0 for a cached one."""
        ...


R = TypeVar("R", bound=Costed)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """One account: exactly one of `answer` and `error`."""

    username: str
    answer: R | None = None
    error: TikTokError | None = None


async def ask_many(
    usernames: Sequence[str],
    *,
    ask: Callable[[str], Awaitable[R]],
    otherwise: Callable[[str], Awaitable[R | None]] | None,
    max_concurrency: int,
    time_limit: float | None,
    progress: Callable[[int, Outcome[R]], Awaitable[None]],
) -> list[Outcome[R]]:
    """An outcome for each of the (distinct) names, in their order.

    An error that every further account would meet as well (quota, credentials) ends the asking; the rest get what
    `otherwise` has for them without a request (an answer or an error of their own), or that error. What is not
    answered within `time_limit` seconds is an outcome with `APITimeoutError`. `progress` is called after each account,
    one after the other, with how many are done and the one just done.
    """
    asking = _Asking(usernames, ask, otherwise)
    workers = [asyncio.create_task(asking.work(index)) for index in range(min(max_concurrency, len(usernames)))]
    try:
        async with asyncio.timeout(time_limit):
            for done in range(1, len(usernames) + 1):
                await progress(done, await asking.results.get())
    except TimeoutError:
        pass
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    late = APITimeoutError("the call as a whole ran out of time before this account.", advice="Call again.")
    return [asking.outcomes.get(name) or Outcome(name, error=late) for name in usernames]


class _Asking(Generic[R]):
    def __init__(
        self,
        usernames: Sequence[str],
        ask: Callable[[str], Awaitable[R]],
        otherwise: Callable[[str], Awaitable[R | None]] | None,
    ) -> None:
        self._waiting = iter(usernames)
        self._ask = ask
        self._otherwise = otherwise
        self._hopeless: TikTokError | None = None
        self._slow = asyncio.Event()
        self.results: asyncio.Queue[Outcome[R]] = asyncio.Queue()
        self.outcomes: dict[str, Outcome[R]] = {}

    async def work(self, index: int) -> None:
        # More than a few at once pay only while answers take their time; with fast ones they would only add to what
        # is already on its way when a quota ends.
        if index >= _FEW:
            await self._slow.wait()
        for username in self._waiting:
            outcome = await self._timed(username)
            self.outcomes[username] = outcome
            self.results.put_nowait(outcome)
            if index >= _FEW:
                await self._slow.wait()

    async def _timed(self, username: str) -> Outcome[R]:
        started = time.monotonic()
        late = asyncio.get_running_loop().call_later(_SLOW, self._slow.set)
        try:
            outcome = await self._one(username)
        finally:
            late.cancel()
        known = outcome.answer if outcome.answer is not None else outcome.error
        # The first answers wait for connection, token and store as well, and a cached one says nothing about TikTok.
        quick = known is not None and known.requests and time.monotonic() - started < _SLOW
        if quick or not self.outcomes:
            self._slow.clear()
        return outcome

    async def _one(self, username: str) -> Outcome[R]:
        try:
            if self._hopeless is None:
                return Outcome(username, await self._ask(username))
            known = await self._otherwise(username) if self._otherwise is not None else None
            return Outcome(username, answer=known, error=None if known is not None else self._hopeless)
        except TikTokError as error:
            # The sandbox rehearses a spent quota for one account only.
            if error.for_every_account and not error.sandbox:
                self._hopeless = self._hopeless or error
            return Outcome(username, error=error)
        except Exception:
            # One account's surprise must not cost the others their answers.
            _log.exception("unexpected fault while asking for an account")
            return Outcome(username, error=TikTokError("a fault inside this server.", advice="Please report it."))
