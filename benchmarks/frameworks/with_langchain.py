# /// script
# dependencies = ["langchain-mcp-adapters==0.3.2", "mcp<2"]
# ///
"""LangChain: what the model is given and reads."""

import asyncio

from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say


async def main() -> None:
    """List and call."""
    client = MultiServerMCPClient({"it": {"transport": "stdio", "command": COMMAND, "args": ARGS, "env": ENV}})
    async with client.session("it") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        message = await tools[NAME].ainvoke({"type": "tool_call", "name": NAME, "args": ARGUMENTS, "id": "1"})
        schemas = {name: convert_to_openai_tool(tool)["function"]["parameters"] for name, tool in tools.items()}
        say(schemas, str(message.text))


asyncio.run(main())
