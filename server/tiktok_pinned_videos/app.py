"""The composition root: builds the service and the server from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from .settings import Settings

if TYPE_CHECKING:
    import httpx
    from mcp.server.mcpserver import MCPServer

    from .mcp_server.backend import Backend
    from .observability.logs import CallRecord
    from .service.service import PinnedVideosService


def build_service(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.time,
) -> PinnedVideosService:
    """Build the client, the cache, the quota and the store. `transport` replaces the network."""

    from .research.client import ResearchClient
    from .service.accounts import Accounts
    from .service.quota import Ledger
    from .service.service import PinnedVideosService
    from .service.tokens import SharedTokens
    from .state.open import open_store

    store = open_store(settings.state, prefix=settings.namespace + ":", clock=clock)
    ledger = Ledger(store, quota=settings.daily_quota, caller_quota=settings.caller_quota, clock=clock)
    if transport is None and settings.sandbox:
        import httpx

        from .sandbox.app import SandboxApp

        transport = httpx.ASGITransport(SandboxApp(clock=clock))
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
    backend: Backend | None = None,
) -> MCPServer[Any]:
    """The MCP server, ready to run on any transport. It opens and sends nothing before the first call."""
    # Importing the SDK takes most of a second, and commands that send requests themselves do not need it.
    from .mcp_server.backend import Backend
    from .mcp_server.server import create_server
    from .observability.logs import log_call
    from .observability.telemetry import meter_call

    def on_call(record: CallRecord) -> None:
        log_call(record)
        meter_call(record)

    backend = backend or Backend(settings, partial(build_service, transport=transport, clock=clock))
    return create_server(settings, backend, on_call=on_call)
