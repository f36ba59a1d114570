"""Many accounts as one call: several at once, a result for each, and no further request once all would fail alike."""

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
    """An outcome for each of the (distinct) names, in their order; `max_concurrency` are asked about at once.

    An error that every further account would meet as well (quota, credentials) ends the asking; the rest get what
    `fallback` has for them without a request (an answer or an error of their own), or that error. What is not
    answered within `time_limit` seconds is an outcome with `APITimeoutError`. `progress` is called after each account,
    one after the other, with how many are done and the one just done; no other account begins meanwhile.
    """
    waiting, running = iter(usernames), set[asyncio.Task[Outcome[R]]]()
    outcomes: dict[str, Outcome[R]] = {}
    common: TikTokError | None = None
    """The failure that every account would meet now."""

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
            # One account's surprise must not cost the others their answers.
            _log.exception("unexpected fault while asking for an account")
            return Outcome(username, error=InternalError())

    try:
        async with asyncio.timeout(time_limit):
            while len(outcomes) < len(usernames):
                # A caller that cannot keep an answer must not cause further requests, so new ones begin after it has.
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
    late = APITimeoutError("the call as a whole ran out of time before this account.", next_step="Call again.")
    return [outcomes.get(name) or Outcome(name, error=late) for name in usernames]
