# /// script
# dependencies = ["openai-agents==0.24.0"]
# ///
"""OpenAI Agents SDK in its strict mode, which makes every argument required: what the model is given and reads."""

import asyncio
import json

from agents import Agent, RunContextWrapper
from agents.mcp import MCPServerStdio
from agents.tool_context import ToolContext
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say


async def main() -> None:
    """List, and call as a strict model does: with every argument."""
    server = MCPServerStdio({"command": COMMAND, "args": ARGS, "env": ENV}, client_session_timeout_seconds=60)
    async with server:
        agent = Agent("agent", mcp_servers=[server], mcp_config={"convert_schemas_to_strict": True})
        tools = {tool.name: tool for tool in await agent.get_mcp_tools(RunContextWrapper(None))}
        assert all(tool.strict_json_schema for tool in tools.values())
        written = json.dumps({**ARGUMENTS, "fields": [], "refresh": False})
        context = ToolContext(None, tool_name=NAME, tool_call_id="1", tool_arguments=written)
        output = await tools[NAME].on_invoke_tool(context, written)
        seen = output["text"] if isinstance(output, dict) and output.get("type") == "text" else output
        say({name: tool.params_json_schema for name, tool in tools.items()}, seen)


asyncio.run(main())
