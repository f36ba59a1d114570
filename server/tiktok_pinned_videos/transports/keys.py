"""Signing keys of an authorization server: discovered, fetched within limits, and kept for an hour.

Tokens with invented key ids cause at most one fetch every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx
import jwt
from starlette.authentication import AuthenticationError

from tiktok_pinned_videos.hosts import is_loopback
from tiktok_pinned_videos.research.errors import APIConnectionError
from tiktok_pinned_videos.research.network import connection_error, network_transport

_log = logging.getLogger(__name__)
KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""Key types by the first letters of an algorithm. None is symmetric: a public key must not work as a secret."""
_MIN_RSA_BITS: Final = 2048
_LIFETIME: Final = 3600.0
_RETRY: Final = 3.0
_TIMEOUT: Final = 5.0
_MAX_BYTES: Final = 512 * 1024


class KeysUnavailableError(AuthenticationError):
    """The keys could not be fetched, so the token can be neither accepted nor rejected: 503, never 401."""


class KeySet:
    """The keys of one issuer. Without `jwks_url`, its URL is read from the issuer's metadata (RFC 8414 or OpenID)."""

    def __init__(self, issuer: str, jwks_url: str = "", *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._monotonic = monotonic
        self._keys: list[jwt.PyJWK] = []
        self._fetched_at = self._tried_at = -_LIFETIME
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    def known(self, kid: object, algorithm: str) -> list[Any]:
        """Return the keys for this key id (None: any) and algorithm. Keys older than an hour start a fetch."""
        if self._keys and self._monotonic() - self._fetched_at >= _LIFETIME and self._may_try():
            self._start()
        kind = KEY_TYPES.get(algorithm[:2])
        return [key.key for key in self._keys if key.key_type == kind and kid in (None, key.key_id)]

    async def refresh(self) -> bool:
        """Fetch the keys; return False if that was done a moment ago. Raises `KeysUnavailableError`."""
        fetch = self._may_try() or (self._fetching is not None and not self._fetching.done())
        if fetch:
            # Shielded: a cancelled call must not cancel the fetch for the others.
            await asyncio.shield(self._start())
        if self._failed:
            raise KeysUnavailableError("the issuer's keys cannot be fetched")
        return fetch

    def _may_try(self) -> bool:
        return self._monotonic() - self._tried_at >= _RETRY

    def _start(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._tried_at = self._monotonic()
            self._fetching = asyncio.create_task(self._fetch(), name="fetch keys")
        return self._fetching

    async def _fetch(self) -> None:
        self._failed = True
        try:
            async with asyncio.timeout(_TIMEOUT):
                url = self._jwks_url or await self._discover()
                keys = jwt.PyJWKSet.from_dict(await _json(url)).keys
        except (APIConnectionError, TimeoutError, httpx.InvalidURL, jwt.PyJWTError, TypeError, ValueError) as fault:
            reason = str(fault) or f"no answer within {_TIMEOUT:.0f} s"
            _log.warning("Could not fetch the signing keys of %s: %s", self._issuer, reason)
            return
        self._keys = [key for key in keys if _is_usable(key)]
        self._fetched_at, self._failed = self._monotonic(), False

    async def _discover(self) -> str:
        """Return the URL of the keys. Raises ValueError with the last reason."""
        parts, reason = urlsplit(self._issuer), ""
        root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        for url in (
            f"{root}/.well-known/oauth-authorization-server{path}",
            f"{root}{path}/.well-known/openid-configuration",
            f"{root}/.well-known/openid-configuration{path}",
        ):
            try:
                metadata = await _json(url)
            except ValueError as fault:
                reason = str(fault)
                continue
            found = metadata.get("jwks_uri")
            if metadata.get("issuer") == self._issuer and isinstance(found, str) and _is_safe(found):
                return found
            reason = f"{url} is for another issuer or names no jwks_uri with https"
        raise ValueError(f"{reason}; set MCP_JWKS_URL if they are elsewhere")


async def _json(url: str) -> dict[str, Any]:
    """Return the JSON object at a URL. Raises ValueError if it sends something else."""
    body = bytearray()
    # In a thread, because it reads all certificate authorities and would block the event loop.
    transport = await asyncio.to_thread(network_transport, url)
    try:
        async with (
            httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as response,
        ):
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ValueError(f"{url} sent more than {_MAX_BYTES} bytes")
    except httpx.HTTPError as fault:
        raise connection_error(fault, url) from None
    with contextlib.suppress(ValueError, RecursionError):
        content: object = json.loads(body)
        if response.status_code == 200 and isinstance(content, dict):
            return cast("dict[str, Any]", content)
    raise ValueError(f"{url} answered {response.status_code} without a JSON object")


def _is_usable(key: jwt.PyJWK) -> bool:
    is_short = key.key_type == "RSA" and key.key.key_size < _MIN_RSA_BITS
    return key.public_key_use in (None, "sig") and not is_short


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
