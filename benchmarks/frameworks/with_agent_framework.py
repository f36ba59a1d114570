# /// script
# dependencies = ["agent-framework-core==1.23.0", "mcp", "tenacity"]
# ///
"""Microsoft Agent Framework: what the model is given and reads."""

import asyncio

from agent_framework import MCPStdioTool
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say


async def main() -> None:
    """List and call."""
    async with MCPStdioTool(name="it", command=COMMAND, args=ARGS, env=ENV, load_prompts=False) as tool:
        contents = await tool.call_tool(NAME, **ARGUMENTS)
        say({each.name: each.parameters() for each in tool.functions}, "".join(part.text for part in contents))


asyncio.run(main())
