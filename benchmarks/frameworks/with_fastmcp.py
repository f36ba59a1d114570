# /// script
# dependencies = ["fastmcp==4.2.3"]
# ///
"""fastmcp's client, which makes types of the output schemas: the types of the totals that a program is handed."""

import asyncio
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say


def types_of(value: Any) -> dict[str, str]:
    """By field the name of its type."""
    fields = value if isinstance(value, dict) else vars(value)
    return {name: type(each).__name__ for name, each in fields.items() if each is not None}


async def main() -> None:
    """Call both tools."""
    async with Client(StdioTransport(COMMAND, ARGS, env=ENV)) as client:
        tools = {
            tool.name: getattr(tool, "inputSchema", None) or tool.input_schema for tool in await client.list_tools()
        }
        one = (await client.call_tool(NAME, ARGUMENTS)).data
        two = (await client.call_tool("compare_pinned_videos", {"usernames": ["nasa", "esa"]})).data
        first = two.accounts[0]
        totals = {"get": types_of(one.totals), "compare": types_of(first.totals), "top": types_of(first.top_video)}
        say(tools, totals)


asyncio.run(main())
