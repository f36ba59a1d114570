"""The client: one account's pinned videos within one deadline, with its pauses and retries."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from . import errors, wire
from .budget import Budget, PausedError, RequestContext, UnwantedError
from .models import Snapshot
from .network import connection_error, network_transport
from .oauth import ClientCredentialsAuth, TokenStore, reply_of
from .retry import RetrySchedule
from .transport import GuardedTransport

_MAX_WAIT: Final = 0.8  # the part of the remaining time that may be spent on waiting for a pause to end


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of TikTok, and its body as it came."""

    snapshot: Snapshot
    body: bytes


class ResearchClient:
    """TikTok's Research API for pinned videos. Connections are opened on first use and kept for two minutes.

    Raises one of `errors`, never an exception of the HTTP library. Source: POST /v2/research/user/pinned_videos/.
    """

    def __init__(
        self,
        *,
        base_url: str,
        client_key: str,
        client_secret: str,
        timeout: float,
        max_concurrency: int,
        budget: Budget,
        clock: Callable[[], float],
        tokens: TokenStore | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._limits = httpx.Limits(max_connections=max_concurrency + 2, keepalive_expiry=120)
        self._budget = budget
        self._clock = clock
        self._random = random
        self._inner = transport
        self._secrets = (client_secret, client_key)
        self._http: httpx.AsyncClient | None = None
        self.auth = ClientCredentialsAuth(
            token_url=self._base_url + wire.TOKEN_PATH,
            client_key=client_key,
            client_secret=client_secret,
            clock=clock,
            shared=tokens,
        )

    async def pinned_videos(self, username: str, fields: tuple[str, ...], context: RequestContext) -> Fetched:
        """Request one account, retries included, within the timeout from its first request on.

        `context` counts the requests. Once no caller waits any more, the request in flight is completed and no other is
        sent. Raises `UnwantedError` if no answer has arrived by then.
        """
        try:
            async with asyncio.timeout(self._timeout) as limit:
                return await self._request_until_answered(username, fields, context, limit)
        except TimeoutError:
            raise errors.APITimeoutError(f"TikTok did not answer within {self._timeout:g} s.") from None

    async def aclose(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _request_until_answered(
        self, username: str, fields: tuple[str, ...], context: RequestContext, limit: asyncio.Timeout
    ) -> Fetched:
        schedule = RetrySchedule(self._random)
        loop = asyncio.get_running_loop()
        deadline = limit.when() or loop.time()
        while True:
            try:
                fetched = await self._request(username, fields, context)
            except PausedError as pause:
                # A request sent in the last moment could only end as a timeout, which would be the wrong reason.
                if pause.seconds >= _MAX_WAIT * (deadline - loop.time()):
                    what = f"TikTok's rate limit was reached; requests are paused for another {pause.seconds:.0f} s."
                    raise errors.RateLimitError(what) from None
                delay = pause.seconds
            except errors.TikTokError as error:
                retry = schedule.delay_after(error, remaining=deadline - loop.time())
                await self._report(error, context, retry)
                if retry is None:
                    raise
                if not context.wanted():
                    raise UnwantedError from None
                delay = retry
            else:
                if context.reservation is not None:
                    await self._budget.answered(context.reservation)
                return fetched
            await asyncio.sleep(delay)

    async def _report(self, error: errors.TikTokError, context: RequestContext, delay: float | None) -> None:
        """Report a failure that concerns the daily quota or the rate limit to the budget."""
        if error.sandbox:  # simulated: nothing of the day is used up
            return
        if error.status is errors.Status.RATE_LIMITED:
            await self._budget.pause(delay if delay is not None else error.retry_after or 1.0)
        if context.reservation is None or error.code is None:
            return
        if isinstance(error, errors.QuotaExceededError):
            await self._budget.refused(context.reservation)
        elif error.status in (errors.Status.NOT_FOUND, errors.Status.REFUSED):
            # TikTok searched for the account, so something of the quota was left.
            await self._budget.answered(context.reservation)

    async def _request(self, username: str, fields: tuple[str, ...], context: RequestContext) -> Fetched:
        http = self._client()
        request = http.build_request(
            "POST",
            self._base_url + wire.PINNED_VIDEOS_PATH + "?fields=" + ",".join(fields),
            headers={"Content-Type": "application/json"},
            content=json.dumps({"username": username}, ensure_ascii=False).encode("utf-8"),
            extensions={"context": context},
        )
        try:
            response = await http.send(request, auth=self.auth)
        except (httpx.HTTPError, httpx.StreamError, OSError) as fault:
            raise connection_error(fault, self._base_url) from None
        finally:
            context.on_the_wire = False
        now = self._clock()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        reply = reply_of(response, now, (*self._secrets, token))
        try:
            videos, log_id = wire.parse_pinned_videos(reply, fields)
        except errors.TikTokError as error:
            error.body = response.content
            raise
        snapshot = Snapshot(username, fields, videos, retrieved_at=now, log_id=log_id, sandbox=reply.sandbox)
        return Fetched(snapshot, response.content)

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            inner = self._inner or network_transport(self._base_url, limits=self._limits)
            self._http = httpx.AsyncClient(
                transport=GuardedTransport(inner, base_url=httpx.URL(self._base_url), budget=self._budget),
                headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
                timeout=httpx.Timeout(self._timeout, connect=min(10.0, self._timeout)),
                follow_redirects=False,
            )
        return self._http
