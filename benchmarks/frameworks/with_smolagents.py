# /// script
# dependencies = ["smolagents[mcp]==1.26.0", "mcp<2"]
# ///
"""smolagents: what the model is given and reads."""

from mcp import StdioServerParameters
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say
from smolagents import MCPClient

with MCPClient(StdioServerParameters(command=COMMAND, args=ARGS, env=ENV), structured_output=False) as listed:
    tools = {tool.name: tool for tool in listed}
    say({name: {"properties": tool.inputs} for name, tool in tools.items()}, str(tools[NAME](**ARGUMENTS)))
