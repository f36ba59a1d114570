"""An authorization server's public keys: found, fetched within bounds, kept for an hour, renewed when one is unknown.

Whoever sends tokens with invented key ids causes one fetch every few seconds at most.
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

from tiktok_pinned_videos.settings import is_loopback

_log = logging.getLogger(__name__)
_LIFETIME: Final = 3600.0
_RETRY: Final = 3.0
_TIME_LIMIT: Final = 5.0
_SIZE_LIMIT: Final = 512 * 1024
_SHORTEST_RSA: Final = 2048
"""Bits; a shorter key can be broken."""
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class _UnusableError(Exception):
    """Why there are no keys, in words for the log."""


class KeySet:
    """The keys of one issuer. `jwks_url` empty: the issuer's metadata names the place (RFC 8414, or OpenID's)."""

    def __init__(
        self, issuer: str, jwks_url: str, *, monotonic: Callable[[], float] = time.monotonic, retry: float = _RETRY
    ) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._monotonic = monotonic
        self._retry = retry
        self._keys: list[dict[str, Any]] = []
        self._usable: dict[tuple[int, str], jwt.PyJWK | None] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._http: httpx.AsyncClient | None = None

    def known(self, kid: object, algorithm: str) -> list[jwt.PyJWK]:
        """The keys at hand that can have made a signature with that key id (None: any) and algorithm.

        Keys older than an hour are used, and fetched again in the background.
        """
        if self._fetched_at is not None and self._monotonic() - self._fetched_at >= _LIFETIME and self._may_try():
            self._start()
        kind = _KEY_TYPES.get(algorithm[:2])
        fitting = [
            key
            for key in self._keys
            if key.get("kty") == kind
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
            and (kid is None or key.get("kid") == kid)
        ]
        return [made for key in fitting if (made := self._made(key, algorithm)) is not None]

    def _made(self, key: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
        """The key as it verifies, or None for one that cannot be believed; made once, since each request asks twice."""
        place = (id(key), algorithm)
        if place not in self._usable:
            try:
                made = jwt.PyJWK(key, algorithm)
            except jwt.PyJWTError:
                _log.warning("a key of %s cannot be used and is left out", self._issuer)
                made = None
            short = made is not None and key.get("kty") == "RSA" and made.key.key_size < _SHORTEST_RSA
            self._usable[place] = None if short else made
        return self._usable[place]

    async def renewed(self) -> bool:
        """Fetch the keys again, with whoever else waits for that; False when that was tried a moment ago."""
        under_way = self._fetching is not None and not self._fetching.done()
        if not under_way and not self._may_try():
            return False
        # A client that goes away must not take the keys away from those who wait with it.
        await asyncio.shield(self._start())
        return True

    def _may_try(self) -> bool:
        return self._tried_at is None or self._monotonic() - self._tried_at >= self._retry

    def _start(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._tried_at = self._monotonic()
            self._fetching = asyncio.create_task(self._fetch(), name="fetch keys")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            client = await self._client()
            async with asyncio.timeout(_TIME_LIMIT):
                url = self._jwks_url or await self._discover(client)
                keys = (await _json(client, url)).get("keys")
        except (_UnusableError, httpx.HTTPError, OSError, TimeoutError) as fault:
            reason = str(fault) if isinstance(fault, _UnusableError) else type(fault).__name__
            _log.warning("the keys of %s cannot be had: %s", self._issuer, reason)
            return
        if not isinstance(keys, list):
            _log.warning("the keys of %s cannot be had: no list of keys came", self._issuer)
            return
        self._keys = [cast("dict[str, Any]", key) for key in cast("list[Any]", keys) if isinstance(key, dict)]
        self._usable.clear()
        self._fetched_at = self._monotonic()

    async def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            # Once, and in a thread: it reads the certificates of the world, which takes a while.
            none_kept = httpx.Limits(max_keepalive_connections=0)
            self._http = await asyncio.to_thread(
                httpx.AsyncClient, timeout=_TIME_LIMIT, follow_redirects=False, limits=none_kept
            )
        return self._http

    async def _discover(self, client: httpx.AsyncClient) -> str:
        reason = "no metadata was found"
        for url in _metadata_urls(self._issuer):
            try:
                metadata = await _json(client, url)
            except _UnusableError as fault:
                reason = str(fault)
                continue
            found = metadata.get("jwks_uri")
            if metadata.get("issuer") != self._issuer:
                reason = f"{url} speaks for another issuer"
            elif not isinstance(found, str) or not _is_safe(found):
                reason = f"{url} names no jwks_uri with https"
            else:
                return found
        raise _UnusableError(reason + "; set MCP_JWKS_URL if they are elsewhere")


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


async def _json(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    body = bytearray()
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
        if response.status_code != 200:
            raise _UnusableError(f"{url} answered {response.status_code}")
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _SIZE_LIMIT:
                raise _UnusableError(f"{url} sent more than {_SIZE_LIMIT} bytes")
    try:
        content: object = json.loads(body)
    except (ValueError, RecursionError):
        raise _UnusableError(f"{url} sent no JSON") from None
    if not isinstance(content, dict):
        raise _UnusableError(f"{url} sent no JSON object")
    return cast("dict[str, Any]", content)
