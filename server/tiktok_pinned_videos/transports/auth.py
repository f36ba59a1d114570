"""Authentication of HTTP callers by a shared secret or by tokens of an OAuth authorization server.

Verifiers for the SDK's bearer middleware. No token is ever logged.
"""

from __future__ import annotations

import contextlib
import hmac
import time
from dataclasses import dataclass
from typing import Any, Final, cast

import jwt
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials
from starlette.requests import HTTPConnection

from tiktok_pinned_videos.service.caller import CALLER
from tiktok_pinned_videos.settings import Settings

from .keys import KEY_TYPES, KeySet
from .rejections import log_rejection

_MAX_TOKEN: Final = 16 * 1024
_CLOCK_SKEW: Final = 10
"""Seconds that the authorization server's clock may be ahead of ours."""


class AuthenticationSettingsError(Exception):
    """Authentication is not configured, incomplete or ambiguous. The text is for the operator."""


def authentication_for(settings: Settings, *, loopback: bool) -> SharedSecret | JWTVerifier | None:
    """Return the verifier that `settings` describe; None on loopback without any.

    Raises `AuthenticationSettingsError`.
    """
    names = {
        "MCP_JWT_ISSUER": settings.jwt_issuer,
        "MCP_JWT_AUDIENCE": settings.jwt_audience,
        "MCP_JWKS_URL": settings.jwks_url,
        "MCP_JWT_REQUIRED_SCOPES": ",".join(settings.jwt_required_scopes),
    }
    given = [name for name, value in names.items() if value]
    missing = [name for name in ("MCP_JWT_ISSUER", "MCP_JWT_AUDIENCE") if not names[name]]
    if settings.bearer_token and given:
        raise AuthenticationSettingsError(
            f"Two ways to authenticate callers are configured: MCP_BEARER_TOKEN and {', '.join(given)}.\n"
            "Set either MCP_BEARER_TOKEN, or MCP_JWT_ISSUER and MCP_JWT_AUDIENCE, and unset the other."
        )
    if settings.bearer_token:
        return SharedSecret(settings.bearer_token)
    if not missing:
        return JWTVerifier(settings, KeySet(settings.jwt_issuer, settings.jwks_url))
    if given:
        raise AuthenticationSettingsError(
            f"Authentication is incomplete: {', '.join(given)} without {' and '.join(missing)}.\n"
            f"Set {' and '.join(missing)} too, or unset {', '.join(given)}."
        )
    if not loopback:
        raise AuthenticationSettingsError(
            "Addresses that other machines can reach require authentication, and none is configured.\n"
            "Set MCP_BEARER_TOKEN (at least 16 characters), or MCP_JWT_ISSUER and MCP_JWT_AUDIENCE, "
            "or use --host 127.0.0.1."
        )
    return None


class BearerBackend(BearerAuthBackend):
    """The SDK's backend. It also sets the caller for the quota, and logs requests without a usable header."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser] | None:
        """See Starlette."""
        given = conn.headers.getlist("authorization")
        if len(given) != 1 or not given[0].lower().startswith("bearer "):
            log_rejection(401, "no bearer token" if len(given) < 2 else "more than one Authorization header")
            return None
        found = await super().authenticate(conn)
        CALLER.set(found[1].access_token.subject if found else None)
        return found


@dataclass(frozen=True, slots=True, repr=False)
class SharedSecret:
    """One secret for all callers."""

    secret: str

    async def verify_token(self, token: str) -> AccessToken | None:
        """See the SDK's `TokenVerifier`. The time depends only on the token's length."""
        if not hmac.compare_digest(token.strip().encode(errors="replace"), self.secret.encode()):
            log_rejection(401, "the token is not MCP_BEARER_TOKEN")
            return None
        return AccessToken(token="", client_id="shared secret", scopes=[])


class JWTVerifier:
    """Verifies tokens of one issuer for one audience."""

    def __init__(self, settings: Settings, keys: KeySet) -> None:
        self._audience, self._issuer = settings.jwt_audience, settings.jwt_issuer
        self._required = settings.jwt_required_scopes
        self._keys = keys

    async def verify_token(self, token: str) -> AccessToken | None:
        """See the SDK's `TokenVerifier`. Raises `KeysUnavailableError` if the issuer's keys cannot be fetched."""
        token = token.strip()
        try:
            claims = await self._claims(token)
        except (jwt.PyJWTError, ValueError, TypeError) as fault:
            log_rejection(401, self._reason(fault, token))
            return None
        named = (claims.get(name) for name in ("sub", "client_id", "azp"))
        subject = next((name for name in named if isinstance(name, str) and name), "unknown")
        scopes = _scopes(claims)
        if missing := [scope for scope in self._required if scope not in scopes]:
            log_rejection(403, f"the token of {subject!r} lacks {', '.join(missing)}; its scopes: {', '.join(scopes)}")
        expires_at = int(claims["exp"])
        return AccessToken(token="", client_id=subject, subject=subject, scopes=scopes, expires_at=expires_at)

    async def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token[:_MAX_TOKEN])
        kid, algorithm = header.get("kid"), str(header.get("alg"))
        if algorithm[:2] not in KEY_TYPES:
            raise jwt.InvalidAlgorithmError("the algorithm is not allowed")
        for _ in range(2):
            candidates = self._keys.known(kid, algorithm)
            for key in candidates:
                with contextlib.suppress(jwt.InvalidSignatureError):
                    return self._decoded(token, key, algorithm)
            # The issuer may have new keys; a key with this id has been tried already.
            if (candidates and kid is not None) or not await self._keys.refresh():
                break
        raise jwt.InvalidSignatureError("no key of the issuer fits the signature")

    def _decoded(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=_CLOCK_SKEW,
            options={"require": ["exp", "aud", "iss"]},
        )
        if isinstance(claims["exp"], bool) or not isinstance(claims["exp"], int | float):
            raise jwt.DecodeError("exp is not a number")
        if claims["exp"] <= time.time():
            raise jwt.ExpiredSignatureError("the token has expired")  # the clock skew applies to nbf and iat only
        return claims

    def _reason(self, fault: Exception, token: str) -> str:
        """Return a reason to log: for another audience or issuer, what was received and what is expected."""
        if isinstance(fault, jwt.InvalidAudienceError | jwt.InvalidIssuerError):
            of_audience = isinstance(fault, jwt.InvalidAudienceError)
            name, expected = ("aud", self._audience) if of_audience else ("iss", self._issuer)
            received = jwt.decode(token, options={"verify_signature": False}).get(name)
            return f"the token's {name} is {received!r}, expected {expected!r}"
        known = jwt.ExpiredSignatureError | jwt.InvalidSignatureError | jwt.MissingRequiredClaimError
        return str(fault) if isinstance(fault, known) else f"the token is not a usable JWT ({type(fault).__name__})"


def _scopes(claims: dict[str, Any]) -> list[str]:
    """Return the scopes and roles of a token, from text separated by spaces or from lists."""
    found: list[str] = []
    for name in ("scope", "scp", "roles"):
        value: object = claims.get(name)
        parts = value.split() if isinstance(value, str) else value
        found += [str(part) for part in cast("list[object]", parts)] if isinstance(parts, list) else []
    return found
