"""A bare server for comparison: a tool that returns as much as ours does, and one that hands on what TikTok says.

`bare.py ANSWER stdio` or `bare.py ANSWER http` (Streamable HTTP with the transport settings of ours). ANSWER is a JSON
file with `text` and `data`. `UPSTREAM` in the environment is where the second tool asks.
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
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent

_answer: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
_clients: list[httpx.AsyncClient] = []
server = MCPServer("bare", subscriptions=False)


@server.tool()
async def answer(username: str) -> CallToolResult:
    """As many bytes as ours, in both channels."""
    return CallToolResult(content=[TextContent(type="text", text=_answer["text"])], structured_content=_answer["data"])


@server.tool()
async def ask(username: str) -> str:
    """What TikTok says, as it came: one request on a connection that is kept."""
    if not _clients:
        _clients.append(httpx.AsyncClient(base_url=os.environ["UPSTREAM"]))
    response = await _clients[0].post(
        "/v2/research/user/pinned_videos/?fields=" + os.environ["FIELDS"],
        json={"username": username},
        headers={"Authorization": "Bearer any"},
    )
    return response.text


async def _http() -> None:
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
    if sys.argv[2] == "http":
        asyncio.run(_http())
    else:
        server.run("stdio")
