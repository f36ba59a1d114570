"""Who may come in over HTTP: nobody is asked, a shared secret, or tokens of an authorization server.

Decides from settings which door stands, and judges tokens; knows neither sockets nor routes. A token is never logged.
"""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import jwt
from mcp.server.auth.provider import AccessToken

from tiktok_pinned_videos.settings import Settings

if TYPE_CHECKING:
    from .keys import KeySet

_log = logging.getLogger(__name__)
# Nothing symmetric: a public key must never work as a shared secret.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LONGEST_TOKEN: Final = 16 * 1024
_CLOCK_SKEW: Final = 10
"""Seconds that the authorization server's clock may be ahead of ours."""


class DoorError(Exception):
    """The settings name no door, half a door or two; the text is the two lines to print before exit 2."""


@dataclass(frozen=True, slots=True)
class NoDoor:
    """Loopback only: whoever is on this machine may call."""


@dataclass(frozen=True, slots=True)
class BearerDoor:
    """One shared secret."""

    token: str = field(repr=False)

    def admits(self, authorization: str) -> bool:
        """Whether this is the `Authorization` header of somebody who knows the secret; takes the same time for all."""
        scheme, _, given = authorization.partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8"), self.token.encode("utf-8"))
        return same and scheme.lower() == "bearer"


@dataclass(frozen=True, slots=True)
class JWTDoor:
    """Signed tokens of an OAuth authorization server."""

    issuer: str
    audience: str
    jwks_url: str
    """Where its keys are; empty: its metadata says."""


Door = NoDoor | BearerDoor | JWTDoor


def door_for(settings: Settings, *, loopback: bool) -> Door:
    """The one door that `settings` describe. Raises `DoorError`; without any, only loopback may be served."""
    names = {
        "MCP_JWT_ISSUER": settings.jwt_issuer,
        "MCP_JWT_AUDIENCE": settings.jwt_audience,
        "MCP_JWKS_URL": settings.jwks_url,
    }
    given = [name for name, value in names.items() if value]
    if settings.bearer_token and given:
        raise DoorError(
            f"Two doors are configured: MCP_BEARER_TOKEN and {', '.join(given)}.\n"
            "Set either MCP_BEARER_TOKEN, or MCP_JWT_ISSUER and MCP_JWT_AUDIENCE, and unset the other."
        )
    if settings.bearer_token:
        return BearerDoor(settings.bearer_token)
    if settings.jwt_issuer and settings.jwt_audience:
        return JWTDoor(settings.jwt_issuer, settings.jwt_audience, settings.jwks_url)
    if given:
        missing = [name for name in ("MCP_JWT_ISSUER", "MCP_JWT_AUDIENCE") if not names[name]]
        raise DoorError(
            f"Only half a door is configured: {', '.join(given)} without {' and '.join(missing)}.\n"
            f"Set {' and '.join(missing)} too, or unset {', '.join(given)}."
        )
    if not loopback:
        raise DoorError(
            "Refusing to listen on an address that other machines can reach: nobody would be asked who they are.\n"
            "Set MCP_BEARER_TOKEN (at least 16 characters), or MCP_JWT_ISSUER and MCP_JWT_AUDIENCE, "
            "or use --host 127.0.0.1."
        )
    return NoDoor()


class JWTVerifier:
    """The SDK's `TokenVerifier` for tokens of one issuer meant for one audience."""

    def __init__(self, door: JWTDoor, keys: KeySet) -> None:
        self._door = door
        self._keys = keys

    async def verify_token(self, token: str) -> AccessToken | None:
        """Who the token speaks for, or None when it is not to be believed."""
        try:
            claims = await self._claims(token)
        except (jwt.PyJWTError, ValueError) as refusal:
            # The kind only: the words may quote what the token claims.
            _log.info("a token was refused: %s", type(refusal).__name__)
            return None
        subject = _text(claims.get("sub"))
        client = _text(claims.get("client_id")) or _text(claims.get("azp")) or subject or "unknown"
        return AccessToken(
            token=token,
            client_id=client,
            scopes=_scopes(claims),
            expires_at=int(claims["exp"]),  # looked at again by the SDK, which allows for no skew
            subject=subject,
            claims={"iss": self._door.issuer},
        )

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise jwt.DecodeError("too long")
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in _ALGORITHMS:
            raise jwt.InvalidAlgorithmError("not one of ours")
        for key in await self._keys.candidates(kid, algorithm):
            try:
                return self._believe(token, key, algorithm)
            except jwt.InvalidSignatureError:
                continue
        # Perhaps the keys were changed since: look again, if it is not too soon.
        for key in await self._keys.candidates(kid, algorithm, renew=True):
            try:
                return self._believe(token, key, algorithm)
            except jwt.InvalidSignatureError:
                continue
        raise jwt.InvalidSignatureError("no key of the issuer made it")

    def _believe(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._door.audience,
            issuer=self._door.issuer,
            leeway=_CLOCK_SKEW,
            options={"require": ["exp", "aud", "iss"]},
        )


def _scopes(claims: dict[str, Any]) -> list[str]:
    given = claims.get("scope") or claims.get("scp") or ""
    if isinstance(given, str):
        return given.split()
    return [part for part in cast("list[Any]", given) if isinstance(part, str)] if isinstance(given, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
