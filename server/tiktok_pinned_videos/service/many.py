"""Request many accounts at once. Each has its own outcome. No request is sent after an error that all would meet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from tiktok_pinned_videos.research.errors import APITimeoutError, InternalError, TikTokError

_log = logging.getLogger(__name__)

R = TypeVar("R")


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
    fallback: Callable[[str], Awaitable[R | None]] | None,
    max_concurrency: int,
    time_limit: float | None,
    progress: Callable[[int, Outcome[R]], Awaitable[None]],
) -> list[Outcome[R]]:
    """Return an outcome for each of the (distinct) names, in their order, with `max_concurrency` at the same time.

    After an error that every further account would meet (quota, credentials) no request is sent. The remaining accounts
    get the result of `fallback`, which sends no request, or that error. Accounts without an answer after `time_limit`
    seconds get `APITimeoutError`. `progress` is called for each account, one at a time, with the number of accounts
    done and the outcome; no other account starts meanwhile.
    """
    waiting, running = iter(usernames), set[asyncio.Task[Outcome[R]]]()
    outcomes: dict[str, Outcome[R]] = {}
    common: TikTokError | None = None
    """The error that every further account would meet."""

    async def one(username: str) -> Outcome[R]:
        nonlocal common
        try:
            if common is None:
                return Outcome(username, await ask(username))
            known = await fallback(username) if fallback is not None else None
            return Outcome(username, answer=known, error=None if known is not None else common.again())
        except TikTokError as error:
            if error.for_every_account:
                common = common or error
            return Outcome(username, error=error)
        except Exception:
            _log.exception("unexpected fault while asking for an account")
            return Outcome(username, error=InternalError())

    try:
        async with asyncio.timeout(time_limit):
            while len(outcomes) < len(usernames):
                free = max_concurrency - len(running)
                running |= {asyncio.create_task(one(username)) for username in islice(waiting, free)}
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for outcome in [task.result() for task in done]:
                    outcomes[outcome.username] = outcome
                    await progress(len(outcomes), outcome)
    except TimeoutError:
        pass
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    late = APITimeoutError(
        "the time for the whole call ended before this account was answered.", next_step="Call again."
    )
    return [outcomes.get(name) or Outcome(name, error=late) for name in usernames]
