"""The composition root: builds the service and the server from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .research.errors import ConfigurationError
from .settings import Settings

if TYPE_CHECKING:
    import httpx
    from mcp.server.mcpserver import MCPServer

    from .observability.logs import CallRecord
    from .service.service import PinnedVideosService

DRAIN: Final = 3.5
"""Seconds for received calls, and for requests already sent, when a server ends."""


class LazyBackend:
    """Builds the service on the first call: a server that only lists its tools loads neither client nor store."""

    def __init__(
        self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._service: PinnedVideosService | None = None
        self._drain_until = 0.0

    @property
    def settings(self) -> Settings:
        """The settings of the server."""
        return self._settings

    def service(self) -> PinnedVideosService:
        """The one service of this process. Raises `ConfigurationError` without credentials."""
        if self._service is None:
            if not self._settings.configured:
                raise ConfigurationError("no TikTok credentials are set.")
            self._service = build_service(self._settings, transport=self._transport, clock=self._clock)
        return self._service

    def begin_drain(self) -> None:
        """Start the time that requests already sent may take at the end. Only the first call counts."""
        self._drain_until = self._drain_until or time.monotonic() + DRAIN

    async def aclose(self) -> None:
        """Close the service if it was built."""
        service, self._service = self._service, None
        now = time.monotonic()
        if service is not None:
            await service.aclose(drain=max(0.0, (self._drain_until or now + DRAIN) - now))


def build_service(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.time,
) -> PinnedVideosService:
    """Build the client, the cache, the quota and the store. `transport` replaces the network."""

    from .observability.telemetry import watch_quota
    from .research.client import ResearchClient
    from .service.accounts import Accounts
    from .service.quota import Ledger
    from .service.service import PinnedVideosService
    from .service.tokens import SharedTokens
    from .state.open import open_store

    store = open_store(settings.state, prefix=settings.namespace + ":", clock=clock)
    ledger = Ledger(store, quota=settings.daily_quota, caller_quota=settings.caller_quota, clock=clock)
    watch_quota(ledger.seen_today)
    if transport is None and settings.sandbox:
        from .sandbox.transport import SandboxTransport

        transport = SandboxTransport(clock=clock)
    client_key, client_secret = settings.credentials
    client = ResearchClient(
        base_url=settings.base_url,
        client_key=client_key,
        client_secret=client_secret,
        timeout=settings.timeout,
        max_concurrency=settings.max_concurrency,
        budget=ledger,
        tokens=SharedTokens(store, clock=clock) if settings.state.lower().startswith("redis") else None,
        clock=clock,
        transport=transport,
    )
    accounts = Accounts(store, cache_ttl=settings.cache_ttl, history_days=settings.history_days, clock=clock)
    return PinnedVideosService(
        client=client,
        accounts=accounts,
        ledger=ledger,
        store=store,
        max_concurrency=settings.max_concurrency,
        clock=clock,
    )


def build_server(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.time,
    backend: LazyBackend | None = None,
) -> MCPServer[Any]:
    """The MCP server, ready to run on any transport. It opens and sends nothing before the first call."""
    # Importing the SDK takes most of a second, and commands that send requests themselves do not need it.
    from .mcp_server.server import create_server
    from .observability.logs import log_call
    from .observability.telemetry import meter_call

    def on_call(record: CallRecord) -> None:
        log_call(record)
        meter_call(record)

    backend = backend or LazyBackend(settings, transport=transport, clock=clock)
    return create_server(settings, backend, on_call=on_call)
