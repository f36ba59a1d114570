# /// script
# dependencies = ["mcp-haystack==2.1.0"]
# ///
"""Haystack: what the model is given and reads."""

from haystack_integrations.tools.mcp import MCPToolset, StdioServerInfo
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say

toolset = MCPToolset(StdioServerInfo(command=COMMAND, args=ARGS, env=ENV))
toolset.warm_up()
tools = {tool.name: tool for tool in toolset}
say({name: tool.parameters for name, tool in tools.items()}, tools[NAME].invoke(**ARGUMENTS))
