# type: ignore  # runs with the newest version of the SDK, not with the one that is installed here
"""A client of the Python SDK 2.x: see test_client_sdks.py."""

import asyncio
import contextlib
import json
import sys

import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


@contextlib.asynccontextmanager
async def connected():
    """Connect a client on the transport that the arguments name: `stdio COMMAND…`, or `http URL TOKEN`."""
    if sys.argv[1] == "stdio":
        async with Client(stdio_client(StdioServerParameters(command=sys.argv[2], args=sys.argv[3:]))) as client:
            yield client
        return
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {sys.argv[3]}"}) as http,
        Client(streamable_http_client(sys.argv[2], http_client=http)) as client,
    ):
        yield client


async def main():
    """Print the results as JSON."""
    async with connected() as client:
        found = await client.call_tool("get_pinned_videos", {"username": "nasa"})
        failed = await client.call_tool("get_pinned_videos", {"username": "sandbox_missing"})
        stored = await client.read_resource("tiktok://pinned/nasa")
        results = {
            "server": client.server_info.name,
            "tools": sorted(tool.name for tool in (await client.list_tools()).tools),
            "found": [found.is_error, found.content[0].text],
            "failed": [failed.is_error, failed.content[0].text],
            "resource": stored.contents[0].text,
        }
    print(json.dumps(results))


asyncio.run(main())
