"""OAuth client credentials for TikTok as an `httpx.Auth`; calls that need a token at once share one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

import httpx

from . import wire
from .errors import TikTokError
from .refusals import Reply

_MAX_BUFFER = 300.0
_RENEWAL_PAUSE = 20.0  # seconds in which a valid token is not renewed again after a renewal failed


class TokenState(Enum):
    """Whether a token is valid at a moment, and whether it should be renewed."""

    FRESH = auto()
    STALE = auto()  # still valid, but so near its end that it should be renewed
    INVALID = auto()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A client access token and its lifetime, in Unix seconds."""

    value: str = field(repr=False)
    issued_at: float
    expires_at: float

    def state(self, now: float) -> TokenState:
        """Return FRESH until five minutes (at most half its lifetime) before the token expires."""
        if now >= self.expires_at:
            return TokenState.INVALID
        buffer = min(_MAX_BUFFER, (self.expires_at - self.issued_at) / 2)
        return TokenState.FRESH if now < self.expires_at - buffer else TokenState.STALE


class TokenStore(Protocol):
    """Storage of the token that replicas share. It never raises; while it cannot be reached, it has no token."""

    async def load(self) -> AccessToken | None:
        """The token that a replica fetched last."""

    async def save(self, token: AccessToken) -> None:
        """Share a token just fetched."""

    async def discard(self, token: AccessToken) -> None:
        """Delete this token, only if the store still holds that one."""


class ClientCredentialsAuth(httpx.Auth):
    """Adds a Bearer token to research requests. It is renewed before it expires, and once when TikTok rejects it.

    Raises the errors of `refusals.token_error` if the token endpoint refuses. Faults of httpx pass through.
    """

    def __init__(
        self,
        *,
        token_url: str,
        client_key: str,
        client_secret: str,
        clock: Callable[[], float],
        shared: TokenStore | None = None,
    ) -> None:
        self._token_url = httpx.URL(token_url)
        self._client_key = client_key
        self._client_secret = client_secret
        self._clock = clock
        self._shared = shared
        self._lock = asyncio.Lock()
        self._token: AccessToken | None = None
        self._renew_after = 0.0
        self._refusals = 0
        self._refusal: TikTokError | None = None

    @property
    def token(self) -> AccessToken | None:
        """The token in use, for a status report; None before the first call."""
        return self._token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Yield a token request if needed, then the research request; once more if TikTok rejects the token."""
        for last in (False, True):
            token = self._usable()
            if token is None:
                refusals = self._refusals
                async with self._lock:
                    # Calls that waited here use the token that the one before has fetched, or fail as it did. If it
                    # was cancelled or got no response, the next one takes over.
                    token = self._usable(waited=True)
                    if token is None and self._refusal is not None and self._refusals > refusals:
                        raise self._refusal.again()
                    if token is None and self._shared is not None:
                        token = await self._shared.load()
                        token = token if token and token.state(self._clock()) is TokenState.FRESH else None
                    if token is None:
                        self._renew_after = self._clock() + _RENEWAL_PAUSE
                        try:
                            response = yield self._token_request(request)
                            await response.aread()
                            token = await self._accept(response)
                        except TikTokError as error:
                            token = self._usable(waited=True)
                            if token is None or not error.retryable:
                                self._refusals, self._refusal = self._refusals + 1, error.again()
                                raise
                    self._token = token
            request.headers["Authorization"] = f"Bearer {token.value}"
            response = yield request
            if last:
                return
            await response.aread()
            if not wire.names_invalid_token(response.content):
                return
            if self._token is token:
                self._token = None
            if self._shared is not None:
                await self._shared.discard(token)

    def _usable(self, *, waited: bool = False) -> AccessToken | None:
        now = self._clock()
        match self._token.state(now) if self._token else TokenState.INVALID:
            case TokenState.FRESH:
                return self._token
            case TokenState.STALE:
                # One call renews; the others use the old token while it is valid. So do all after a failed renewal.
                being_renewed = self._lock.locked() and not waited
                return self._token if being_renewed or now < self._renew_after else None
            case TokenState.INVALID:
                return None

    def _token_request(self, research: httpx.Request) -> httpx.Request:
        credentials = {"client_key": self._client_key, "client_secret": self._client_secret}
        data = credentials | {"grant_type": "client_credentials"}
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "Cache-Control": "no-cache"}
        # The extensions have the timeouts and the callers of the request that needs the token.
        return httpx.Request("POST", self._token_url, headers=headers, data=data, extensions=dict(research.extensions))

    async def _accept(self, response: httpx.Response) -> AccessToken:
        now = self._clock()
        value, lifetime = wire.parse_token(reply_of(response, now, (self._client_secret, self._client_key)))
        token = AccessToken(value, issued_at=now, expires_at=now + lifetime)
        self._renew_after = 0.0
        if self._shared is not None:
            await self._shared.save(token)
        return token


def reply_of(response: httpx.Response, now: float, secrets: tuple[str, ...]) -> Reply:
    """Make a `Reply` of a response that was read. `secrets`: texts that its errors must not contain."""
    return Reply(
        status_code=response.status_code,
        content=response.content,
        retry_after=wire.parse_retry_after(response.headers.get("Retry-After"), now),
        sandbox=response.headers.get(wire.SANDBOX_HEADER) == wire.SANDBOX_NAME,
        secrets=secrets,
        received_at=now,
    )
