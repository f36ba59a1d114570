"""The client: one account's pinned videos within one deadline.

Knows in which order things happen (slot, pause, request, retry); what a response means is `wire`'s, when to try again
is `retry`'s, who may be asked at all is `transport`'s.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Protocol
from urllib.request import getproxies, proxy_bypass

import httpx

from . import errors, wire
from .models import PinnedVideos
from .oauth import ClientCredentialsAuth, TokenStore, reply_of
from .retry import RetrySchedule
from .transport import Budget, GuardedTransport, Tally


class Pace(Protocol):
    """The pause that follows TikTok's short-term rate limit, for all calls of the process or fleet."""

    async def remaining(self) -> float:
        """Seconds until requests may be sent again; 0.0 when they may."""
        ...

    async def pause(self, seconds: float) -> None:
        """Have everyone wait that long."""
        ...


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
        pace: Pace,
        clock: Callable[[], float],
        tokens: TokenStore | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._limits = httpx.Limits(
            max_connections=max_concurrency + 2, max_keepalive_connections=max_concurrency + 2, keepalive_expiry=120
        )
        self._slots = asyncio.Semaphore(max_concurrency)
        self._budget = budget
        self._pace = pace
        self._clock = clock
        self._random = random
        self._inner = transport
        self._wrap = wrap
        self._secrets = (client_secret, client_key)
        self._http: httpx.AsyncClient | None = None
        self.auth = ClientCredentialsAuth(
            token_url=self._base_url + wire.TOKEN_PATH,
            client_key=client_key,
            client_secret=client_secret,
            clock=clock,
            shared=tokens,
        )

    async def pinned_videos(self, username: str, fields: tuple[str, ...]) -> PinnedVideos:
        """Ask TikTok for one account, retries included, within the timeout from its first request on."""
        tally = Tally()
        async with self._slots:
            try:
                async with asyncio.timeout(self._timeout) as limit:
                    return await self._ask_until_told(username, fields, tally, limit)
            except TimeoutError:
                error = errors.APITimeoutError(f"TikTok did not answer within {self._timeout:g} s.")
                error.requests = tally.requests
                raise error from None
            except errors.TikTokError as error:
                error.requests = tally.requests
                raise

    async def aclose(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _ask_until_told(
        self, username: str, fields: tuple[str, ...], tally: Tally, limit: asyncio.Timeout
    ) -> PinnedVideos:
        schedule = RetrySchedule(self._random)
        loop = asyncio.get_running_loop()
        deadline = limit.when() or loop.time()
        while True:
            await self._wait_for_pace(deadline - loop.time())
            try:
                answer = await self._ask_once(username, fields, tally)
            except errors.TikTokError as error:
                delay = schedule.delay_after(error, remaining=deadline - loop.time())
                # The sandbox's rate limit is a rehearsal for one account; a real one concerns everybody.
                if error.status is errors.Status.RATE_LIMITED and not error.sandbox:
                    await self._pace.pause(delay if delay is not None else error.retry_after or 1.0)
                if isinstance(error, errors.QuotaExceededError) and error.code and not error.sandbox:
                    await self._budget.close()
                if _looked_up(error):
                    await self._budget.confirm()
                if delay is None:
                    raise
            else:
                await self._budget.confirm()
                return answer
            await asyncio.sleep(delay)

    async def _wait_for_pace(self, remaining: float) -> None:
        # Whoever waits wakes together with others who do: look again, somebody may have met the limit once more.
        while (pause := await self._pace.remaining()) > 0:
            # A request sent in the last moment could only end as a timeout, which would be the wrong reason.
            if pause >= 0.8 * remaining:
                raise errors.RateLimitError(
                    f"TikTok's short-term rate limit was reached; requests are paused for another {pause:.0f} s.",
                )
            await asyncio.sleep(pause)
            remaining -= pause

    async def _ask_once(self, username: str, fields: tuple[str, ...], tally: Tally) -> PinnedVideos:
        request = self._client().build_request(
            "POST",
            self._base_url + wire.PINNED_VIDEOS_PATH + "?fields=" + ",".join(fields),
            headers={"Content-Type": "application/json"},
            content=json.dumps({"username": username}, ensure_ascii=False).encode("utf-8"),
            extensions={"tally": tally},
        )
        try:
            response = await self._client().send(request, auth=self.auth)
        except httpx.TimeoutException:
            raise errors.APITimeoutError("no connection to TikTok could be made in time.", retryable=True) from None
        except httpx.ConnectError as fault:
            raise errors.APIConnectionError(self._unreachable(fault), retryable=True) from None
        except (httpx.HTTPError, httpx.StreamError, OSError):
            raise errors.APIConnectionError("the connection to TikTok broke in mid-answer.", retryable=True) from None
        now = self._clock()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        reply = reply_of(response, now, (*self._secrets, token))
        try:
            videos, log_id = wire.parse_pinned_videos(reply, fields)
        except errors.TikTokError as error:
            error.body = response.content
            raise
        return PinnedVideos(
            username=username,
            fields=fields,
            videos=videos,
            log_id=log_id,
            retrieved_at=now,
            sandbox=reply.sandbox,
            requests=tally.requests,
            body=response.content,
        )

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            inner = self._inner or self._network()
            inner = self._wrap(inner) if self._wrap is not None else inner
            self._http = httpx.AsyncClient(
                transport=GuardedTransport(inner, base_url=httpx.URL(self._base_url), budget=self._budget),
                headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
                timeout=httpx.Timeout(self._timeout, connect=min(10.0, self._timeout)),
                follow_redirects=False,
            )
        return self._http

    def _network(self) -> httpx.AsyncBaseTransport:
        # httpx reads the proxy variables only where it makes the transport itself. Plain http is for loopback, and a
        # proxy would carry the secret away from there.
        url, known = httpx.URL(self._base_url), getproxies()
        proxy = known.get("https") or known.get("all") if url.scheme == "https" and not proxy_bypass(url.host) else None
        if proxy and "://" not in proxy:
            proxy = f"http://{proxy}"
        try:
            # Loading the certificate authorities is most of the cost of a transport; plain http has no use for them.
            return httpx.AsyncHTTPTransport(verify=url.scheme == "https", limits=self._limits, proxy=proxy)
        except (ValueError, httpx.InvalidURL, ImportError):
            # ImportError: SOCKS needs a package of its own.
            raise errors.APIConnectionError(
                "the proxy that the environment names cannot be used.",
                advice="Set HTTPS_PROXY to http://host:port (for socks5://, install socksio) or unset it.",
            ) from None

    def _unreachable(self, fault: Exception) -> str:
        host = httpx.URL(self._base_url).host
        if "CERTIFICATE" in str(fault).upper():
            return f"the TLS certificate of {host} could not be verified."
        return f"no connection to {host} could be made."


def _looked_up(error: errors.TikTokError) -> bool:
    """Whether TikTok looked for the account before it refused, so that something of the quota was left."""
    about_it = isinstance(error, errors.NotFoundError | errors.PermissionDeniedError) and not error.for_every_account
    return about_it and error.code is not None and not error.sandbox
