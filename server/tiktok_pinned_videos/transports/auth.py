"""Authentication of HTTP callers by a shared secret or by tokens of an OAuth authorization server.

Verifiers for the SDK's bearer middleware. Rejections are logged at a limited rate, because clients without a token can
send any number. No token is ever logged.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, cast

import jwt
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials
from starlette.requests import HTTPConnection

from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.service.caller import CALLER
from tiktok_pinned_videos.settings import Settings

from .keys import KeySet

_log = logging.getLogger(__name__)
_ALGORITHMS: Final = (*(kind + bits for kind in ("RS", "PS", "ES") for bits in ("256", "384", "512")), "EdDSA")
"""None is symmetric: a public key must not work as a secret."""
_CLOCK_SKEW: Final = 10
"""Seconds that the authorization server's clock may be ahead of ours."""
_LOGGED_WITHIN: Final = 10.0
_logged: Final[deque[float]] = deque(maxlen=20)
"""When rejections were logged: at most 20 within 10 seconds."""
_MAX_REASON: Final = 300


def log_rejection(status: int, reason: str) -> None:
    """Log why a request was rejected. `reason` must not contain a token or a secret."""
    now = time.monotonic()
    if len(_logged) < 20 or now - _logged[0] > _LOGGED_WITHIN:
        _logged.append(now)
        _log.info("request rejected with %d: %s", status, reason[:_MAX_REASON])


def authentication_for(settings: Settings, *, loopback: bool) -> SharedSecret | JWTVerifier | None:
    """Return the verifier that `settings` describe; None on loopback without any. Raises `SettingsError`."""
    values = {
        "MCP_JWT_ISSUER": settings.jwt_issuer,
        "MCP_JWT_AUDIENCE": settings.jwt_audience,
        "MCP_JWKS_URL": settings.jwks_url,
        "MCP_JWT_REQUIRED_SCOPES": ",".join(settings.jwt_required_scopes),
    }
    given = ", ".join(name for name, value in values.items() if value)
    both = "MCP_JWT_ISSUER and MCP_JWT_AUDIENCE"
    if settings.bearer_token and given:
        raise SettingsError("MCP_BEARER_TOKEN", f"is set, and so is {given}. Unset one of the two.")
    if settings.bearer_token:
        return SharedSecret(settings.bearer_token)
    if settings.jwt_issuer and settings.jwt_audience:
        return JWTVerifier(settings, KeySet(settings.jwt_issuer, settings.jwks_url))
    if given:
        raise SettingsError(given, f"is set, but tokens are accepted only with {both}. Set both, or unset {given}.")
    if not loopback:
        needed = "is not set, and addresses that other machines can reach require authentication. Set it"
        raise SettingsError(
            "MCP_BEARER_TOKEN", f"{needed} (at least 16 characters), or {both}, or use --host 127.0.0.1."
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
            if (expires_at := int(claims["exp"])) <= time.time():  # the clock skew applies to nbf and iat only
                raise jwt.ExpiredSignatureError("the token has expired")
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as fault:
            log_rejection(401, self._reason(fault, token))
            return None
        named = (claims.get(name) for name in ("sub", "client_id", "azp"))
        subject = next((name for name in named if isinstance(name, str) and name), "unknown")
        scopes = _scopes(claims)
        if missing := [scope for scope in self._required if scope not in scopes]:
            log_rejection(403, f"the token of {subject!r} lacks {', '.join(missing)}; its scopes: {', '.join(scopes)}")
        return AccessToken(token="", client_id=subject, subject=subject, scopes=scopes, expires_at=expires_at)

    async def _claims(self, token: str) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        for key in await self._keys.find(kid):
            with contextlib.suppress(jwt.InvalidSignatureError, jwt.InvalidKeyError, TypeError):
                return jwt.decode(
                    token,
                    key,
                    algorithms=_ALGORITHMS,
                    audience=self._audience,
                    issuer=self._issuer,
                    leeway=_CLOCK_SKEW,
                    options={"require": ["exp", "aud", "iss"]},
                )
        raise jwt.InvalidSignatureError("no key of the issuer fits the signature")

    def _reason(self, fault: Exception, token: str) -> str:
        """Return a reason to log: for another audience or issuer, what was received and what is expected."""
        if isinstance(fault, jwt.InvalidAudienceError | jwt.InvalidIssuerError):
            received = jwt.decode(token, options={"verify_signature": False})
            facts = (("aud", self._audience), ("iss", self._issuer))
            return "; ".join(
                f"the token's {name} is {received.get(name)!r}, expected {value!r}" for name, value in facts
            )
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
