"""Authentication of HTTP callers by a shared secret or by tokens of an OAuth authorization server.

The SDK's bearer middleware calls the verifiers. Rejections are logged at a limited rate, because unauthenticated
clients can send any number of requests. No token is ever logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx
import jwt
from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials, AuthenticationError
from starlette.requests import HTTPConnection

from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.hosts import is_loopback
from tiktok_pinned_videos.research.network import connection_error, network_transport
from tiktok_pinned_videos.service.caller import CALLER
from tiktok_pinned_videos.settings import Settings

_log = logging.getLogger(__name__)
_ALGORITHMS: Final = (*(kind + bits for kind in ("RS", "PS", "ES") for bits in ("256", "384", "512")), "EdDSA")
"""Asymmetric algorithms only. With a symmetric one, anyone could sign a token with the public key."""
_CLOCK_SKEW: Final = 10  # seconds that the authorization server's clock may be ahead of ours
_KEYS_TTL: Final = 3600.0
_TIMEOUT: Final = 5.0
_FETCH_INTERVAL: Final = 6.0  # minimum seconds between fetches; above `_TIMEOUT`: calls that waited do not fetch again
_rejection_times: Final[deque[float]] = deque(maxlen=20)  # of the last rejections that were logged


def log_rejection(status: int, reason: str) -> None:
    """Log why a request was rejected. `reason` must not contain a token or a secret."""
    now = time.monotonic()
    if len(_rejection_times) < 20 or now - _rejection_times[0] > 10:
        _rejection_times.append(now)
        _log.info("request rejected with %d: %s", status, reason[:300])


def authentication_for(settings: Settings, *, loopback: bool) -> SharedSecret | JWTVerifier | None:
    """Return the verifier for `settings`; None without one, which only loopback allows. Raises `SettingsError`."""
    values = {
        "MCP_JWT_ISSUER": settings.jwt_issuer,
        "MCP_JWT_AUDIENCE": settings.jwt_audience,
        "MCP_JWKS_URL": settings.jwks_url,
        "MCP_JWT_REQUIRED_SCOPES": ",".join(settings.jwt_required_scopes),
    }
    given = ", ".join(name for name, value in values.items() if value)
    both = "MCP_JWT_ISSUER and MCP_JWT_AUDIENCE"
    if settings.bearer_token and given:
        raise SettingsError("MCP_BEARER_TOKEN", f"is set together with {given}. Unset one of the two.")
    if settings.bearer_token:
        return SharedSecret(settings.bearer_token)
    if settings.jwt_issuer and settings.jwt_audience:
        return JWTVerifier(settings)
    if given:
        raise SettingsError(given, f"is set, but tokens are accepted only with {both}. Set both, or unset {given}.")
    if not loopback:
        why = "is not set, and addresses that other machines can reach require authentication"
        how = f"Set it (at least 16 characters), or {both}, or use --host 127.0.0.1."
        raise SettingsError("MCP_BEARER_TOKEN", f"{why}. {how}")
    return None


class BearerBackend(BearerAuthBackend):
    """The SDK's backend. It also sets the caller for the quota, and logs requests without exactly one bearer token."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser] | None:
        """See Starlette."""
        given = conn.headers.getlist("authorization")
        if len(given) != 1 or not given[0].lower().startswith("bearer "):
            log_rejection(401, "no bearer token" if len(given) < 2 else "more than one Authorization header")
            return None
        found = await super().authenticate(conn)
        CALLER.set(found[1].access_token.subject if found else None)
        return found


class KeysUnavailableError(AuthenticationError):
    """The keys could not be fetched, so the token can be neither accepted nor rejected: 503, never 401."""


@dataclass(frozen=True, slots=True, repr=False)
class SharedSecret:
    """One secret for all callers."""

    secret: str

    async def verify_token(self, token: str) -> AccessToken | None:
        """See the SDK's `TokenVerifier`. The time for the comparison depends only on the token's length."""
        if not hmac.compare_digest(token.strip().encode(errors="replace"), self.secret.encode()):
            log_rejection(401, "the token is not MCP_BEARER_TOKEN")
            return None
        return AccessToken(token="", client_id="shared secret", scopes=[])


class JWTVerifier:
    """Verifies tokens of one issuer for one audience.

    The issuer's keys are cached for an hour. Without `MCP_JWKS_URL`, their URL is read from the issuer's metadata (RFC
    8414 or OpenID). Tokens with invented key ids cause at most one fetch every few seconds.
    """

    def __init__(self, settings: Settings, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._keys: list[jwt.PyJWK] = []
        self._tried_at = -_KEYS_TTL
        self._failed = False
        self._fetching = asyncio.Lock()

    async def verify_token(self, token: str) -> AccessToken | None:
        """See the SDK's `TokenVerifier`. Raises `KeysUnavailableError` if the issuer's keys cannot be fetched."""
        token = token.strip()
        try:
            claims = await self._claims(token)
            if (expires_at := int(claims["exp"])) <= time.time():  # the clock skew applies to nbf and iat only
                raise jwt.ExpiredSignatureError("the token has expired")
            named = (claims.get(name) for name in ("sub", "client_id", "azp"))
            subject = next((name for name in named if isinstance(name, str) and name.encode()), "unknown")
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as fault:
            reason = str(fault)
            if isinstance(fault, jwt.InvalidAudienceError | jwt.InvalidIssuerError):
                received = jwt.decode(token, options={"verify_signature": False})
                reason = f"the token's aud is {received['aud']!r}, expected {self._settings.jwt_audience!r}; "
                reason += f"its iss is {received['iss']!r}, expected {self._settings.jwt_issuer!r}"
            log_rejection(401, reason)
            return None
        scopes = _scopes(claims)
        if missing := [scope for scope in self._settings.jwt_required_scopes if scope not in scopes]:
            log_rejection(403, f"the token of {subject!r} lacks {', '.join(missing)}; its scopes: {', '.join(scopes)}")
        return AccessToken(token="", client_id=subject, subject=subject, scopes=scopes, expires_at=expires_at)

    async def _claims(self, token: str) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        for key in await self._find(kid):
            with contextlib.suppress(jwt.InvalidSignatureError, jwt.InvalidKeyError, TypeError):
                return jwt.decode(
                    token,
                    key,
                    algorithms=_ALGORITHMS,
                    audience=self._settings.jwt_audience,
                    issuer=self._settings.jwt_issuer,
                    leeway=_CLOCK_SKEW,
                    options={"require": ["exp", "aud", "iss"], "enforce_minimum_key_length": True},
                )
        raise jwt.InvalidSignatureError("no key of the issuer matches the signature")

    async def _find(self, kid: object) -> list[Any]:
        """Return the keys with this id (None: all); fetch them if there is none. Raises `KeysUnavailableError`."""
        # While one call refreshes the keys, other calls use the old ones.
        if (known := self._known(kid)) and self._monotonic() - self._tried_at < _KEYS_TTL:
            return known
        async with self._fetching:
            if self._monotonic() - self._tried_at >= _FETCH_INTERVAL:
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
                url = self._settings.jwks_url or await self._discover()
                keys = jwt.PyJWKSet.from_dict(await _json(url)).keys
        except Exception as fault:
            reason = str(fault) or f"no answer within {_TIMEOUT:.0f} s"
            _log.warning("Could not fetch the signing keys of %s: %s", self._settings.jwt_issuer, reason)
            return
        self._keys = [key for key in keys if key.public_key_use in (None, "sig")]
        self._failed = False

    async def _discover(self) -> str:
        """Return the URL of the keys. Raises ValueError with the last reason."""
        issuer, reason = self._settings.jwt_issuer, ""
        for url in build_oauth_authorization_server_metadata_discovery_urls(issuer, issuer):
            try:
                metadata = await _json(url)
            except ValueError as fault:
                reason = str(fault)
                continue
            found = urlsplit(str(metadata.get("jwks_uri")))
            is_safe = found.scheme == "https" or is_loopback(found.hostname or "")
            if metadata.get("issuer") == issuer and is_safe:
                return found.geturl()
            reason = f"{url} is for another issuer or has no jwks_uri with https"
        raise ValueError(f"{reason}. Set MCP_JWKS_URL if they are elsewhere.")


def _scopes(claims: dict[str, Any]) -> list[str]:
    """Return the scopes and roles of a token, from text separated by spaces or from lists."""
    found: list[str] = []
    for name in ("scope", "scp", "roles"):
        value: object = claims.get(name)
        parts = value.split() if isinstance(value, str) else value
        found += [str(part) for part in cast("list[object]", parts)] if isinstance(parts, list) else []
    return found


async def _json(url: str) -> dict[str, Any]:
    """Return the JSON object at a URL. Raises ValueError for any other response."""
    # In a thread, because reading all certificate authorities blocks the event loop.
    transport = await asyncio.to_thread(network_transport, url)
    async with httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False) as client:
        try:
            response = await client.get(url, headers={"Accept": "application/json"})
        except httpx.HTTPError as fault:
            raise connection_error(fault, url) from None
    with contextlib.suppress(ValueError):
        if response.status_code == 200 and isinstance(content := response.json(), dict):
            return cast("dict[str, Any]", content)
    raise ValueError(f"{url} answered {response.status_code} without a JSON object")
