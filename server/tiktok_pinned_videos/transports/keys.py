"""Signing keys of an authorization server: discovered, fetched within limits, and kept for an hour.

Tokens with invented key ids cause at most one fetch every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx
import jwt
from starlette.authentication import AuthenticationError

from tiktok_pinned_videos.hosts import is_loopback
from tiktok_pinned_videos.research.network import connection_error, network_transport

_log = logging.getLogger(__name__)
_MIN_RSA_BITS: Final = 2048
_LIFETIME: Final = 3600.0
_TIMEOUT: Final = 5.0
_RETRY: Final = 6.0
"""Seconds from one fetch to the next. Longer than a fetch, so that calls that waited for one do not start another."""


class KeysUnavailableError(AuthenticationError):
    """The keys could not be fetched, so the token can be neither accepted nor rejected: 503, never 401."""


class KeySet:
    """The keys of one issuer. Without `jwks_url`, its URL is read from the issuer's metadata (RFC 8414 or OpenID)."""

    def __init__(self, issuer: str, jwks_url: str = "", *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._monotonic = monotonic
        self._keys: list[jwt.PyJWK] = []
        self._tried_at = -_LIFETIME
        self._failed = False
        self._fetching = asyncio.Lock()

    async def find(self, kid: object) -> list[Any]:
        """Return the keys with this id (None: all); fetch them if there is none. Raises `KeysUnavailableError`."""
        # While one call fetches keys that are an hour old, the others use these.
        if (known := self._known(kid)) and self._monotonic() - self._tried_at < _LIFETIME:
            return known
        async with self._fetching:
            if self._monotonic() - self._tried_at >= _RETRY:
                await self._fetch()
        known = self._known(kid)
        if self._failed and not known:
            raise KeysUnavailableError("the issuer's keys cannot be fetched")
        return known

    def _known(self, kid: object) -> list[Any]:
        return [key.key for key in self._keys if kid in (None, key.key_id)]

    async def _fetch(self) -> None:
        self._tried_at, self._failed = self._monotonic(), True
        try:
            async with asyncio.timeout(_TIMEOUT):
                url = self._jwks_url or await self._discover()
                keys = jwt.PyJWKSet.from_dict(await _json(url)).keys
        except Exception as fault:
            reason = str(fault) or f"no answer within {_TIMEOUT:.0f} s"
            _log.warning("Could not fetch the signing keys of %s: %s", self._issuer, reason)
            return
        self._keys = [key for key in keys if key.public_key_use in (None, "sig") and not _is_short(key)]
        self._failed = False

    async def _discover(self) -> str:
        """Return the URL of the keys. Raises ValueError if the metadata does not name it."""
        parts = urlsplit(self._issuer)
        root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        for url in (
            f"{root}/.well-known/oauth-authorization-server{path}",
            f"{root}{path}/.well-known/openid-configuration",
            f"{root}/.well-known/openid-configuration{path}",
        ):
            with contextlib.suppress(ValueError):
                metadata = await _json(url)
                found = urlsplit(str(metadata.get("jwks_uri")))
                is_safe = found.scheme == "https" or is_loopback(found.hostname or "")
                if metadata.get("issuer") == self._issuer and is_safe:
                    return found.geturl()
        raise ValueError("its metadata names no jwks_uri with https. Set MCP_JWKS_URL.")


async def _json(url: str) -> dict[str, Any]:
    """Return the JSON object at a URL. Raises ValueError if it sends something else."""
    # In a thread, because it reads all certificate authorities and would block the event loop.
    transport = await asyncio.to_thread(network_transport, url)
    async with httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False) as client:
        try:
            response = await client.get(url, headers={"Accept": "application/json"})
        except httpx.HTTPError as fault:
            raise connection_error(fault, url) from None
    content: object = response.json() if response.status_code == 200 else None
    if not isinstance(content, dict):
        raise ValueError(f"{url} answered {response.status_code} without a JSON object")  # noqa: TRY004 - not our type
    return cast("dict[str, Any]", content)


def _is_short(key: jwt.PyJWK) -> bool:
    return key.key_type == "RSA" and key.key.key_size < _MIN_RSA_BITS
