# /// script
# dependencies = ["google-genai==3.6.1", "mcp>=2.3"]
# ///
"""google-genai: the declarations that Gemini is sent, as a schema of Google's own. It calls nothing."""

import asyncio

from google.genai import _mcp_utils, types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from said import ARGS, COMMAND, ENV, say


async def main() -> None:
    """List, and convert as a chat with this session in `tools` does."""
    async with Client(stdio_client(StdioServerParameters(command=COMMAND, args=ARGS, env=ENV))) as client:
        tools = _mcp_utils.mcp_to_gemini_tools((await client.list_tools()).tools)
        # Sent once for each request: what is not valid here fails all of it.
        types.GenerateContentConfig(tools=tools)
        declared = [each for tool in tools for each in tool.function_declarations]
        schemas = {each.name: each.parameters.model_dump(mode="json", exclude_none=True) for each in declared}
        say(schemas, "")


asyncio.run(main())
