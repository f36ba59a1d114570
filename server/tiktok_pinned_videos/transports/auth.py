"""Who may call over HTTP: whoever is on this machine, who knows a shared secret, or who has an issuer's token.

Decides from settings how callers are authenticated, and judges tokens; knows neither sockets nor routes. A token is
never logged.
"""

from __future__ import annotations

import hmac
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import jwt

from tiktok_pinned_videos.settings import Settings

if TYPE_CHECKING:
    from .keys import KeySet

_log = logging.getLogger(__name__)
# Nothing symmetric: a public key must never work as a shared secret.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LONGEST_TOKEN: Final = 16 * 1024
_CLOCK_SKEW: Final = 10
"""Seconds that the authorization server's clock may be ahead of ours."""


class AuthenticationSettingsError(Exception):
    """The settings name no way to authenticate callers, half a way or two; the text is what to print before exit 2."""


@dataclass(frozen=True, slots=True)
class NoAuthentication:
    """Loopback only: whoever is on this machine may call."""


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """One secret for all callers."""

    token: str = field(repr=False)

    def admits(self, authorization: str) -> bool:
        """Whether this is the `Authorization` header of somebody who knows the secret; takes the same time for all."""
        scheme, _, given = authorization.partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8"), self.token.encode("utf-8"))
        return same and scheme.lower() == "bearer"


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """Signed tokens of an OAuth authorization server."""

    issuer: str
    audience: str
    jwks_url: str
    """Where its keys are; empty: its metadata says."""


Authentication = NoAuthentication | SharedSecret | AuthorizationServer


def authentication_for(settings: Settings, *, loopback: bool) -> Authentication:
    """The one way that `settings` describe. Raises `AuthenticationSettingsError`; without any, loopback only."""
    names = {
        "MCP_JWT_ISSUER": settings.jwt_issuer,
        "MCP_JWT_AUDIENCE": settings.jwt_audience,
        "MCP_JWKS_URL": settings.jwks_url,
    }
    given = [name for name, value in names.items() if value]
    if settings.bearer_token and given:
        raise AuthenticationSettingsError(
            f"Two ways to authenticate callers are configured: MCP_BEARER_TOKEN and {', '.join(given)}.\n"
            "Set either MCP_BEARER_TOKEN, or MCP_JWT_ISSUER and MCP_JWT_AUDIENCE, and unset the other."
        )
    if settings.bearer_token:
        return SharedSecret(settings.bearer_token)
    if settings.jwt_issuer and settings.jwt_audience:
        return AuthorizationServer(settings.jwt_issuer, settings.jwt_audience, settings.jwks_url)
    if given:
        missing = [name for name in ("MCP_JWT_ISSUER", "MCP_JWT_AUDIENCE") if not names[name]]
        raise AuthenticationSettingsError(
            f"Authentication is only half configured: {', '.join(given)} without {' and '.join(missing)}.\n"
            f"Set {' and '.join(missing)} too, or unset {', '.join(given)}."
        )
    if not loopback:
        raise AuthenticationSettingsError(
            "Refusing to listen on an address that other machines can reach: nobody would be asked who they are.\n"
            "Set MCP_BEARER_TOKEN (at least 16 characters), or MCP_JWT_ISSUER and MCP_JWT_AUDIENCE, "
            "or use --host 127.0.0.1."
        )
    return NoAuthentication()


class JWTVerifier:
    """Judges tokens of one issuer meant for one audience."""

    def __init__(self, server: AuthorizationServer, keys: KeySet) -> None:
        self._server = server
        self._keys = keys
        self._told_at = -1.0

    async def verify_token(self, token: str) -> str | None:
        """Whom the token speaks for: its subject, or else the client; None when it is not to be believed."""
        try:
            claims = await self._claims(token)
        except (jwt.PyJWTError, ValueError) as refusal:
            if time.monotonic() - self._told_at >= 1:  # strangers can cause any number
                self._told_at = time.monotonic()
                # The kind only: the words may quote what the token claims.
                _log.info("a token was refused: %s", type(refusal).__name__)
            return None
        named = (claims.get(name) for name in ("sub", "client_id", "azp"))
        return next((name for name in named if isinstance(name, str) and name), "unknown")

    def needs_keys(self, token: str) -> bool:
        """Whether judging this token would have to wait for the issuer's keys."""
        try:
            header = _header(token)
        except jwt.PyJWTError:
            return False
        return not self._keys.known(header.get("kid"), header["alg"])

    async def _claims(self, token: str) -> dict[str, Any]:
        header = _header(token)
        kid, algorithm = header.get("kid"), header["alg"]
        # Perhaps the keys were changed since: look again, if it is not too soon.
        for look in (True, False):
            for key in self._keys.known(kid, algorithm):
                try:
                    return self._believe(token, key, algorithm)
                except jwt.InvalidSignatureError:
                    continue
            if not look or not await self._keys.renewed():
                break
        raise jwt.InvalidSignatureError("no key of the issuer made it")

    def _believe(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._server.audience,
            issuer=self._server.issuer,
            leeway=_CLOCK_SKEW,
            options={"require": ["exp", "aud", "iss"]},
        )
        if isinstance(claims["exp"], bool) or not isinstance(claims["exp"], int | float):
            raise jwt.DecodeError("exp is no number")
        if claims["exp"] <= time.time():
            raise jwt.ExpiredSignatureError("expired")  # the skew above is for tokens that begin in our future
        return claims


def _header(token: str) -> dict[str, Any]:
    if len(token) > _LONGEST_TOKEN:
        raise jwt.DecodeError("too long")
    header = jwt.get_unverified_header(token)
    if header.get("alg") not in _ALGORITHMS:
        raise jwt.InvalidAlgorithmError("not one of ours")
    return header
