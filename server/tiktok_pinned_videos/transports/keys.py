"""An authorization server's public keys: discovered, fetched within limits, kept for an hour, fetched again on demand.

Clients that send tokens with invented key ids cause at most one fetch every few seconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx
import jwt
from starlette.authentication import AuthenticationError

from tiktok_pinned_videos.research.errors import APIConnectionError
from tiktok_pinned_videos.research.network import connection_error, network_transport
from tiktok_pinned_videos.settings import is_loopback

_log = logging.getLogger(__name__)
# Nothing symmetric: a public key must never work as a shared secret.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_MIN_RSA_BITS: Final = 2048
_LIFETIME: Final = 3600.0
_RETRY: Final = 3.0
_TIMEOUT: Final = 5.0
_MAX_BYTES: Final = 512 * 1024
_MAX_WAITING: Final = 32
"""Tokens that may wait at once for the issuer's keys."""


class KeysUnavailableError(AuthenticationError):
    """The keys could not be fetched, so nothing can be said about the token: 503, never 401."""


class _UnusableError(Exception):
    """Why a response holds no keys, in words for the log."""


class KeySet:
    """The keys of one issuer. `jwks_url` empty: the issuer's metadata names it (RFC 8414, or OpenID's)."""

    def __init__(self, issuer: str, jwks_url: str = "", *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._monotonic = monotonic
        self._keys: list[dict[str, Any]] = []
        self._usable: dict[tuple[int, str], jwt.PyJWK | None] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0
        self._clients: dict[str, httpx.AsyncClient] = {}

    def known(self, kid: object, algorithm: str) -> list[jwt.PyJWK]:
        """The keys at hand for this key id (None: any) and algorithm. Keys older than an hour are fetched again."""
        if self._fetched_at is not None and self._monotonic() - self._fetched_at >= _LIFETIME and self._may_try():
            self._start()
        fitting = [
            key
            for key in self._keys
            if key.get("kty") == _KEY_TYPES.get(algorithm[:2])
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
            and (kid is None or key.get("kid") == kid)
        ]
        return [made for key in fitting if (made := self._made(key, algorithm)) is not None]

    async def refresh(self) -> bool:
        """Fetch the keys unless that was done a moment ago (then False). Raises `KeysUnavailableError`."""
        if self._waiting >= _MAX_WAITING:
            raise KeysUnavailableError("too many tokens wait for the issuer's keys")
        before = self._fetched_at
        if (self._fetching is not None and not self._fetching.done()) or self._may_try():
            self._waiting += 1
            try:
                # Shielded: a caller that leaves must not take the keys away from the others.
                await asyncio.shield(self._start())
            finally:
                self._waiting -= 1
        if self._fetched_at is None or self._tried_at is None or self._fetched_at < self._tried_at:
            raise KeysUnavailableError("the issuer's keys cannot be fetched")
        return self._fetched_at != before

    def _made(self, key: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
        """The key as it verifies, built once; None if it is unusable or too short."""
        place = (id(key), algorithm)
        if place not in self._usable:
            try:
                made = jwt.PyJWK(key, algorithm)
            except jwt.PyJWTError:
                _log.warning("a signing key of %s is unusable and was left out", self._issuer)
                made = None
            short = made is not None and key.get("kty") == "RSA" and made.key.key_size < _MIN_RSA_BITS
            self._usable[place] = None if short else made
        return self._usable[place]

    def _may_try(self) -> bool:
        return self._tried_at is None or self._monotonic() - self._tried_at >= _RETRY

    def _start(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._tried_at = self._monotonic()
            self._fetching = asyncio.create_task(self._fetch(), name="fetch keys")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                url = self._jwks_url or await self._discover()
                keys = _list_of_keys(url, await self._json(url))
        except (_UnusableError, APIConnectionError, TimeoutError, httpx.InvalidURL) as fault:
            reason = str(fault) or f"no answer within {_TIMEOUT:.0f} s"
            _log.warning("Could not fetch the signing keys of %s: %s", self._issuer, reason)
            return
        self._keys = keys
        self._usable.clear()
        self._fetched_at = self._monotonic()

    async def _discover(self) -> str:
        reason = ""
        for url in _metadata_urls(self._issuer):
            try:
                metadata = await self._json(url)
            except _UnusableError as fault:
                reason = str(fault)
                continue
            found = metadata.get("jwks_uri")
            if metadata.get("issuer") != self._issuer:
                reason = f"{url} names another issuer"
            elif not isinstance(found, str) or not _is_safe(found):
                reason = f"{url} names no jwks_uri with https"
            else:
                return found
        raise _UnusableError(f"{reason}; set MCP_JWKS_URL if they are elsewhere")

    async def _json(self, url: str) -> dict[str, Any]:
        body = bytearray()
        client = await self._client(url)
        try:
            async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
                if response.status_code != 200:
                    raise _UnusableError(f"{url} answered {response.status_code}")
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        raise _UnusableError(f"{url} sent more than {_MAX_BYTES} bytes")
            content: object = json.loads(body)
        except httpx.HTTPError as fault:
            raise connection_error(fault, url) from None
        except (ValueError, RecursionError):
            raise _UnusableError(f"{url} sent no JSON") from None
        if not isinstance(content, dict):
            raise _UnusableError(f"{url} sent no JSON object")
        return cast("dict[str, Any]", content)

    async def _client(self, url: str) -> httpx.AsyncClient:
        """One client per host, built in a thread: it reads all certificate authorities, which takes a while."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._clients:
            unkept = httpx.Limits(max_keepalive_connections=0)
            transport = await asyncio.to_thread(network_transport, url, limits=unkept)
            self._clients[origin] = httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False)
        return self._clients[origin]


def _list_of_keys(url: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    keys: object = content.get("keys")
    if not isinstance(keys, list):
        raise _UnusableError(f"{url} sent no list of keys")
    return [cast("dict[str, Any]", key) for key in cast("list[object]", keys) if isinstance(key, dict)]


def _metadata_urls(issuer: str) -> list[str]:
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return [
        f"{root}/.well-known/oauth-authorization-server{path}",
        f"{root}{path}/.well-known/openid-configuration",
        f"{root}/.well-known/openid-configuration{path}",
    ][: 3 if path else 2]


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
