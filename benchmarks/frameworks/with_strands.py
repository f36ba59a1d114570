# /// script
# dependencies = ["strands-agents==1.62.0"]
# ///
"""Strands Agents: what the model is given and reads."""

from mcp import StdioServerParameters, stdio_client
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say
from strands.tools.mcp import MCPClient

with MCPClient(lambda: stdio_client(StdioServerParameters(command=COMMAND, args=ARGS, env=ENV))) as client:
    schemas = {tool.tool_name: tool.tool_spec["inputSchema"]["json"] for tool in client.list_tools_sync()}
    result = client.call_tool_sync(tool_use_id="1", name=NAME, arguments=ARGUMENTS)
    say(schemas, "".join(part.get("text", "") for part in result["content"]))
