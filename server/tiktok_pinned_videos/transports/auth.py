"""Authentication of HTTP callers: none on loopback, a shared secret, or tokens of an OAuth authorization server.

Verifiers for the SDK's bearer middleware. No token is ever logged.
"""

from __future__ import annotations

import contextlib
import hmac
import time
from dataclasses import dataclass, field
from typing import Any, Final, cast

import jwt
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials
from starlette.requests import HTTPConnection

from tiktok_pinned_videos.service.caller import CALLER
from tiktok_pinned_videos.settings import Settings

from .keys import ALGORITHMS, KeySet
from .rejections import log_rejection

_MAX_TOKEN: Final = 16 * 1024
_CLOCK_SKEW: Final = 10
"""Seconds that the authorization server's clock may be ahead of ours."""


class AuthenticationSettingsError(Exception):
    """The settings describe no way to authenticate callers, half a way or two. The text is for the operator."""


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """One secret for all callers."""

    token: str = field(repr=False)

    async def verify_token(self, token: str) -> AccessToken | None:
        """See the SDK's `TokenVerifier`. Takes the same time for all tokens of a length."""
        given = token.strip().encode("utf-8", errors="replace")
        if not hmac.compare_digest(given, self.token.encode()):
            log_rejection(401, "the token is not MCP_BEARER_TOKEN")
            return None
        return AccessToken(token="", client_id="shared secret", scopes=[])


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """Signed tokens of an OAuth authorization server."""

    issuer: str
    audience: str
    jwks_url: str
    """Where its keys are; empty: its metadata says."""
    required_scopes: tuple[str, ...] = ()


Authentication = SharedSecret | AuthorizationServer | None
"""None: loopback only, every local program may call."""


def authentication_for(settings: Settings, *, loopback: bool) -> Authentication:
    """The one way that `settings` describe; without any, loopback only. Raises `AuthenticationSettingsError`."""
    names = {
        "MCP_JWT_ISSUER": settings.jwt_issuer,
        "MCP_JWT_AUDIENCE": settings.jwt_audience,
        "MCP_JWKS_URL": settings.jwks_url,
        "MCP_JWT_REQUIRED_SCOPES": ",".join(settings.jwt_required_scopes),
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
        return AuthorizationServer(
            settings.jwt_issuer, settings.jwt_audience, settings.jwks_url, settings.jwt_required_scopes
        )
    if given:
        missing = [name for name in ("MCP_JWT_ISSUER", "MCP_JWT_AUDIENCE") if not names[name]]
        raise AuthenticationSettingsError(
            f"Authentication is only half configured: {', '.join(given)} without {' and '.join(missing)}.\n"
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
    """The SDK's backend, which also sets the caller for the quota and logs requests without a usable header."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, AuthenticatedUser] | None:
        """See Starlette."""
        given = conn.headers.getlist("authorization")
        if len(given) != 1 or not given[0].lower().startswith("bearer "):
            log_rejection(401, "no bearer token" if len(given) < 2 else "more than one Authorization header")
            return None
        found = await super().authenticate(conn)
        CALLER.set(found[1].access_token.subject if found else None)
        return found


class JWTVerifier:
    """Verifies tokens of one issuer for one audience."""

    def __init__(self, server: AuthorizationServer, keys: KeySet) -> None:
        self._server = server
        self._keys = keys

    async def verify_token(self, token: str) -> AccessToken | None:
        """See the SDK's `TokenVerifier`. Raises `KeysUnavailableError` if the issuer's keys are needed and missing."""
        try:
            claims = await self._claims(token.strip())
        except (jwt.PyJWTError, ValueError) as fault:
            log_rejection(401, self._reason(fault, token))
            return None
        named = (claims.get(name) for name in ("sub", "client_id", "azp"))
        subject = next((name for name in named if isinstance(name, str) and name), "unknown")
        scopes = _scopes(claims)
        if missing := [scope for scope in self._server.required_scopes if scope not in scopes]:
            has = ", ".join(scopes) or "none"
            log_rejection(403, f"the token lacks the scope {', '.join(missing)} (it has: {has})", caller=subject)
        return AccessToken(
            token="",
            client_id=subject,
            subject=subject,
            scopes=scopes,
            expires_at=int(claims["exp"]),
            claims={"iss": claims["iss"]},
        )

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _MAX_TOKEN:
            raise jwt.DecodeError("the token is too long")
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError("the algorithm is not allowed")
        kid = header.get("kid")
        for _ in range(2):
            candidates = self._keys.known(kid, algorithm)
            for key in candidates:
                with contextlib.suppress(jwt.InvalidSignatureError):
                    return self._decoded(token, key, algorithm)
            # The issuer may have new keys; a key with this id has been tried already.
            if (candidates and kid is not None) or not await self._keys.refresh():
                break
        raise jwt.InvalidSignatureError("no key of the issuer fits the signature")

    def _decoded(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
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
            raise jwt.DecodeError("exp is not a number")
        if claims["exp"] <= time.time():
            raise jwt.ExpiredSignatureError("the token has expired")  # the skew is for tokens that begin later
        return claims

    def _reason(self, fault: Exception, token: str) -> str:
        match fault:
            case jwt.InvalidAudienceError() | jwt.InvalidIssuerError():
                name = "aud" if isinstance(fault, jwt.InvalidAudienceError) else "iss"
                expected = self._server.audience if name == "aud" else self._server.issuer
                claims = jwt.decode(token.strip(), options={"verify_signature": False})
                return f"the token's {name} is {claims.get(name)!r}, expected {expected!r}"
            case jwt.ExpiredSignatureError():
                return "the token has expired"
            case jwt.MissingRequiredClaimError():
                return f"the token has no {fault.claim}"
            case jwt.InvalidSignatureError() | jwt.InvalidAlgorithmError():
                return str(fault)
            case _:
                return f"the token is not a usable JWT ({type(fault).__name__})"


def _scopes(claims: dict[str, Any]) -> list[str]:
    """Scopes and roles of a token: text separated by spaces, or lists."""
    found: list[str] = []
    for name in ("scope", "scp", "roles"):
        value: object = claims.get(name)
        if isinstance(value, str):
            found += value.split()
        elif isinstance(value, list):
            found += [part for part in cast("list[object]", value) if isinstance(part, str)]
    return found
