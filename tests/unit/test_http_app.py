"""The HTTP application without a socket: what each path answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from starlette.types import ASGIApp, Message

from kit.mcp_http import ACCEPT, LIST, answer
from tiktok_pinned_videos.app import build_server, build_service
from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.transports.auth import authentication_for
from tiktok_pinned_videos.transports.http import build_app

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[ASGIApp]:
    """The application, started and stopped as uvicorn does it."""
    configured = Settings(sandbox=True, **settings)
    backend = Backend(configured, build_service)

    def build(channels: str) -> Any:
        return build_server(replace(configured, result_channels=cast("Any", channels)), backend=backend)

    verifier = authentication_for(configured, loopback=True)
    app = build_app(build, configured, backend, verifier, host="127.0.0.1", port=8000)
    events: list[Message] = []
    stop = asyncio.Event()

    async def receive() -> Message:
        if not events:
            return {"type": "lifespan.startup"}
        await stop.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        events.append(message)

    lifespan = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))  # type: ignore[arg-type]
    while not events:  # noqa: ASYNC110 - the application gives no other sign
        await asyncio.sleep(0.01)
    try:
        yield app
    finally:
        stop.set()
        await lifespan


def client(app: ASGIApp, **headers: str) -> httpx.AsyncClient:
    """A client of the application."""
    transport = httpx.ASGITransport(app=cast("Any", app))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=ACCEPT | headers)


async def test_every_path_is_answered_as_documented() -> None:
    async with serving(allowed_hosts=("mcp.example.org",), bearer_token="correct-horse-battery") as app:
        token = {"Authorization": "Bearer correct-horse-battery"}
        async with client(app) as http:
            statuses = [
                (await http.request(method, path, headers=headers)).status_code
                for method, path, headers in (
                    ("GET", "/healthz", {}), ("GET", "/readyz", {}), ("POST", "/mcp", {}), ("GET", "/mcp/", token),
                    ("GET", "/", {}), ("POST", "/mcp", token | {"Host": "evil.example"}),
                    ("POST", "/mcp", token | {"Origin": "https://evil.example"}),
                )
            ]  # fmt: skip
            served = answer(await http.post("/mcp/", json=LIST, headers=token | {"Host": "mcp.example.org"}))

    assert statuses == [200, 200, 401, 405, 404, 421, 403]
    assert len(served["result"]["tools"]) == 2


@pytest.mark.parametrize(
    ("settings", "resource"),
    [
        ({"public_url": "https://host/tiktok/mcp"}, "https://host/tiktok/mcp"),
        ({"jwt_audience": "https://mcp.example.org/x"}, "https://mcp.example.org/x"),
        ({}, "http://127.0.0.1:8000/mcp"),
    ],
)
async def test_the_metadata_names_the_endpoint_as_clients_see_it(settings: dict[str, Any], resource: str) -> None:
    jwt = {"jwt_issuer": "https://issuer.example", "jwt_audience": "api://pinned", "jwks_url": "https://issuer.example"}
    async with serving(**(jwt | settings)) as app, client(app) as http:
        path = httpx.URL(resource).path
        found = [(await http.get(f"/.well-known/oauth-protected-resource{end}")).json() for end in ("", path, "/mcp")]

    assert [each["resource"] for each in found] == [resource] * 3
