# type: ignore  # runs with the SDK's older versions, which have other names
"""A client of the Python SDK 1.x: see test_client_sdks.py."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from pydantic import AnyUrl


def way():
    """Return the transport that the arguments name: `stdio COMMAND…`, or `http URL TOKEN`."""
    if sys.argv[1] == "stdio":
        return stdio_client(StdioServerParameters(command=sys.argv[2], args=sys.argv[3:]))
    headers = {"Authorization": f"Bearer {sys.argv[3]}"}
    from mcp.client import streamable_http

    if hasattr(streamable_http, "create_mcp_http_client") and hasattr(streamable_http, "streamable_http_client"):
        client = streamable_http.create_mcp_http_client(headers=headers)
        return streamable_http.streamable_http_client(sys.argv[2], http_client=client)
    return streamable_http.streamablehttp_client(sys.argv[2], headers=headers)


async def main():
    """Print the results as JSON."""
    async with way() as (read, write, *_), ClientSession(read, write) as session:
        started = await session.initialize()
        found = await session.call_tool("get_pinned_videos", {"username": "nasa"})
        failed = await session.call_tool("get_pinned_videos", {"username": "sandbox_missing"})
        stored = await session.read_resource(AnyUrl("tiktok://pinned/nasa"))
        results = {
            "server": started.serverInfo.name,
            "tools": sorted(tool.name for tool in (await session.list_tools()).tools),
            "found": [found.isError, found.content[0].text],
            "failed": [failed.isError, failed.content[0].text],
            "resource": stored.contents[0].text,
        }
    print(json.dumps(results))


asyncio.run(main())
