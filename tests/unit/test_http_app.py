"""The HTTP application without a socket: what it says about itself to clients without a token."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from tiktok_pinned_videos.app import build_server, build_service
from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.transports.auth import authentication_for
from tiktok_pinned_videos.transports.http import build_app


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changed", "resource"),
    [
        ({"public_url": "https://host/tiktok/mcp"}, "https://host/tiktok/mcp"),
        ({"jwt_audience": "https://mcp.example.org/x"}, "https://mcp.example.org/x"),
        ({}, "http://127.0.0.1:8000/mcp"),
    ],
)
async def test_the_metadata_names_the_endpoint_as_clients_see_it(changed: dict[str, Any], resource: str) -> None:
    jwt: dict[str, Any] = {
        "jwt_issuer": "https://issuer.example",
        "jwt_audience": "api://pinned",
        "jwks_url": "https://issuer.example",
        "jwt_required_scopes": ("pinned.read",),
    }
    settings = Settings(sandbox=True, **(jwt | changed))
    backend = Backend(settings, build_service)
    app = build_app(
        lambda _: build_server(settings, backend=backend), settings, backend,
        authentication_for(settings, loopback=True), host="127.0.0.1", port=8000,
    )  # fmt: skip
    transport = httpx.ASGITransport(app=cast("Any", app))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for end in ("", httpx.URL(resource).path, "/mcp"):
            path = f"/.well-known/oauth-protected-resource{end}"
            assert (await client.get(path)).json() == {
                "resource": resource, "authorization_servers": ["https://issuer.example"],
                "bearer_methods_supported": ["header"], "scopes_supported": ["pinned.read"],
            }  # fmt: skip
            asked = {"Origin": "http://localhost:1", "Access-Control-Request-Method": "GET"}
            assert (await client.options(path, headers=asked)).status_code == 200
        challenge = (await client.post("/mcp")).headers["www-authenticate"]

    assert f"/.well-known/oauth-protected-resource{httpx.URL(resource).path}" in challenge
