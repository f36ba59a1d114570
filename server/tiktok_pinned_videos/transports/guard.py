"""What every request passes before the SDK sees it: Host and Origin, authentication, CORS, bounds.

Plain ASGI. A request is authenticated before anything of it is kept or any place is given to it; a path that is not
exactly one of ours ends here, before a router could read it differently. Every answer but that to an authenticated call
closes the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiktok_pinned_videos.service.caller import CALLER
from tiktok_pinned_videos.transports.origins import AllowedAddresses

from .auth import JWTVerifier, SharedSecret
from .bounds import Bounds, header, headers, leaving, refuse
from .connections import admit
from .health import HEALTH_PATHS

PATH: Final = "/mcp"
MAX_JUDGED: Final = 32
"""Tokens that may wait at once for the issuer's keys."""
_PREFLIGHT_HEADERS: Final = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID, Mcp-Method, Mcp-Name, "
    "Mcp-Protocol-Version, Mcp-Session-Id",
    "Access-Control-Max-Age": "600",
    "Vary": "Origin",
}
_EXPOSED_HEADERS: Final = "Mcp-Protocol-Version, Mcp-Session-Id, Retry-After, WWW-Authenticate"


class Authenticator(Protocol):
    """Decides about one request by its headers alone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether it may go on; if not, it has been answered."""
        ...


class Gate:
    """`calls` by result channels (`both`, `text`), `others` by exact path; whatever else is 404."""

    def __init__(
        self,
        calls: Mapping[str, ASGIApp],
        others: Mapping[str, ASGIApp],
        *,
        default_channels: str,
        addresses: AllowedAddresses,
        authenticate: Authenticator | None,
    ) -> None:
        self._calls = calls
        self._bounds = Bounds()
        self._others = others
        self._default_channels = default_channels
        self._addresses = addresses
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        origin = header(scope, b"origin")
        left = leaving(scope, receive, send)
        # A name that an attacker points at us is no address, so probes may ask by any.
        is_probe = scope["path"] in HEALTH_PATHS
        if not self._addresses.host(header(scope, b"host"), any_address=is_probe):
            await refuse(left, 421, "this Host is not served here: see MCP_ALLOWED_HOSTS")
        elif origin is not None and not self._addresses.origin(origin):
            await refuse(left, 403, "this Origin may not call: see MCP_ALLOWED_ORIGINS")
        else:
            told = send if origin is None else _with_cors(send, origin)
            await self._route(scope, receive, told, leaving(scope, receive, told))

    async def _route(self, scope: Scope, receive: Receive, send: Send, left: Send) -> None:
        # As it was sent: a decoded path could be another one to whoever decodes it again.
        path = bytes(scope["raw_path"]).decode("latin-1")
        if path in self._others:
            await self._others[path](scope, receive, left)
        elif path not in (PATH, f"{PATH}/"):  # the same place: a redirect would send the token to wherever Host points
            await refuse(left, 404, f"nothing is served here; MCP is at {PATH}")
        elif scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None:
            # A preflight carries no token.
            await refuse(left, 200, "", _PREFLIGHT_HEADERS)
        elif self._authenticate is None or await self._authenticate(scope, receive, left):
            admit(scope)
            await self._call(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        chosen = [value for name, value in parse_qsl(query, True) if name == "channels"] if query else []
        app = self._calls.get(chosen[0] if len(chosen) == 1 else "" if chosen else self._default_channels)
        if app is None:
            await refuse(send, 400, "channels is both or text, as in /mcp?channels=text")
        elif scope["method"] != "POST":
            # Every call is complete in itself: there is no stream to listen to and no session to delete.
            await refuse(send, 405, "only POST is served here", {"Allow": "POST"})
        else:
            await self._bounds(app, scope, receive, send)


class SecretAuthenticator:
    """Answers 401 to whoever does not know the shared secret."""

    def __init__(self, secret: SharedSecret) -> None:
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """See `Authenticator`."""
        given = headers(scope, b"authorization")
        if len(given) == 1 and self._secret.admits(given[0]):
            return True
        # RFC 6750: no error code where no token was sent.
        challenge = 'Bearer error="invalid_token"' if given else "Bearer"
        await refuse(send, 401, "a bearer token is required", {"WWW-Authenticate": challenge})
        return False


class TokenAuthenticator:
    """Judges tokens of an authorization server, and remembers for the ledger on whose behalf a call is made.

    Tokens whose key is known are judged at once; those that have to wait for the issuer wait in few places of their
    own, so that invented ones keep nobody else waiting.
    """

    def __init__(self, verifier: JWTVerifier, *, metadata_url: str) -> None:
        self._verifier = verifier
        self._metadata_url = metadata_url
        self._judged = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """See `Authenticator`."""
        given = headers(scope, b"authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return await self._refuse(send, bool(given))
        if not self._verifier.needs_keys(token):
            caller = await self._verifier.verify_token(token)
        elif self._judged >= MAX_JUDGED:
            await refuse(send, 503, "too many tokens wait for the issuer's keys", {"Retry-After": "3"})
            return False
        else:
            self._judged += 1
            try:
                caller = await self._verifier.verify_token(token)
            finally:
                self._judged -= 1
        if caller is None:
            return await self._refuse(send, True)
        CALLER.set(caller)
        return True

    async def _refuse(self, send: Send, token_was_sent: bool) -> bool:
        error = 'error="invalid_token", ' if token_was_sent else ""
        challenge = f'Bearer {error}resource_metadata="{self._metadata_url}"'
        await refuse(send, 401, "an access token is required", {"WWW-Authenticate": challenge})
        return False


def _with_cors(send: Send, origin: str) -> Send:
    """Let the page read what is sent, refusals too."""
    more = [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _EXPOSED_HEADERS.encode()),
    ]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name != b"vary"]
            message = {**message, "headers": [*kept, *more, (b"vary", b"Origin")]}
        await send(message)

    return sending
