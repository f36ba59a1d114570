"""A server of the SDK with two tools: one returns as many bytes as ours does, one returns TikTok's body.

Run `bare.py ANSWER stdio` or `bare.py ANSWER http`. ANSWER is a JSON file with `text` and `data`. Over HTTP it has the
transport settings of ours and asks for the same bearer token.
"""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent
from pydantic import AnyHttpUrl

FIELDS = (
    "id,create_time,video_description,video_duration,view_count,like_count,comment_count,share_count,favorites_count,"
    "hashtag_names"
)


class _Token:
    """One shared secret."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """Compare it."""
        return AccessToken(token=token, client_id="any", scopes=[]) if token == os.environ["MCP_BEARER_TOKEN"] else None


_http = sys.argv[2] == "http"
_anywhere = AnyHttpUrl("http://127.0.0.1/mcp")
_answer: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
_clients: list[httpx.AsyncClient] = []
server = MCPServer(
    "bare", subscriptions=False, token_verifier=_Token() if _http else None,
    auth=AuthSettings(issuer_url=_anywhere, resource_server_url=_anywhere) if _http else None,
)  # fmt: skip


@server.tool()
async def answer(username: str) -> CallToolResult:
    """Return as many bytes as ours, in both channels."""
    return CallToolResult(content=[TextContent(type="text", text=_answer["text"])], structured_content=_answer["data"])


@server.tool()
async def ask(username: str) -> str:
    """Return TikTok's body: one request on a connection that is kept."""
    if not _clients:
        _clients.append(httpx.AsyncClient(base_url=os.environ["TIKTOK_API_BASE_URL"]))
    response = await _clients[0].post(
        f"/v2/research/user/pinned_videos/?fields={FIELDS}",
        json={"username": username},
        headers={"Authorization": "Bearer any"},
    )
    return response.raise_for_status().text


async def serve() -> None:
    """Listen on a free port."""
    app = server.streamable_http_app(
        streamable_http_path="/mcp", stateless_http=True, json_response=False, max_request_body_size=64 * 1024
    )
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(
        app, lifespan="on", ws="none", log_config=None, access_log=False, server_header=False, proxy_headers=False,
        backlog=512, limit_concurrency=512, timeout_keep_alive=75, timeout_graceful_shutdown=8,
    )  # fmt: skip
    print(f"bare server on http://127.0.0.1:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    if _http:
        asyncio.run(serve())
    else:
        server.run("stdio")
