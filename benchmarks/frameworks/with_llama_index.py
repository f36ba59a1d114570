# /// script
# dependencies = ["llama-index-tools-mcp==0.6.0"]
# ///
"""LlamaIndex: what the model is given and reads."""

import asyncio

from llama_index.tools.mcp import BasicMCPClient, McpToolSpec
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say


async def main() -> None:
    """List and call."""
    listed = await McpToolSpec(BasicMCPClient(COMMAND, args=ARGS, env=ENV)).to_tool_list_async()
    tools = {tool.metadata.name: tool for tool in listed}
    output = await tools[NAME].acall(**ARGUMENTS)
    say({name: tool.metadata.get_parameters_dict() for name, tool in tools.items()}, output.content)


asyncio.run(main())
